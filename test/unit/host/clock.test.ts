import { describe, expect, it } from 'vitest'
import { now } from '../../../src/host/clock.ts'

describe('now', () => {
  it('is the monotonic clock in whole milliseconds', () => {
    const before = process.hrtime.bigint() / 1_000_000n
    const read = now()
    const after = process.hrtime.bigint() / 1_000_000n
    expect(Number.isInteger(read)).toBe(true)
    expect(BigInt(read) >= before && BigInt(read) <= after).toBe(true)
  })
})
