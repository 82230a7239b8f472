// WireGuard's tables and codec against slow twins that are obviously right.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as wireguard from '../../src/wire/wireguard.ts'
import { Replay, WINDOW } from '../../src/wireguard/replay.ts'
import { Session } from '../../src/wireguard/session.ts'
import { SessionTable } from '../../src/wireguard/session-table.ts'
import { place, untouched } from '../support/bytes.ts'
import { SlowReplay } from '../support/reference/replay.ts'
import { seed } from '../support/seed.ts'

const u32 = fc.nat(2 ** 32 - 1)
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('replay', () => {
  // Steps from the last counter: mostly near, at times around the window's edges, at times far.
  const edge = fc.constantFrom(32, 64, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + 32, 8160, 8191, 8192, 8193)
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -40, max: 60 }) },
    { weight: 3, arbitrary: edge },
    { weight: 3, arbitrary: edge.map((n) => -n) },
    { weight: 1, arbitrary: fc.nat(2 ** 40) },
  )
  const start = fc.oneof(fc.constant(0), fc.nat(20_000), fc.integer({ min: 2 ** 31 - 9000, max: 2 ** 32 + 9000 }))

  test('answers like a set that forgets nothing', () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 300, size: 'max' }), (first, steps) => {
        const fast = new Replay()
        const slow = new SlowReplay()
        let counter = first
        for (const n of steps) {
          expect(fast.accept(counter), `${counter}`).toBe(slow.accept(counter))
          counter = Math.max(0, counter + n)
        }
      }),
      { seed, numRuns: 300 },
    )
  })
})

describe('session table', () => {
  const call = fc.record({ put: fc.boolean(), at: fc.nat(200) })

  test('answers like a Map, whatever comes and goes', () => {
    fc.assert(
      fc.property(
        fc.array(u32, { minLength: 1, maxLength: 200 }),
        fc.array(call, { maxLength: 600, size: 'max' }),
        word,
        (keys, calls, salt) => {
          const table = new SessionTable(salt)
          const slow = new Map<number, Session>()
          for (const c of calls) {
            const local = keys[c.at % keys.length]!
            const known = slow.get(local)
            if (c.put && known === undefined) {
              const made = new Session(0, 0, {
                local,
                remote: 1,
                initiator: true,
                sendKey: 1,
                receiveKey: 2,
                rekeyAfter: 0,
              })
              table.put(made)
              slow.set(local, made)
            } else if (!c.put && known !== undefined) {
              table.remove(known)
              slow.delete(local)
            }
            expect(table.size).toBe(slow.size)
            expect(table.find(local)).toBe(slow.get(local))
          }
          for (const key of keys) expect(table.find(key)).toBe(slow.get(key))
        },
      ),
      { seed, numRuns: 200 },
    )
  })
})

describe('codec', () => {
  test('a transport header reads as it was written', () => {
    fc.assert(
      fc.property(u32, fc.maxSafeNat(), (receiver, counter) => {
        const { buf, off, end } = place(new Uint8Array(32).fill(0xa5))
        wireguard.writeTransport(buf, off, receiver, counter)
        expect(wireguard.check(buf, off, end)).toBe(wireguard.TRANSPORT)
        expect(wireguard.receiver(buf, off)).toBe(receiver)
        expect(wireguard.counter(buf, off)).toBe(counter)
        expect(untouched(buf, off, end)).toBe(true)
      }),
      { seed },
    )
  })

  test('any bytes: what is read depends on nothing outside', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(
          fc.constantFrom(1, 2, 3, 4),
          fc.constantFrom(32, 64, 92, 148, 200),
          fc.uint8Array({ minLength: 200, maxLength: 200 }),
        )
        .map(([type, length, rest]) => {
          rest.set([type, 0, 0, 0])
          return rest.subarray(0, length)
        }),
    )
    const read = (buf: Uint8Array, off: number, end: number) => {
      const type = wireguard.check(buf, off, end)
      if (type === wireguard.TRANSPORT) return [type, wireguard.receiver(buf, off), wireguard.counter(buf, off)]
      if (type === wireguard.RESPONSE) return [type, wireguard.sender(buf, off), wireguard.responseReceiver(buf, off)]
      if (type === wireguard.INITIATION) return [type, wireguard.sender(buf, off)]
      return type === wireguard.COOKIE_REPLY ? [type, wireguard.receiver(buf, off)] : [type]
    }
    fc.assert(
      fc.property(bytes, (b) => {
        const one = place(b, 0x00)
        const two = place(b, 0xff)
        expect(read(two.buf, two.off, two.end)).toEqual(read(one.buf, one.off, one.end))
      }),
      { seed, numRuns: 2000 },
    )
  })
})
