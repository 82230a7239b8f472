// IPv4 fragments as a receiver joins them (RFC 791 §3.2): a plain joining, written for this test, gives the packet again.
import { describe, expect, it } from 'vitest'
import { NONE } from '../../../src/drop.ts'
import * as checksum from '../../../src/wire/checksum.ts'
import * as fragment from '../../../src/wire/fragment.ts'
import * as ipv4 from '../../../src/wire/ipv4.ts'
import { text } from '../../support/bytes.ts'
import { generator, seed } from '../../support/seed.ts'

interface Header {
  readonly flags?: number
  readonly place?: number
  readonly options?: readonly number[]
}

/** A packet with this many bytes of payload, and a right header checksum. */
function packet(payload: number, { flags = 0, place = 0, options = [] }: Header = {}): Uint8Array {
  const header = 20 + options.length
  const bytes = new Uint8Array(header + payload).map((_, k) => k * 7)
  bytes.set([
    0x40 | (header / 4),
    0x28,
    bytes.length >> 8,
    bytes.length,
    0x12,
    0x34,
    (flags << 5) | (place >> 8),
    place,
  ])
  bytes.set([64, 17, 0, 0, 10, 42, 0, 1, 10, 42, 0, 2, ...options], 8)
  const sum = checksum.finish(checksum.sum(bytes, 0, header, 0))
  bytes.set([sum >> 8, sum], 10)
  return bytes
}

/** Its fragments for a path of `mtu`, each laid somewhere in a dirty buffer. */
function cut(whole: Uint8Array, mtu: number): Uint8Array[] {
  const step = fragment.step(whole, 0, mtu)
  const pieces: Uint8Array[] = []
  for (let from = 0; from < whole.length - ipv4.headerLen(whole, 0); from += step) {
    const out = new Uint8Array(mtu + 6).fill(0xa5)
    const len = fragment.write(out, 3, whole, 0, from, step)
    expect([out[2], ...out.subarray(3 + len)].every((byte) => byte === 0xa5)).toBe(true)
    pieces.push(out.slice(3, 3 + len))
  }
  return pieces
}

/** Places of payload, and whether more is to come behind the last. */
function join(pieces: readonly Uint8Array[]): { payload: number[]; first: number; more: boolean } {
  const all = pieces.map((p) => ({ at: ipv4.fragmentOffset(p, 0), bytes: p.subarray(ipv4.headerLen(p, 0)), p }))
  const first = all[0]!.at
  const payload: number[] = []
  for (const { at, bytes } of all) for (const [k, byte] of bytes.entries()) payload[at - first + k] = byte
  return { payload, first, more: (all.at(-1)!.p[6]! & 0x20) !== 0 }
}

describe('fragments', () => {
  it('fit the path, have right headers, and join to what was cut, at every size', () => {
    const random = generator(seed)
    const chance = (): number => (random() >>> 0) / 2 ** 32
    for (let n = 0; n < 300; n++) {
      const mtu = 28 + Math.floor(chance() * 1500)
      const whole = packet(1 + Math.floor(chance() * 4000), { flags: n % 2, place: Math.floor(chance() * 4000) })
      const pieces = cut(whole, mtu)
      for (const [k, p] of pieces.entries()) {
        expect(p.length).toBeLessThanOrEqual(mtu)
        expect(ipv4.check(p, 0, p.length)).toBe(0)
        expect(ipv4.totalLen(p, 0)).toBe(p.length)
        expect(checksum.finish(checksum.sum(p, 0, 20, 0))).toBe(0)
        expect([ipv4.ident(p, 0), ipv4.tos(p, 0), ipv4.ttl(p, 0), ipv4.protocol(p, 0)]).toEqual([0x1234, 0x28, 64, 17])
        if (k < pieces.length - 1) expect([(p.length - 20) % 8, p[6]! >> 5]).toEqual([0, 1])
      }
      const { payload, first, more } = join(pieces)
      expect(text(Uint8Array.from(payload))).toBe(text(whole.subarray(20)))
      // What was a fragment itself keeps its place and its flag.
      expect([first, more]).toEqual([ipv4.fragmentOffset(whole, 0), n % 2 === 1])
    }
  })

  it('have all options in the first, and in the others those that say so', () => {
    // Record route (not copied), nothing, a loose source route (copied), end.
    const options = [7, 7, 4, 0, 0, 0, 0, 1, 131, 7, 4, 10, 42, 0, 9, 0]
    const [first, second] = cut(packet(100, { options }), 100)
    expect([...first!.subarray(20, 36)]).toEqual(options)
    expect([...second!.subarray(20, 36)]).toEqual([...new Array(8).fill(1), ...options.slice(8)])
    expect(checksum.finish(checksum.sum(second!, 0, 36, 0))).toBe(0)
  })

  it('go through options that are none without an end', () => {
    for (const options of [
      [7, 0, 0, 0],
      [7, 1, 0, 0],
      [7, 40, 0, 0],
      [1, 1, 1, 7],
    ]) {
      expect(cut(packet(100, { options }), 100)).toHaveLength(2)
    }
  })

  it('are not made of a packet with DF, with a wrong checksum, or for a path that takes no byte', () => {
    expect(fragment.step(packet(100, { flags: 2 }), 0, 100)).toBe(NONE)
    const wrong = packet(100)
    wrong[10]! ^= 1
    expect(fragment.step(wrong, 0, 100)).toBe(NONE)
    expect([0x1fff, 0x1ff0].map((place) => fragment.step(packet(100, { place }), 0, 100))).toEqual([NONE, 80])
    expect([27, 28].map((mtu) => fragment.step(packet(100), 0, mtu))).toEqual([NONE, 8])
  })
})
