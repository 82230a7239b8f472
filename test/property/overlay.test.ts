// The overlay's tables against slow twins that are obviously right: any order of calls, the same answers.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONE } from '../../src/drop.ts'
import { Fdb } from '../../src/overlay/fdb.ts'
import { type Prefix, Routes } from '../../src/overlay/routes.ts'
import { Vteps } from '../../src/overlay/vteps.ts'
import { key, SlowFdb } from '../support/reference/fdb.ts'
import { slowFind } from '../support/reference/routes.ts'
import { seed } from '../support/seed.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('fdb', () => {
  // Few enough MACs to meet again, enough to fill the smallest table to its limit and beyond.
  const station = (n: number) => ({
    hi: [0, 0x0200, 0xffff][n % 3]!,
    lo: n < 30 ? n - 2 : Math.imul(n, 0x9e3779b1),
  })
  const mac = fc.nat(59).map(station)
  const vtep = fc.nat(3)
  const call = fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('learn' as const), mac, vtep }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('put' as const), mac, vtep }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('forget' as const), mac }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('forgetLearned' as const), mac }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgetVtep' as const), vtep }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgetLearnedAll' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ticks: fc.nat(8) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('configure' as const), limit: fc.nat(80), ageing: fc.nat(12) }),
    },
  )

  test('answers like a Map, whatever the calls', () => {
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 250, size: 'max' }),
        fc.record({ limit: fc.integer({ min: 0, max: 32 }), ageing: fc.nat(12), seed: word, start: word }),
        (calls, o) => {
          const fast = new Fdb(o.limit, o.ageing, o.seed)
          const slow = new SlowFdb(o.limit, o.ageing)
          // Ticks are int32 and go round.
          let now = o.start
          let slowNow = 0
          for (const c of calls) {
            if (c.kind === 'learn') {
              const { hi, lo } = c.mac
              expect(fast.learn(hi, lo, c.vtep, now)).toBe(slow.learn(hi, lo, c.vtep, slowNow))
            } else if (c.kind === 'put') {
              fast.put(c.mac.hi, c.mac.lo, c.vtep, now)
              slow.put(c.mac.hi, c.mac.lo, c.vtep, slowNow)
            } else if (c.kind === 'forget') {
              expect(fast.forget(c.mac.hi, c.mac.lo)).toBe(slow.forget(c.mac.hi, c.mac.lo))
            } else if (c.kind === 'forgetLearned') {
              fast.forgetLearned(c.mac.hi, c.mac.lo)
              slow.forgetLearned(c.mac.hi, c.mac.lo)
            } else if (c.kind === 'forgetVtep') {
              fast.forgetVtep(c.vtep)
              slow.forgetVtep(c.vtep)
            } else if (c.kind === 'forgetLearnedAll') {
              fast.forgetLearnedAll()
              slow.forgetLearnedAll()
            } else if (c.kind === 'configure') {
              fast.configure(c.limit, c.ageing)
              Object.assign(slow, { limit: c.limit, ageing: c.ageing })
            } else if (c.kind === 'wait') {
              now = (now + c.ticks) | 0
              slowNow += c.ticks
            } else {
              // A sweep looks at a removal's slot again; two are sure to have looked at all of a small table.
              fast.expire(now)
              fast.expire(now)
              slow.expire(slowNow)
            }
            expect(fast.size).toBe(slow.entries.size)
          }
          for (let n = 0; n < 60; n++) {
            const { hi, lo } = station(n)
            expect(fast.find(hi, lo)).toBe(slow.find(hi, lo))
          }
          const rows: string[] = []
          fast.each(now, (hi, lo, v, origin, age) => rows.push(`${key(hi, lo)} ${v} ${origin} ${age}`))
          expect(rows.sort()).toEqual(slow.list(slowNow))
        },
      ),
      { seed, numRuns: 300 },
    )
  })
})

