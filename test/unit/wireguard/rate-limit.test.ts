import { describe, expect, it } from 'vitest'
import { CAPACITY, RateLimit } from '../../../src/wireguard/rate-limit.ts'
import { sockaddr } from '../../support/keys.ts'

const v4 = (n: number, port = 1000) => sockaddr([10, (n >> 16) & 255, (n >> 8) & 255, n & 255], port)
const v6 = (network: number, host: number) =>
  sockaddr([0x20, 1, 0xd, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host], 1000)

describe("the kernel's table", () => {
  // drivers/net/wireguard/selftest/ratelimiter.c: ms to wait before, and the answer.
  const steps: [number, boolean][] = [
    [0, true],
    [0, true],
    [0, true],
    [0, true],
    [0, true],
    [0, false],
    [50, true],
    [0, false],
    [100, true],
    [0, true],
    [0, false],
  ]

  it.each([
    ['IPv4', (i: number) => v4(8182, i), (i: number) => v4(8183 + i)],
    ['IPv6 by /64', (i: number) => v6(1, i), (i: number) => v6(2 + i, 1)],
  ])('%s, while other sources go free', (_name, same, other) => {
    const limit = new RateLimit()
    let now = 1e6
    for (const [i, [wait, allowed]] of steps.entries()) {
      now += wait
      expect(limit.allow(same(i), now), `step ${i}`).toBe(allowed)
      expect(limit.allow(other(i), now), `other source, step ${i}`).toBe(true)
    }
  })
})

describe('a source', () => {
  it('is the same by IPv4 and by its IPv6 form', () => {
    const limit = new RateLimit()
    const mapped = sockaddr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1], 7)
    for (let i = 0; i < 5; i++) expect(limit.allow(mapped, 0)).toBe(true)
    expect(limit.allow(v4(1), 0)).toBe(false)
    expect(limit.allow(v4(2), 0)).toBe(true)
  })

  it.each([250, 999, 3600_000])('has no more than 5 at once after %d ms of silence', (wait) => {
    const limit = new RateLimit()
    for (let i = 0; i < 5; i++) limit.allow(v4(1), 5000)
    for (let i = 0; i < 5; i++) expect(limit.allow(v4(1), 5000 + wait)).toBe(true)
    expect(limit.allow(v4(1), 5000 + wait)).toBe(false)
  })

  it('is forgotten after a second, and not before', () => {
    const limit = new RateLimit()
    limit.allow(v4(1), 5000)
    limit.allow(v4(2), 5999)
    expect(limit.size).toBe(2)
    limit.allow(v4(2), 6000)
    expect(limit.size).toBe(1)
  })

  it('that is one too many is refused until others are forgotten', () => {
    const limit = new RateLimit()
    for (let n = 0; n < CAPACITY; n++) limit.allow(v4(n), 5000)
    expect(limit.allow(v4(CAPACITY), 5000)).toBe(false)
    expect(limit.allow(v4(0), 5000)).toBe(true)
    expect(limit.allow(v4(CAPACITY), 6000)).toBe(true)
    expect(limit.size).toBe(1)
  })
})
