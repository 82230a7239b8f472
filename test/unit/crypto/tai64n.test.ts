import { describe, expect, it } from 'vitest'
import { compare, encode, next } from '../../../src/crypto/tai64n.ts'
import { hex, text } from '../../support/bytes.ts'
import { generator, seed } from '../../support/seed.ts'

/** 2^24 ns: what timestamps are rounded down to. */
const STEP_MS = 2 ** 24 / 1e6

describe('encode', () => {
  it.each([
    ['the Unix epoch', 0, '400000000000000a 00000000'],
    ['16 ms later, still the same', 16, '400000000000000a 00000000'],
    ['17 ms later: 2^24 ns', 17, '400000000000000a 01000000'],
    ['the last step of a second', 999.999, '400000000000000a 3b000000'],
    ['the next second', 1000, '400000000000000b 00000000'],
    ['2024-01-01T00:00:00Z', 1_704_067_200_000, '400000006592008a 00000000'],
    ['the last second of 32 bits', (2 ** 32 - 11) * 1000, '40000000ffffffff 00000000'],
    ['the first beyond', (2 ** 32 - 10) * 1000, '4000000100000000 00000000'],
  ])('%s', (_name, wallMs, stamp) => {
    expect(text(encode(wallMs))).toBe(text(hex(stamp)))
  })
})

describe('next', () => {
  it('is the clock where that is later than the last one', () => {
    expect(next(5000, encode(4000))).toEqual(encode(5000))
    expect(next(5000, new Uint8Array(12))).toEqual(encode(5000))
  })

  it('is one step later than the last one where the clock stands still or was set back', () => {
    const last = encode(1_704_067_200_000)
    expect(text(next(1_704_067_200_000, last))).toBe('400000006592008a01000000')
    expect(text(next(0, last))).toBe('400000006592008a01000000')
  })

  it('carries into the seconds', () => {
    expect(text(next(0, hex('40000000ffffffff 3b000000')))).toBe('400000010000000000000000')
  })

  it('only ever grows, and is whitened, whatever the clock does', () => {
    const random = generator(seed)
    let clock = 1_700_000_000_000
    let last = encode(clock)
    for (let i = 0; i < 2_000; i++) {
      clock += (random() % 2000) - 1000 + (random() % 1000) / 1000
      const stamp = next(clock, last)
      expect(compare(stamp, last)).toBeGreaterThan(0)
      const nanoseconds = Buffer.from(stamp).readUInt32BE(8)
      expect(nanoseconds % 2 ** 24).toBe(0)
      expect(nanoseconds).toBeLessThan(1e9)
      last = stamp
    }
  })

  it('runs ahead of a clock that stands still by one step a call', () => {
    let last = encode(0)
    for (let i = 0; i < 100; i++) last = next(0, last)
    // A second holds 60 steps: 0 .. 59 · 2^24 ns.
    expect(compare(last, encode(100 * STEP_MS))).toBeLessThanOrEqual(0)
    expect(compare(last, encode(98 * STEP_MS))).toBeGreaterThan(0)
  })
})

describe('compare', () => {
  it.each([
    ['400000000000000a 00000000', '400000000000000a 00000000', 0],
    ['400000000000000a 01000000', '400000000000000a 00000000', 1],
    ['400000000000000a ff000000', '400000000000000b 00000000', -1],
    ['ff00000000000000 00000000', '4000000000000000 00000000', 1],
  ])('%s against %s', (a, b, sign) => {
    expect(Math.sign(compare(hex(a), hex(b)))).toBe(sign)
  })
})
