// Clamping TCP's segment size: the fast way, which corrects the checksum, agrees with the plain one, which makes it anew.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Batch } from '../../src/batch.ts'
import { clamp, UNLIMITED } from '../../src/datapath/mss.ts'
import { Fdb } from '../../src/overlay/fdb.ts'
import { Network } from '../../src/overlay/networks.ts'
import { Routes } from '../../src/overlay/routes.ts'
import { text, untouched } from '../support/bytes.ts'
import { frames } from '../support/packets.ts'
import { checksum } from '../support/reference/checksum.ts'
import { clamped } from '../support/reference/mss.ts'
import { ethernetLen, parse } from '../support/reference/packet.ts'
import { seed } from '../support/seed.ts'

const RUNS = { seed, numRuns: 3000 }
const AT = 32
const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })

/** An option; one in many that lies about its length. */
const option = fc.oneof(
  { weight: 6, arbitrary: u16.map((mss) => [2, 4, mss >> 8, mss & 0xff]) },
  { weight: 4, arbitrary: fc.constant([1]) },
  { weight: 2, arbitrary: fc.constantFrom([4, 2], [3, 3, 7], [8, 10, 1, 2, 3, 4, 0, 0, 0, 0]) },
  { weight: 1, arbitrary: fc.constantFrom([0], [2, 3, 5], [2, 0], [9, 1], [254, 40], [2, 6, 1, 2, 3, 4], [5]) },
)

/** A segment with these options, padded with `pad`, its checksum 0. */
const segment = fc
  .record({
    options: fc.array(option, { maxLength: 8 }).map((list) => list.flat().slice(0, 40)),
    pad: fc.constantFrom(0, 1),
    flags: fc.constantFrom(0x02, 0x12, 0xc2, 0x02, 0x12, 0x10, 0x04),
    tail: fc.uint8Array({ maxLength: 9 }),
    start: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  })
  .map(({ options, pad, flags, tail, start }) => {
    const padded = [...options, ...new Array<number>(-options.length & 3).fill(pad)]
    return [...start, (20 + padded.length) << 2, flags, 1, 2, 0, 0, 0, 0, ...padded, ...tail]
  })

/** A frame around it with every checksum right, but that of TCP is off by `wrong`. */
const syn = fc
  .record({ segment, v6: fc.boolean(), tag: fc.boolean(), wrong: fc.constantFrom(0, 0, 0, 1, 0x1234) })
  .map(({ segment: s, v6, tag, wrong }) => {
    const addresses = Array.from({ length: v6 ? 32 : 8 }, (_, k) => k * 7)
    const pseudo = v6 ? [...addresses, 0, 0, 0, s.length, 0, 0, 0, 6] : [...addresses, 0, 6, 0, s.length]
    const sum = (checksum([...pseudo, ...s]) + wrong) & 0xffff
    const whole = s.with(16, sum >> 8).with(17, sum & 0xff)
    const ip4 = [0x45, 0, 0, 20 + s.length, 0, 0, 0x40, 0, 64, 6, 0, 0, ...addresses]
    const ip = v6 ? [0x60, 0, 0, 0, 0, s.length, 6, 64, ...addresses] : ip4
    const type = v6 ? [0x86, 0xdd] : [0x08, 0x00]
    return Uint8Array.from([
      ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...(tag ? [0x81, 0, 0, 7] : []), ...type],
      ...ip,
      ...whole,
    ])
  })

/** A known frame with some bytes changed and perhaps cut. */
const near = fc
  .tuple(
    fc.constantFrom(...Object.values(frames), frames.tcp6),
    fc.array(fc.tuple(fc.nat(90), u8), { maxLength: 3 }),
    fc.nat(40),
  )
  .map(([frame, changes, cut]) => {
    const bytes = frame.slice(0, Math.max(14, frame.length - (cut > 30 ? cut : 0)))
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
    return bytes
  })

const layer2 = fc.boolean()
const mtu = fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 40, max: 1500 }))

/** What clamping leaves of the bytes; its neighbours are as they were. */
function run(bytes: Uint8Array, l2: boolean, most: number, summed = true): string {
  const network = new Network(0, 42, l2, 0, new Fdb(16, 0, 1), new Routes(1))
  network.mssClamp = true
  network.deviceMtu = most
  const slab = new Uint8Array(AT + bytes.length + 64).fill(0xa5)
  slab.set(bytes, AT)
  const b = new Batch(8, slab)
  b.off[3] = AT
  b.len[3] = bytes.length
  clamp(b, 3, network, UNLIMITED, summed)
  expect(untouched(slab, AT, AT + bytes.length)).toBe(true)
  return text(slab.subarray(AT, AT + bytes.length))
}

const plain = (bytes: Uint8Array, l2: boolean, most: number): string =>
  text(Uint8Array.from(clamped([...bytes], l2, most)))

describe('the clamped segment size', () => {
  it('is that of the plain twin, checksum and all', () => {
    let lowered = 0
    fc.assert(
      fc.property(syn, layer2, mtu, (frame, l2, most) => {
        const bytes = l2 ? frame : frame.slice(ethernetLen([...frame]))
        const out = run(bytes, l2, most)
        expect(out).toBe(plain(bytes, l2, most))
        if (out !== text(bytes)) lowered++
      }),
      RUNS,
    )
    expect(lowered).toBeGreaterThan(RUNS.numRuns / 10)
  })

  it('is left alone, as by the plain twin, in anything that is no SYN', () => {
    fc.assert(
      fc.property(near, mtu, (bytes, most) => {
        expect(run(bytes, true, most)).toBe(plain(bytes, true, most))
      }),
      RUNS,
    )
  })

  it('leaves a checksum that is not complete to whoever completes it', () => {
    fc.assert(
      fc.property(syn, mtu, (frame, most) => {
        const p = parse([...frame], true)!
        const at = p.ethernet.length + p.bytes.length - p.upper!.length + 16
        const out = Buffer.from(run(frame, true, most, false), 'hex')
        expect(text(out.subarray(at, at + 2))).toBe(text(frame.subarray(at, at + 2)))
        const [mine, twins] = [out, Buffer.from(plain(frame, true, most), 'hex')].map((b) => b.fill(0, at, at + 2))
        expect(text(mine!)).toBe(text(twins!))
      }),
      RUNS,
    )
  })
})