describe('routes', () => {
  const prefix: fc.Arbitrary<Prefix> = fc
    .record({
      v6: fc.boolean(),
      length: fc.nat(128),
      words: fc.array(fc.constantFrom(0, -1, 1, 0x0a2a0000), { minLength: 4, maxLength: 4 }),
    })
    .map(({ v6, length, words }) => {
      const n = v6 ? length : length % 33
      const cut = words.map((w, k) => {
        const left = n - k * 32
        return left >= 32 ? w : left <= 0 || (k > 0 && !v6) ? 0 : w & (-1 << (32 - left))
      })
      return { v6, length: n, words: cut }
    })
  const address = fc.array(fc.oneof(word, fc.constantFrom(0, -1, 1, 0x0a2a0000, 0x0a2a0001)), {
    minLength: 4,
    maxLength: 4,
  })

  const change = fc.record({ put: fc.boolean(), prefix, vtep: fc.nat(3) })

  test('finds what a linear scan over bits finds, however prefixes came, moved and went', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 60, size: 'max' }), { minLength: 1, maxLength: 3 }),
        fc.array(address, { minLength: 20, maxLength: 40, size: 'max' }),
        word,
        (rounds, addresses, tableSeed) => {
          const routes = new Routes(tableSeed)
          const slow = new Map<string, { prefix: Prefix; vtep: number }>()
          for (const changes of rounds) {
            for (const { put, prefix: p, vtep } of changes) {
              const at = `${p.v6} ${p.length} ${p.words.join()}`
              if (put) routes.put(p, vtep)
              else routes.remove(p, vtep)
              if (put) slow.set(at, { prefix: p, vtep })
              else if (slow.get(at)?.vtep === vtep) slow.delete(at)
            }
            expect(routes.size).toBe(slow.size)
            const entries = [...slow.values()]
            for (const w of [...addresses, ...changes.map((c) => c.prefix.words)]) {
              const [a, b, c, d] = w as [number, number, number, number]
              expect(routes.find4(a)).toBe(slowFind(entries, [a], false))
              expect(routes.find6(a, b, c, d)).toBe(slowFind(entries, w, true))
            }
          }
        },
      ),
      { seed, numRuns: 100 },
    )
  })
})

describe('vteps', () => {
  const where = fc.tuple(
    fc.nat(2),
    fc.constantFrom(0, 0x20010db8),
    fc.constant(0),
    fc.constantFrom(0, 0xffff),
    fc.nat(6),
  )
  const call = fc.record({
    kind: fc.constantFrom('add', 'add', 'add', 'remove', 'remove', 'stranger'),
    where,
    stranger: fc.boolean(),
  })

  test('hands out ids like a Map, each to one address of one network', () => {
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 200, size: 'max' }),
        fc.integer({ min: 1, max: 40 }),
        word,
        (calls, capacity, tableSeed) => {
          const fast = new Vteps(capacity, tableSeed)
          const slow = new Map<string, { id: number; stranger: boolean }>()
          for (const { kind, where: at, stranger } of calls) {
            const had = slow.get(at.join())
            expect(fast.find(...at)).toBe(had?.id ?? NONE)
            if (kind === 'add') {
              const id = fast.add(...at, stranger)
              if (had) expect(id).toBe(had.id)
              else if (slow.size === capacity) expect(id).toBe(NONE)
              else {
                expect([...slow.values()].some((v) => v.id === id)).toBe(false)
                slow.set(at.join(), { id, stranger })
              }
            } else if (had && kind === 'remove') {
              fast.remove(had.id)
              slow.delete(at.join())
            } else if (had) {
              fast.setStranger(had.id, stranger)
              had.stranger = stranger
            }
            expect(fast.strangers).toBe([...slow.values()].filter((v) => v.stranger).length)
          }
          for (const [text, { id, stranger }] of slow) {
            expect([fast.network[id], ...fast.words.subarray(id * 4, id * 4 + 4)].join()).toBe(text)
            expect(fast.stranger[id]).toBe(stranger ? 1 : 0)
            const [network, a, b, c, d] = text.split(',').map(Number) as [number, number, number, number, number]
            expect(fast.find(network, a, b, c, d)).toBe(id)
          }
        },
      ),
      { seed, numRuns: 300 },
    )
  })
})
