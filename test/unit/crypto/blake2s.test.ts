import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { equal, hash, hmac, mac } from '../../../src/crypto/blake2s.ts'
import { hex, text } from '../../support/bytes.ts'
import { generator, seed } from '../../support/seed.ts'

const upTo = (n: number) => Uint8Array.from({ length: n }, (_, i) => i & 255)

describe('hash', () => {
  it.each([
    ['nothing', '', '69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9'],
    ['RFC 7693 appendix B: abc', '616263', '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982'],
  ])('%s', (_name, input, digest) => {
    expect(text(hash(hex(input)))).toBe(digest)
  })

  it('is what OpenSSL computes, in whatever parts the input comes', () => {
    const random = generator(seed)
    for (let round = 0; round < 200; round++) {
      const input = Uint8Array.from({ length: random() % 300 }, () => random())
      const cut = input.length === 0 ? 0 : random() % input.length
      const expected = createHash('blake2s256').update(input).digest('hex')
      expect(text(hash(input.subarray(0, cut), input.subarray(cut)))).toBe(expected)
    }
  })
})

describe('hmac', () => {
  it('is what OpenSSL computes, for keys shorter and longer than a block', () => {
    const random = generator(seed ^ 1)
    for (let round = 0; round < 200; round++) {
      const key = Uint8Array.from({ length: random() % 100 }, () => random())
      const input = Uint8Array.from({ length: random() % 300 }, () => random())
      expect(text(hmac(key, input))).toBe(createHmac('blake2s256', key).update(input).digest('hex'))
    }
  })
})

describe('mac', () => {
  // Python's hashlib.blake2s (the reference implementation): digest_size=16, key and input counting up from 0.
  it.each([
    [16, 0, 'af4e5d3bb230e9ff9096ca6f7c501f76'],
    [32, 116, '072e94ffbfc684bd8ab2a1b9dade2fd5'],
    [32, 132, '6d19534b4c332741c8ddd79a9644de2d'],
  ])('with a key of %d bytes over %d bytes', (keyLength, length, digest) => {
    expect(text(mac(upTo(keyLength), upTo(length)))).toBe(digest)
  })

  it('is no shortened hash: its length is an input', () => {
    expect(text(hash(upTo(32)).subarray(0, 16))).not.toBe(text(mac(upTo(32), upTo(32))))
  })
})

describe('equal', () => {
  it.each([
    ['00010203', '00010203', true],
    ['00010203', '00010202', false],
    ['80010203', '00010203', false],
    ['000102', '00010203', false],
    ['', '', true],
  ])('%s and %s: %s', (a, b, same) => {
    expect(equal(hex(a), hex(b))).toBe(same)
  })
})
