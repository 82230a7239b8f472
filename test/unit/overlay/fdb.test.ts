import { describe, expect, test } from 'vitest'
import * as drop from '../../../src/drop.ts'
import { Fdb, KNOWN, LEARNED, MOVED, NEW, STATIC } from '../../../src/overlay/fdb.ts'

const SEED = 0x5eed1234
const HI = 0x0200

function filled(n: number, limit = n, ageing = 10, tick = 0): Fdb {
  const fdb = new Fdb(limit, ageing, SEED)
  for (let i = 0; i < n; i++) fdb.learn(HI, i, i & 1, tick)
  return fdb
}

function rows(fdb: Fdb, tick: number): number[][] {
  const found: number[][] = []
  fdb.each(tick, (...row) => found.push(row))
  return found.sort((a, b) => a[1]! - b[1]!)
}

describe('learning', () => {
  test('VX22 a station is found behind the VTEP that spoke for it last', () => {
    const fdb = new Fdb(16, 10, SEED)
    expect(fdb.find(HI, 1)).toBe(drop.NONE)
    expect(fdb.learn(HI, 1, 7, 0)).toBe(NEW)
    expect(fdb.learn(HI, 1, 7, 1)).toBe(KNOWN)
    expect(fdb.find(HI, 1)).toBe(7)
    expect(fdb.learn(HI, 1, 8, 2)).toBe(MOVED)
    expect(fdb.find(HI, 1)).toBe(8)
    expect(fdb.size).toBe(1)
  })

  test('MACs that differ in one bit are two stations', () => {
    const fdb = new Fdb(64, 0, SEED)
    for (let bit = 0; bit < 16; bit++) fdb.learn(1 << bit, 0, bit, 0)
    for (let bit = 0; bit < 32; bit++) fdb.learn(0, 1 << bit, 16 + bit, 0)
    for (let bit = 0; bit < 16; bit++) expect(fdb.find(1 << bit, 0)).toBe(bit)
    for (let bit = 0; bit < 32; bit++) expect(fdb.find(0, 1 << bit)).toBe(16 + bit)
    expect(fdb.find(0, 0)).toBe(drop.NONE)
  })

  test('at the limit a new station is refused, a known one may move', () => {
    const fdb = filled(16)
    expect(fdb.learn(HI, 99, 0, 0)).toBe(drop.MAC_LIMIT)
    expect(fdb.find(HI, 99)).toBe(drop.NONE)
    expect(fdb.learn(HI, 3, 5, 0)).toBe(MOVED)
    fdb.forget(HI, 4)
    expect(fdb.learn(HI, 99, 0, 0)).toBe(NEW)
    expect(fdb.size).toBe(16)
  })

  test('a limit of nothing learns nothing', () => {
    expect(new Fdb(0, 10, SEED).learn(HI, 1, 0, 0)).toBe(drop.MAC_LIMIT)
  })

  test('a full table of a large limit still finds all of it', () => {
    const fdb = filled(100_000)
    for (let i = 0; i < 100_000; i++) if (fdb.find(HI, i) !== (i & 1)) expect.fail(`lost station ${i}`)
    expect(fdb.size).toBe(100_000)
  })
})

describe('static entries', () => {
  test('hold against what is learned, and replace what was', () => {
    const fdb = new Fdb(16, 10, SEED)
    fdb.learn(HI, 1, 1, 0)
    fdb.put(HI, 1, 2, 0)
    expect(fdb.size).toBe(1)
    expect(fdb.learn(HI, 1, 1, 0)).toBe(drop.STATIC_MAC)
    expect(fdb.learn(HI, 1, 2, 0)).toBe(KNOWN)
    expect(fdb.find(HI, 1)).toBe(2)
    expect(rows(fdb, 0)[0]![3]).toBe(STATIC)
  })

  test('are not refused by the limit, however many there are', () => {
    const fdb = new Fdb(4, 10, SEED)
    for (let i = 0; i < 1000; i++) fdb.put(HI, i, i, 0)
    for (let i = 0; i < 1000; i++) expect(fdb.find(HI, i)).toBe(i)
    expect(fdb.learn(HI, 2000, 0, 0)).toBe(drop.MAC_LIMIT)
    fdb.expire(1000)
    expect(fdb.size).toBe(1000)
  })

  test('stay when a station of the same MAC speaks on our side, or learning is switched off', () => {
    const fdb = new Fdb(16, 10, SEED)
    fdb.put(HI, 1, 2, 0)
    fdb.learn(HI, 2, 2, 0)
    fdb.learn(HI, 3, 2, 0)
    fdb.forgetLearned(HI, 1)
    fdb.forgetLearned(HI, 2)
    fdb.forgetLearned(HI, 77)
    expect([1, 2, 3].map((lo) => fdb.find(HI, lo))).toEqual([2, drop.NONE, 2])
    fdb.forgetLearnedAll()
    expect([1, 2, 3].map((lo) => fdb.find(HI, lo))).toEqual([2, drop.NONE, drop.NONE])
  })
})

describe('ageing', () => {
  test('a station that is heard stays, one that is not goes after the ageing time and not before', () => {
    const fdb = filled(2, 16, 10, 0)
    fdb.learn(HI, 1, 1, 5)
    fdb.expire(9)
    expect(fdb.size).toBe(2)
    fdb.expire(10)
    expect(rows(fdb, 10)).toEqual([[HI, 1, 1, LEARNED, 500]])
    fdb.expire(15)
    expect(fdb.size).toBe(0)
  })

  test('what is overdue is not listed any more, swept or not', () => {
    const fdb = filled(3, 16, 10, 0)
    expect(rows(fdb, 9)).toHaveLength(3)
    expect(rows(fdb, 10)).toHaveLength(0)
    expect(fdb.find(HI, 1)).toBe(1)
  })

  test('0 means never', () => {
    const fdb = filled(3, 16, 0, 0)
    fdb.expire(2 ** 31 - 1)
    expect(rows(fdb, 2 ** 31 - 1)).toHaveLength(3)
  })

  test('goes on when the ticks go round', () => {
    const fdb = filled(1, 16, 10, 0x7ffffffe)
    fdb.expire(-0x80000000)
    expect(fdb.size).toBe(1)
    fdb.expire(-0x80000000 + 8)
    expect(fdb.size).toBe(0)
  })

  test('a table larger than one sweep is emptied by several', () => {
    const fdb = filled(100_000, 100_000, 10)
    fdb.expire(10)
    expect(fdb.size).toBeGreaterThan(0)
    for (let i = 0; i < 8; i++) fdb.expire(10)
    expect(fdb.size).toBe(0)
  })
})

describe('configuring', () => {
  test('a smaller limit keeps what is there and refuses what is new; a larger one has room', () => {
    const fdb = filled(100)
    fdb.configure(10, 10)
    expect(fdb.size).toBe(100)
    expect(fdb.learn(HI, 500, 0, 0)).toBe(drop.MAC_LIMIT)
    fdb.configure(10_000, 10)
    for (let i = 100; i < 10_000; i++) expect(fdb.learn(HI, i, i & 1, 0)).toBe(NEW)
    for (let i = 0; i < 10_000; i++) expect(fdb.find(HI, i)).toBe(i & 1)
  })

  test('a VTEP that goes takes its stations along and no others', () => {
    const fdb = filled(1000)
    fdb.put(HI, 5000, 1, 0)
    fdb.forgetVtep(1)
    expect(rows(fdb, 0).map((r) => r[1])).toEqual(Array.from({ length: 500 }, (_, i) => 2 * i))
    expect(fdb.size).toBe(500)
  })
})
