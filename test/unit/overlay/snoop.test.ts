import { describe, expect, test } from 'vitest'
import { LOCAL, Snoop, V4, V6 } from '../../../src/overlay/snoop.ts'

const GROUP: [number, number, number, number] = [0, 0, 0xffff, 0xef010101 | 0]
const OTHER: [number, number, number, number] = [0, 0, 0xffff, 0xef010102 | 0]
const GROUP6: [number, number, number, number] = [0xff050000 | 0, 0, 0, 0x42]
const FLOOD = Int32Array.of(1, 2, 3)
/** Ticks of 100 ms. */
const SEC = 10
const MEMBERSHIP = 260 * SEC
const QUERIER = 255 * SEC
/** Listeners. */
const A = 100
const B = 1000

const made = () => new Snoop(FLOOD, 7)
const to = (s: Snoop, group = GROUP) => [...s.receivers(...group)]
const ALL = [1, 2, 3]

test('what nobody listens to goes to all', () => {
  expect(to(made())).toEqual(ALL)
})

test('a group goes to those that listen, and no other group does', () => {
  const s = made()
  s.joined(...GROUP, 2, A, 0)
  expect([to(s), to(s, OTHER), to(s, GROUP6)]).toEqual([[2], ALL, ALL])
  s.joined(...GROUP, 3, B, 0)
  s.joined(...GROUP6, 1, A, 0)
  expect([to(s), to(s, OTHER), to(s, GROUP6)]).toEqual([[2, 3], ALL, [1]])
  expect(s.size).toBe(2)
})

test('who is not flooded to does not listen', () => {
  const s = made()
  s.joined(...GROUP, 9, A, 0)
  expect(to(s)).toEqual(ALL)
})

describe('leaving, without a querier', () => {
  test('the last listener behind a VTEP ends it at once, and the last of all ends the group', () => {
    const s = made()
    s.joined(...GROUP, 2, A, 0)
    s.joined(...GROUP, 2, B, 0)
    s.joined(...GROUP, 3, A, 0)
    s.left(...GROUP, 2, A, 5)
    expect(to(s)).toEqual([2, 3])
    s.left(...GROUP, 2, B, 5)
    expect(to(s)).toEqual([3])
    s.left(...GROUP, 3, A, 5)
    expect(to(s)).toEqual(ALL)
    expect(s.size).toBe(0)
  })

  test('who never joined cannot leave', () => {
    const s = made()
    s.joined(...GROUP, 2, A, 0)
    s.left(...GROUP, 2, B, 5)
    s.left(...GROUP, 3, A, 5)
    s.left(...OTHER, 2, A, 5)
    expect(to(s)).toEqual([2])
  })

  test('of more listeners than are remembered none is taken at its word', () => {
    const s = made()
    for (let k = 0; k < 65; k++) s.joined(...GROUP, 2, A + k, 0)
    for (let k = 0; k < 65; k++) s.left(...GROUP, 2, A + k, 1)
    expect(to(s)).toEqual([2])
  })
})

describe('with a querier', () => {
  const asked = () => {
    const s = made()
    s.query(V4, LOCAL, 0, true, 0)
    return s
  }

  test('the others have three seconds to answer after the last known listener has left', () => {
    const s = asked()
    s.joined(...GROUP, 2, A, 0)
    s.joined(...GROUP, 3, A, 0)
    s.left(...GROUP, 2, A, 10)
    s.expire(39)
    expect(to(s)).toEqual([2, 3])
    s.expire(40)
    expect(to(s)).toEqual([3])
  })

  test('one that answers keeps it', () => {
    const s = asked()
    s.joined(...GROUP, 2, A, 0)
    s.left(...GROUP, 2, A, 10)
    s.joined(...GROUP, 2, B, 25)
    s.expire(100)
    expect(to(s)).toEqual([2])
  })

  test('a VTEP that does not answer for 260 s is forgotten; the others stay', () => {
    const s = asked()
    s.joined(...GROUP, 2, A, 0)
    s.joined(...GROUP, 3, A, 0)
    for (let at = 0; at <= MEMBERSHIP; at += 125 * SEC) {
      s.query(V4, LOCAL, 0, true, at)
      s.joined(...GROUP, 3, A, at)
      s.expire(at)
    }
    expect(to(s)).toEqual([2, 3])
    s.expire(MEMBERSHIP)
    expect(to(s)).toEqual([3])
  })

  test('a slower querier is waited for as long as it says, a faster one no shorter than 260 s', () => {
    const slow = made()
    slow.query(V4, LOCAL, 610, true, 0)
    slow.joined(...GROUP, 2, A, 0)
    slow.query(V4, LOCAL, 610, true, 500 * SEC)
    slow.expire(609 * SEC)
    expect(to(slow)).toEqual([2])
    slow.expire(610 * SEC)
    expect(to(slow)).toEqual(ALL)
    const fast = made()
    fast.query(V4, LOCAL, 5, true, 0)
    fast.joined(...GROUP, 2, A, 0)
    fast.expire(200 * SEC)
    expect(to(fast)).toEqual([2])
  })
})

