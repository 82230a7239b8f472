import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { open, seal, xopen, xseal } from '../../../src/crypto/aead.ts'
import { ready } from '../../../src/crypto/sodium.ts'
import { hex, text } from '../../support/bytes.ts'
import { generator, seed } from '../../support/seed.ts'

// Cases are made while they are collected.
await ready()

const random = generator(seed)
const draw = (length: number) => Uint8Array.from({ length }, () => random())

describe('seal', () => {
  it.each([0, 1, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, 2 ** 53 - 1])(
    'is what OpenSSL computes with counter %d in the last 8 bytes of the nonce, little-endian',
    (counter) => {
      const [key, plaintext, ad] = [draw(32), draw(random() % 200), draw(random() % 40)]
      const nonce = Buffer.alloc(12)
      nonce.writeBigUInt64LE(BigInt(counter), 4)
      const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
      cipher.setAAD(ad, { plaintextLength: plaintext.length })
      const expected = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
      expect(text(seal(key, counter, plaintext, ad))).toBe(expected.toString('hex'))
      expect(open(key, counter, expected, ad)).toEqual(plaintext)
    },
  )

  it('of nothing is a tag', () => {
    const key = draw(32)
    const sealed = seal(key, 0, new Uint8Array(0), null)
    expect(sealed.length).toBe(16)
    expect(open(key, 0, sealed, null)).toEqual(new Uint8Array(0))
  })
})

describe('open', () => {
  const key = draw(32)
  const ad = draw(8)
  const sealed = seal(key, 5, draw(24), ad)

  it.each([
    ['a bit of the ciphertext', 0],
    ['a bit of the tag', sealed.length - 1],
  ])('refuses %s changed', (_name, at) => {
    const changed = sealed.slice()
    changed[at]! ^= 1
    expect(open(key, 5, changed, ad)).toBeNull()
  })

  it('refuses another counter, another key, other data beside it, and what is too short for a tag', () => {
    expect(open(key, 6, sealed, ad)).toBeNull()
    expect(open(draw(32), 5, sealed, ad)).toBeNull()
    expect(open(key, 5, sealed, draw(8))).toBeNull()
    expect(open(key, 5, sealed.subarray(0, 15), ad)).toBeNull()
    expect(open(key, 5, new Uint8Array(0), ad)).toBeNull()
  })
})

describe('xseal', () => {
  // draft-irtf-cfrg-xchacha-03 appendix A.3.1.
  const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
  const nonce = hex('404142434445464748494a4b4c4d4e4f5051525354555657')
  const ad = hex('50515253c0c1c2c3c4c5c6c7')
  const plaintext = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  )
  const sealed = hex(`
    bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
    731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
    2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
    21f9664c97637da9768812f615c68b13b52e
    c0875924c1c7987947deafd8780acf49`)

  it('matches the draft', () => {
    expect(text(xseal(key, nonce, plaintext, ad))).toBe(text(sealed))
    expect(xopen(key, nonce, sealed, ad)).toEqual(plaintext)
  })

  it('opens nothing that was changed, or is too short for a tag', () => {
    const changed = sealed.slice()
    changed[3]! ^= 0x40
    expect(xopen(key, nonce, changed, ad)).toBeNull()
    expect(xopen(key, nonce, sealed, null)).toBeNull()
    expect(xopen(key, nonce, sealed.subarray(0, 15), ad)).toBeNull()
  })
})
