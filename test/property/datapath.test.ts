// A storm of bytes against both walks: nothing throws, and every packet is counted exactly once as sent or as dropped.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ANY } from '../../src/overlay/networks.ts'
import { hex } from '../support/bytes.ts'
import { frames } from '../support/packets.ts'
import { seed } from '../support/seed.ts'
import { type Frame, far, Vtep, type Wire } from '../support/vtep.ts'

const PEERS = ['198.18.0.2', '198.18.0.3', 'fd00::2']
const ALL = Object.values(frames)

/** A good frame with some bytes changed and perhaps cut, or bytes of no meaning. */
const bytes = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        base: fc.constantFrom(...ALL),
        changes: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
        cut: fc.option(fc.nat(80), { freq: 4, nil: undefined }),
      })
      .map(({ base, changes, cut }) => {
        const copy = base.slice(0, cut ?? base.length)
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        return copy
      }),
  },
)

const settings = fc.record({
  learning: fc.boolean(),
  macLimit: fc.nat(3),
  floodOn: fc.boolean(),
  keepVlan: fc.boolean(),
  copyEcn: fc.boolean(),
  sourceCheck: fc.boolean(),
  mssClamp: fc.boolean(),
  hashPort: fc.boolean(),
  dscp: fc.constantFrom(-1, 0, 0xb8),
  accept: fc.constantFrom(0, ANY),
})

function host(o: object, layer2: boolean, mtu: number): Vtep {
  const v = new Vtep({ datagrams: 8, frames: 8 })
  const prefixes = [
    { words: [0x0a2a0000, 0, 0, 0], v6: false, length: 24 },
    { words: [0xfd000042 | 0, 0, 0, 0], v6: true, length: 64 },
  ]
  v.network(
    0,
    42,
    PEERS.map((p, i) => far(p, { mtu, prefixes: i === 0 ? prefixes : [] })),
    o,
    layer2,
  )
  return v
}

describe('every packet is counted once', () => {
  test('that the underlay brings', () => {
    const wire = fc
      .record({
        list: fc.array(bytes, { minLength: 1, maxLength: 12, size: 'max' }),
        header: fc.oneof(
          { weight: 6, arbitrary: fc.constant(hex('0800000000002a00')) },
          { weight: 1, arbitrary: fc.uint8Array({ minLength: 0, maxLength: 8 }) },
        ),
        from: fc.constantFrom(...PEERS, '203.0.113.9', '203.0.113.10'),
        segment: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120 })),
        tos: fc.nat(255),
        socket: fc.constantFrom(0, 0, 0, 1),
      })
      .map(
        ({ list, header, ...rest }): Wire => ({
          ...rest,
          bytes: Uint8Array.from(list.flatMap((f) => [...header, ...f])),
        }),
      )
    fc.assert(
      fc.property(
        fc.array(wire, { minLength: 1, maxLength: 12, size: 'max' }),
        settings,
        fc.boolean(),
        (wires, o, layer2) => {
          const v = host(o, layer2, 1500)
          const refuse = (n: number) => (n % 7 === 0 ? -5 : 0)
          v.device.refuse = (s) => refuse(s.bytes.length)
          v.in(...wires)
          const [given, told] = v.law()
          expect(told).toBe(given)
          expect(given).toBeGreaterThanOrEqual(wires.length)
        },
      ),
      { seed, numRuns: 500 },
    )
  })

  test('that the device hands over', () => {
    // A slot of length 0 means "nothing here any more".
    const frame = fc
      .record({
        bytes: bytes.filter((b) => b.length > 0),
        segment: fc.oneof(
          { weight: 3, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }) },
        ),
      })
      .map(
        ({ bytes: b, segment }): Frame =>
          segment === 0 || b.length < 60 ? { bytes: b } : { bytes: b, segment, header: 54, kind: 1 },
      )
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 20, size: 'max' }),
        settings,
        fc.boolean(),
        fc.constantFrom(0, 90, 120, 1500),
        fc.nat(3),
        (list, o, layer2, mtu, full) => {
          const v = host(o, layer2, mtu)
          v.native.mtus.set('198.18.0.3', 100)
          v.udp.full = full
          v.udp.refuse = (s) => [0, 0, -90, -101][s.bytes[20]! & 3]!
          v.out(...list.map((f) => (layer2 ? f : { ...f, l3: 0 })))
          const [given, told] = v.law()
          expect(told).toBe(given)
          expect(given).toBeGreaterThanOrEqual(list.length)
        },
      ),
      { seed, numRuns: 500 },
    )
  })

  test('that comes in as noise alone', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 40, size: 'max' }), (list) => {
        const v = host({ accept: ANY }, true, 1500)
        v.in(...list.map((b) => ({ bytes: b, from: '203.0.113.9' })))
        expect(v.counters.datagrams).toBe(list.length)
        const [given, told] = v.law()
        expect(told).toBe(given)
      }),
      { seed, numRuns: 500 },
    )
  })
})