describe('without a querier', () => {
  test('a VTEP stays while anybody reports the group, and all of it is forgotten when nobody has for 260 s', () => {
    const s = made()
    s.joined(...GROUP, 2, A, 0)
    s.joined(...GROUP, 3, A, 200 * SEC)
    s.expire(300 * SEC)
    expect(to(s)).toEqual([2, 3])
    s.expire(460 * SEC)
    expect(to(s)).toEqual(ALL)
  })

  test('one that falls silent is none after 255 s', () => {
    const s = made()
    s.query(V4, LOCAL, 0, true, 0)
    expect(s.withholds(V4, 1)).toBe(false)
    s.query(V4, 1, 0, true, 0)
    s.expire(QUERIER)
    s.joined(...GROUP, 2, A, QUERIER)
    s.left(...GROUP, 2, A, QUERIER)
    expect(to(s)).toEqual(ALL)
  })
})

describe('routers', () => {
  test('get every group that somebody listens to, of their family', () => {
    const s = made()
    s.joined(...GROUP, 2, A, 0)
    s.joined(...GROUP6, 2, A, 0)
    s.query(V4, 1, 0, true, 0)
    expect([to(s), to(s, GROUP6)]).toEqual([[1, 2], [2]])
    s.router(V6, 3, 0)
    expect([to(s), to(s, GROUP6)]).toEqual([
      [1, 2],
      [2, 3],
    ])
    s.router(V6, 3, 100)
    s.expire(QUERIER)
    expect([to(s), to(s, GROUP6)]).toEqual([[2], [2, 3]])
  })

  test('are not where a query comes from nowhere (RFC 4541 §2.1.1)', () => {
    const s = made()
    s.joined(...GROUP, 2, A, 0)
    s.query(V4, 1, 0, false, 0)
    expect(to(s)).toEqual([2])
  })

  test('reports are kept from our side when a querier asks and no router is there', () => {
    const s = made()
    expect(s.withholds(V4, 0)).toBe(false)
    s.query(V4, 1, 0, true, 0)
    expect([s.withholds(V4, 1), s.withholds(V6, 1)]).toEqual([true, false])
    s.router(V4, LOCAL, 1)
    expect(s.withholds(V4, 2)).toBe(false)
  })
})

test('a peer that goes is forgotten, and one that comes gets what is flooded', () => {
  const s = made()
  s.joined(...GROUP, 2, A, 0)
  s.joined(...OTHER, 1, A, 0)
  s.query(V4, 3, 0, true, 0)
  s.setFlood(Int32Array.of(1, 4))
  expect([to(s), to(s, OTHER), to(s, GROUP6)]).toEqual([[1, 4], [1], [1, 4]])
  expect(s.size).toBe(1)
})

test('no more than 4096 groups are remembered, and the others are flooded', () => {
  const s = made()
  for (let k = 0; k < 4100; k++) s.joined(0, 0, 0xffff, 0xef020000 | k | 0, 2, A, 0)
  expect(s.size).toBe(4096)
  expect([to(s, [0, 0, 0xffff, 0xef020000 | 4095 | 0]), to(s, [0, 0, 0xffff, 0xef020000 | 4096 | 0])]).toEqual([
    [2],
    ALL,
  ])
  for (let k = 0; k < 4100; k += 2) s.left(0, 0, 0xffff, 0xef020000 | k | 0, 2, A, 1)
  expect(s.size).toBe(2048)
  for (let k = 0; k < 4096; k++) {
    expect(to(s, [0, 0, 0xffff, 0xef020000 | k | 0])).toEqual(k % 2 === 0 ? ALL : [2])
  }
})
