// The tables of a quiet layer 2 network against slow twins that are obviously right: any order of calls, the same answers.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONE } from '../../src/drop.ts'
import { CONTROL, LOCAL, Neighbours, OVERRIDE, STATIC, UNTOLD } from '../../src/overlay/neighbours.ts'
import { Snoop, V4 } from '../../src/overlay/snoop.ts'
import { SlowNeighbours } from '../support/reference/neighbours.ts'
import { SlowSnoop } from '../support/reference/snoop.ts'
import { seed } from '../support/seed.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

test('neighbours answers like a Map, whatever the calls', () => {
  // Few enough to meet again, enough to fill the smallest table to its limit.
  const ip = fc.nat(39)
  const words = (n: number): [number, number, number, number] =>
    n % 2 ? [0, 0, 0xffff, Math.imul(n, 0x9e3779b1)] : [0xfd000042 | 0, 0, 0, n]
  const mac = fc.nat(3)
  const vtep = fc.constantFrom(LOCAL, 0, 1, 2)
  const flags = fc.constantFrom(UNTOLD, 0, OVERRIDE, 0x80, 0x80 | OVERRIDE)
  const call = fc.oneof(
    { weight: 14, arbitrary: fc.record({ kind: fc.constant('claim' as const), ip, mac, vtep, flags }) },
    {
      weight: 2,
      arbitrary: fc.record({
        ...{ kind: fc.constant('put' as const), ip, mac, vtep: fc.nat(2) },
        origin: fc.constantFrom(CONTROL, STATIC),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('doubt' as const), ip, mac }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('asked' as const), ip }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgetVtep' as const), vtep }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('forgetOrigin' as const), origin: fc.constantFrom(CONTROL, STATIC) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('wait' as const), ticks: fc.oneof(fc.nat(50), fc.nat(2000)) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...{ kind: fc.constant('configure' as const), limit: fc.nat(60) },
        ageing: fc.integer({ min: 1, max: 3000 }),
      }),
    },
  )
  const numbers = (n: number): [number, number] => [0x0200, n - 2]
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 250, size: 'max' }),
      fc.record({ limit: fc.nat(32), ageing: fc.integer({ min: 1, max: 3000 }), seed: word, start: word }),
      (calls, o) => {
        const fast = new Neighbours(o.limit, o.ageing, o.seed)
        const slow = new SlowNeighbours(o.limit, o.ageing)
        // Ticks are int32 and go round.
        let now = o.start
        let slowNow = 0
        for (const c of calls) {
          if (c.kind === 'claim') {
            fast.claim(...words(c.ip), ...numbers(c.mac), c.vtep, c.flags, now)
            slow.claim(String(c.ip), String(c.mac), c.vtep, c.flags, slowNow)
          } else if (c.kind === 'put') {
            fast.put(words(c.ip), ...numbers(c.mac), c.vtep, OVERRIDE, c.origin)
            slow.put(String(c.ip), String(c.mac), c.vtep, OVERRIDE, c.origin)
          } else if (c.kind === 'doubt') {
            fast.doubt(...words(c.ip), ...numbers(c.mac))
            slow.doubt(String(c.ip), String(c.mac))
          } else if (c.kind === 'asked') {
            fast.asked(...words(c.ip), now)
            slow.asked(String(c.ip))
          } else if (c.kind === 'forgetVtep') {
            fast.forgetVtep(c.vtep)
            slow.forgetVtep(c.vtep)
          } else if (c.kind === 'forgetOrigin') {
            fast.forgetOrigin(c.origin)
            slow.forgetOrigin(c.origin)
          } else if (c.kind === 'expire') {
            // Twice, since a sweep leaves what removal has moved over the table's end for the next one.
            fast.expire(now)
            fast.expire(now)
            slow.expire(slowNow)
          } else if (c.kind === 'configure') {
            fast.configure(c.limit, c.ageing)
            slow.configure(c.limit, c.ageing)
          } else {
            now = (now + c.ticks) | 0
            slowNow += c.ticks
          }
          expect(fast.size).toBe(slow.size)
          for (let n = 0; n < 40; n++) {
            const at = fast.owner(...words(n), now)
            const want = slow.owner(String(n), slowNow)
            const got =
              at === NONE ? null : { mac: String(fast.lo(at) + 2), vtep: fast.vtep(at), flags: fast.flags(at) }
            expect(got).toEqual(want)
          }
        }
      },
    ),
    { seed, numRuns: 30 },
  )
})

describe('snoop', () => {
  test('sends a group where a list of what was heard says, whatever the calls', () => {
    const group = fc.nat(11)
    const words = (n: number): [number, number, number, number] => [0, 0, 0xffff, 0xef000000 | Math.imul(n, 7919) | 0]
    const vtep = fc.nat(4)
    const listener = fc.nat(2)
    const call = fc.oneof(
      { weight: 10, arbitrary: fc.record({ kind: fc.constant('joined' as const), group, vtep, listener }) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('left' as const), group, vtep, listener }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('query' as const), vtep: fc.integer({ min: -1, max: 3 }) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('flood' as const), vteps: fc.subarray([0, 1, 2, 3]) }) },
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), ticks: fc.oneof(fc.nat(40), fc.nat(2000)) }),
      },
    )
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200, size: 'max' }), word, word, (calls, tableSeed, start) => {
        const fast = new Snoop(Int32Array.of(0, 1, 2, 3), tableSeed)
        const slow = new SlowSnoop([0, 1, 2, 3])
        let now = start
        let slowNow = 0
        for (const c of calls) {
          if (c.kind === 'joined') {
            fast.joined(...words(c.group), c.vtep, c.listener, now)
            slow.joined(String(c.group), c.vtep, c.listener, slowNow)
          } else if (c.kind === 'left') {
            fast.left(...words(c.group), c.vtep, c.listener, now)
            slow.left(String(c.group), c.vtep, c.listener, slowNow)
          } else if (c.kind === 'query') {
            fast.query(V4, c.vtep, 0, true, now)
            slow.query(c.vtep, slowNow)
          } else if (c.kind === 'expire') {
            fast.expire(now)
            slow.expire(slowNow)
          } else if (c.kind === 'flood') {
            fast.setFlood(Int32Array.from(c.vteps))
            slow.setFlood(c.vteps)
          } else {
            now = (now + c.ticks) | 0
            slowNow += c.ticks
          }
          for (let n = 0; n < 12; n++) expect([...fast.receivers(...words(n))]).toEqual(slow.receivers(String(n)))
        }
      }),
      { seed, numRuns: 60 },
    )
  })
})
