import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/crypto/sodium.ts'
import { clamp, dh, generate, publicKey } from '../../../src/crypto/x25519.ts'
import { hex, text } from '../../support/bytes.ts'
import { generator, seed } from '../../support/seed.ts'

beforeAll(() => ready())

const draw = generator(seed)
const random = (into: Uint8Array) => into.set(into.map(() => draw()))

/** u-coordinates of points whose order divides 8, and p and p + 1, which mean 0 and 1. curve25519's page lists them. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

describe('dh', () => {
  it.each([
    [
      'RFC 7748 §5.2, first',
      'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    ],
    [
      'RFC 7748 §5.2, second: the top bit of a public key is ignored',
      '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    ],
  ])('%s', (_name, key, point, secret) => {
    expect(text(dh(hex(key), hex(point))!)).toBe(secret)
  })

  it.each(LOW_ORDER)('refuses the point of low order %s, with its top bit set too', (point) => {
    const { private: key } = generate(random)
    const other = hex(point)
    expect(dh(key, other)).toBeNull()
    other[31]! |= 0x80
    expect(dh(key, other)).toBeNull()
  })

  it('is what OpenSSL computes', () => {
    for (let round = 0; round < 20; round++) {
      const a = generate(random)
      const b = generate(random)
      const der = (prefix: string, key: Uint8Array) => Buffer.concat([hex(prefix), key])
      const privateKey = createPrivateKey({
        key: der('302e020100300506032b656e04220420', a.private),
        format: 'der',
        type: 'pkcs8',
      })
      const peer = createPublicKey({ key: der('302a300506032b656e032100', b.public), format: 'der', type: 'spki' })
      expect(text(dh(a.private, b.public)!)).toBe(diffieHellman({ privateKey, publicKey: peer }).toString('hex'))
      expect(dh(b.private, a.public)).toEqual(dh(a.private, b.public))
    }
  })

  it('takes a key of a wrong length for our mistake', () => {
    expect(() => dh(new Uint8Array(32), new Uint8Array(31))).toThrow(TypeError)
  })
})

describe('publicKey', () => {
  it.each([
    [
      'Alice',
      '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
      '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
    ],
    [
      'Bob',
      '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    ],
  ])("RFC 7748 §6.1: %s's", (_name, key, point) => {
    expect(text(publicKey(hex(key)))).toBe(point)
  })
})

describe('clamp', () => {
  it('changes a private key to what it is used as, and not its public key', () => {
    const key = new Uint8Array(32).fill(0xff)
    const before = publicKey(key)
    clamp(key)
    expect(text(key)).toBe(`f8${'ff'.repeat(30)}7f`)
    expect(publicKey(key)).toEqual(before)
  })
})

describe('generate', () => {
  it('makes clamped keys of the bytes it is given', () => {
    const pair = generate((into) => into.fill(0))
    expect(text(pair.private)).toBe(`${'00'.repeat(31)}40`)
    expect(pair.public).toEqual(publicKey(pair.private))
  })
})
