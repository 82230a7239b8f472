// What holds of every codec, whatever the bytes: write then read gives back; a reader whose `check` said yes sees nothing
// outside [off, end); the fast versions agree with the plain ones in test/support/reference.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NONE } from '../../src/drop.ts'
import * as arp from '../../src/wire/arp.ts'
import * as checksum from '../../src/wire/checksum.ts'
import * as ethernet from '../../src/wire/ethernet.ts'
import * as flow from '../../src/wire/flow.ts'
import * as icmp from '../../src/wire/icmp.ts'
import * as ipv4 from '../../src/wire/ipv4.ts'
import * as ipv6 from '../../src/wire/ipv6.ts'
import * as nd from '../../src/wire/nd.ts'
import * as print from '../../src/wire/print.ts'
import * as tcp from '../../src/wire/tcp.ts'
import * as udp from '../../src/wire/udp.ts'
import * as vxlan from '../../src/wire/vxlan.ts'
import { blank, place, text, untouched } from '../support/bytes.ts'
import { frames } from '../support/packets.ts'
import * as slowChecksum from '../support/reference/checksum.ts'
import * as slowFlow from '../support/reference/flow.ts'
import { ethernetLen, parse } from '../support/reference/packet.ts'
import * as slowTooBig from '../support/reference/too-big.ts'
import { seed } from '../support/seed.ts'

const RUNS = { seed, numRuns: 2000 }
const AT = 24

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

/** Bytes of a known frame, cut and with some of them changed: near enough to the real thing to get past the checks. */
const nearFrame = fc
  .tuple(
    fc.constantFrom(...Object.values(frames)),
    fc.array(fc.tuple(fc.nat(120), u8), { maxLength: 4 }),
    fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(60) }),
  )
  .map(([frame, changes, cut]) => {
    const bytes = frame.slice(0, Math.max(0, frame.length - cut))
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
    return bytes
  })

/** An IPv6 frame with extension headers in any order and number, some of them lying about their length. */
const chainFrame = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom(0, 43, 44, 51, 60, 135), fc.constantFrom(0, 0, 0, 0, 1, 2, 255), u16), {
      maxLength: 10,
    }),
    fc.constantFrom(6, 17, 58, 59, 132, 50),
    fc.uint8Array({ minLength: 0, maxLength: 24 }),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
  )
  .map(([headers, last, tail, addresses]) => {
    const kinds = [...headers.map(([kind]) => kind), last]
    const chain = headers.flatMap(([kind, len, word], k) => {
      const size = kind === 44 ? 8 : kind === 51 ? (len + 2) * 4 : (len + 1) * 8
      // 255: says 2 KiB or more and is not there.
      const body = new Array<number>(len === 255 ? 4 : Math.max(size - 4, 4)).fill(0)
      return [kinds[k + 1]!, len, word >> 8, word & 255, ...body]
    })
    const payload = [...chain, ...tail]
    const length = [payload.length >> 8, payload.length & 255]
    return Uint8Array.from([
      ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd],
      ...[0x60, 0, 0, 0, ...length, kinds[0]!, 64, ...addresses, ...payload],
    ])
  })

const anyBytes = fc.oneof(
  { weight: 6, arbitrary: nearFrame },
  { weight: 3, arbitrary: chainFrame },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
)

/** With or without its Ethernet header. */
const anyPacket = fc.tuple(anyBytes, fc.boolean()).map(([bytes, l2]) => [l2 ? bytes : bytes.slice(14), l2] as const)

describe('write, then read', () => {
  it('ethernet', () => {
    fc.assert(
      fc.property(u16, int32, u16, int32, u16, (dstHi, dstLo, srcHi, srcLo, type) => {
        const buf = blank(AT + 64)
        ethernet.write(buf, AT, dstHi, dstLo, srcHi, srcLo, type)
        expect(ethernet.check(buf, AT, AT + ethernet.LEN)).toBe(0)
        const readers = [ethernet.dstHi, ethernet.dstLo, ethernet.srcHi, ethernet.srcLo, ethernet.etherType]
        expect(readers.map((read) => read(buf, AT))).toEqual([dstHi, dstLo, srcHi, srcLo, type])
        expect(untouched(buf, AT, AT + ethernet.LEN)).toBe(true)
      }),
      RUNS,
    )
  })

  it('vxlan (VX4, VX5, VX8)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: vxlan.MAX_VNI }), (vni) => {
        const buf = blank(AT + 64)
        vxlan.write(buf, AT, vni)
        expect(vxlan.check(buf, AT, AT + vxlan.LEN)).toBe(0)
        expect(vxlan.vni(buf, AT)).toBe(vni)
        expect(untouched(buf, AT, AT + vxlan.LEN)).toBe(true)
      }),
      RUNS,
    )
  })

  it('ipv4', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 0xffff }), u8, int32, int32, (total, protocol, src, dst) => {
        const buf = blank(AT + 64)
        ipv4.write(buf, AT, total, protocol, src, dst)
        expect(ipv4.check(buf, AT, AT + total)).toBe(0)
        const readers = [ipv4.headerLen, ipv4.totalLen, ipv4.protocol, ipv4.src, ipv4.dst, ipv4.tos]
        expect(readers.map((read) => read(buf, AT))).toEqual([20, total, protocol, src, dst, 0])
        expect([ipv4.hasDf(buf, AT), ipv4.isFragment(buf, AT)]).toEqual([true, false])
        expect(slowChecksum.checksum([...buf.subarray(AT, AT + 20)])).toBe(0)
        expect(untouched(buf, AT, AT + ipv4.LEN)).toBe(true)
      }),
      RUNS,
    )
  })

  it('ipv6', () => {
    const address = fc.tuple(int32, int32, int32, int32)
    fc.assert(
      fc.property(u16, u8, address, address, (payload, next, src, dst) => {
        const from = new Uint8Array(32)
        const view = new DataView(from.buffer)
        for (const [k, word] of [...src, ...dst].entries()) view.setInt32(k * 4, word)
        const buf = blank(AT + 64)
        ipv6.write(buf, AT, payload, next, from, 0, 16)
        expect(ipv6.check(buf, AT, AT + ipv6.LEN + payload)).toBe(0)
        expect([ipv6.payloadLen, ipv6.nextHeader, ipv6.trafficClass].map((read) => read(buf, AT))).toEqual([
          payload,
          next,
          0,
        ])
        expect([0, 1, 2, 3].map((k) => ipv6.srcWord(buf, AT, k))).toEqual(src)
        expect([0, 1, 2, 3].map((k) => ipv6.dstWord(buf, AT, k))).toEqual(dst)
        expect(untouched(buf, AT, AT + ipv6.LEN)).toBe(true)
      }),
      RUNS,
    )
  })
})

type Reader = (buf: Uint8Array, off: number, end: number) => unknown

// Every reader of a file, asked only when its check has passed.
const readers: Record<string, Reader> = {
  ethernet: (b, o, e) =>
    ethernet.check(b, o, e) ||
    [ethernet.dstHi, ethernet.dstLo, ethernet.srcHi, ethernet.srcLo, ethernet.etherType, ethernet.isGroup]
      .map((read): unknown => read(b, o))
      .concat(ethernet.isGroupSource(b, o), ethernet.isTagged(b, o), ethernet.headerLen(b, o, e)),
  vxlan: (b, o, e) => vxlan.check(b, o, e) || vxlan.vni(b, o),
  ipv4: (b, o, e) =>
    ipv4.check(b, o, e) ||
    [ipv4.headerLen, ipv4.totalLen, ipv4.tos, ipv4.ident, ipv4.ttl, ipv4.protocol, ipv4.src, ipv4.dst]
      .map((read): unknown => read(b, o))
      .concat(ipv4.hasDf(b, o), ipv4.isFragment(b, o), ipv4.fragmentOffset(b, o)),
  ipv6: (b, o, e) =>
    ipv6.check(b, o, e) ||
    [ipv6.payloadLen, ipv6.trafficClass, ipv6.flowLabel, ipv6.nextHeader, ipv6.hopLimit]
      .map((read): unknown => read(b, o))
      .concat([0, 1, 2, 3].flatMap((k) => [ipv6.srcWord(b, o, k), ipv6.dstWord(b, o, k)]))
      // Offsets of the two runs are the same, so they compare.
      .concat(ipv6.upper(b, o, e), ipv6.upperProtocol(b, o, e), ipv6.isFragment(b, o, e)),
  udp: (b, o, e) =>
    udp.check(b, o, e) || [udp.srcPort, udp.dstPort, udp.length, udp.checksum].map((read) => read(b, o)),
  tcp: (b, o, e) =>
    tcp.check(b, o, e) ||
    [tcp.srcPort, tcp.dstPort, tcp.seq, tcp.ack, tcp.headerLen, tcp.flags, tcp.window, tcp.checksum].map((read) =>
      read(b, o),
    ),
  arp: (b, o, e) =>
    arp.check(b, o, e) ||
    [arp.operation, arp.senderHi, arp.senderLo, arp.senderIp, arp.targetHi, arp.targetLo, arp.targetIp].map((read) =>
      read(b, o),
    ),
  nd: (b, o, e) => nd.check(b, o, e) || [nd.type(b, o), nd.flags(b, o), nd.linkAddress(b, o, e, 1), target(b, o)],
  'flow, frames': (b, o, e) => [flow.hash(b, o, e, true, seed), flow.hosts(b, o, e, true, seed)],
  'flow, packets': (b, o, e) => [flow.hash(b, o, e, false, seed), flow.hosts(b, o, e, false, seed)],
  'too big, frames': (b, o, e) => tooBig(b, o, e, true),
  'too big, packets': (b, o, e) => tooBig(b, o, e, false),
  'print, frames': (b, o, e) => print.line(b, o, e, true),
  'print, packets': (b, o, e) => print.line(b, o, e, false),
}

/** Only these three have a target. */
function target(buf: Uint8Array, off: number): unknown {
  return nd.type(buf, off) < nd.NEIGHBOUR_SOLICITATION ? null : [0, 1, 2, 3].map((k) => nd.targetWord(buf, off, k))
}

function tooBig(buf: Uint8Array, off: number, end: number, l2: boolean, mtu = 1400): number[] | null {
  const out = blank(AT + icmp.MAX_ANSWER + AT)
  const len = icmp.writeTooBig(out, AT, buf, off, end, l2, mtu)
  expect(untouched(out, AT, AT + Math.max(len, 0))).toBe(true)
  return len === NONE ? null : [...out.subarray(AT, AT + len)]
}

describe('what check lets through is read from [off, end) alone', () => {
  // Where in most frames the header of a file lies; the others are read from their first byte, and all at times elsewhere.
  const places: Record<string, number> = { vxlan: 42, ipv4: 14, ipv6: 14, udp: 34, tcp: 34, arp: 14, nd: 54 }
  for (const [name, read] of Object.entries(readers)) {
    it(name, () => {
      const start = places[name] ?? (name.endsWith('packets') ? 14 : 0)
      let passed = 0
      fc.assert(
        fc.property(anyBytes, fc.oneof({ weight: 4, arbitrary: fc.constant(start) }, fc.nat(70)), (bytes, start) => {
          const rest = bytes.slice(Math.min(start, bytes.length))
          const answers = [0x00, 0xff, 0x45, 0x81].map((neighbour) => {
            const { buf, off, end } = place(rest, neighbour)
            const before = text(buf)
            const answer = read(buf, off, end)
            expect(text(buf)).toBe(before)
            return answer
          })
          for (const answer of answers) expect(answer).toEqual(answers[0])
          if (typeof answers[0] !== 'number' || answers[0] >= 0) passed++
        }),
        RUNS,
      )
      // A property that never gets past the check says nothing.
      expect(passed).toBeGreaterThan(10)
    })
  }
})

describe('fast and slow agree', () => {
  it('checksum', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (bytes, cut) => {
        const { buf, off, end } = place(bytes, 0xff)
        const fast = checksum.finish(checksum.sum(buf, off, end, 0))
        expect(fast).toBe(slowChecksum.checksum([...bytes]))
        const middle = off + 2 * Math.min(cut, bytes.length >> 1)
        const chained = checksum.sum(buf, middle, end, checksum.sum(buf, off, middle, 0))
        expect(checksum.finish(chained)).toBe(fast)
      }),
      RUNS,
    )
  })

  it('ipv4.setEcn and the checksum made anew', () => {
    const header = fc.uint8Array({ minLength: 20, maxLength: 60 }).filter((h) => h.length % 4 === 0)
    fc.assert(
      fc.property(header, fc.nat(3), (bytes, ecn) => {
        bytes[0] = 0x40 | (bytes.length / 4)
        bytes.set([0, 0], 10)
        const sum = slowChecksum.checksum([...bytes])
        bytes.set([sum >> 8, sum & 255], 10)
        const { buf, off, end } = place(bytes)
        ipv4.setEcn(buf, off, ecn)
        const marked = buf.slice(off, end)
        expect(slowChecksum.checksum([...marked])).toBe(0)
        expect(marked[1]).toBe((bytes[1]! & 0xfc) | ecn)
        expect(untouched(buf, off, end)).toBe(true)
        ipv4.setEcn(buf, off, bytes[1]! & 3)
        expect(text(buf.subarray(off, end))).toBe(text(bytes))
      }),
      RUNS,
    )
  })

  it('ethernet.headerLen, ipv4.check, ipv6.check, ipv6.upper', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const { buf, off, end } = place(bytes, 0x81)
        if (ethernet.check(buf, off, end) !== 0) return
        const header = ethernet.headerLen(buf, off, end)
        expect(header).toBe(ethernetLen([...bytes]))
        const packet = parse([...bytes.slice(header)], false)
        const ip = off + header
        expect(ipv4.check(buf, ip, end) === 0).toBe(packet?.version === 4)
        expect(ipv6.check(buf, ip, end) === 0).toBe(packet?.version === 6)
        if (packet?.version !== 6) return
        const last = ip + packet.bytes.length
        expect(ipv6.upperProtocol(buf, ip, last)).toBe(packet.protocol ?? NONE)
        expect(ipv6.upper(buf, ip, last)).toBe(packet.upper === null ? NONE : last - packet.upper.length)
        expect(ipv6.isFragment(buf, ip, last)).toBe(packet.fragment)
      }),
      RUNS,
    )
  })

  it('flow.hash, flow.hosts (VX11)', () => {
    fc.assert(
      fc.property(anyPacket, int32, ([bytes, l2], start) => {
        const { buf, off, end } = place(bytes)
        expect(flow.hash(buf, off, end, l2, start)).toBe(slowFlow.hash([...bytes], l2, start))
        expect(flow.hosts(buf, off, end, l2, start)).toBe(slowFlow.hosts([...bytes], l2, start))
      }),
      RUNS,
    )
  })

  it('icmp.writeTooBig (MT1, MT3, MT4)', () => {
    const mtu = fc.oneof(fc.integer({ min: 60, max: 1500 }), fc.constantFrom(67, 68, 1279, 1280, 65535, 70000))
    let answered = 0
    fc.assert(
      fc.property(anyPacket, mtu, ([bytes, l2], mtu) => {
        const { buf, off, end } = place(bytes)
        const fast = tooBig(buf, off, end, l2, mtu)
        expect(fast).toEqual(slowTooBig.tooBig([...bytes], l2, mtu))
        if (fast !== null) answered++
      }),
      RUNS,
    )
    expect(answered).toBeGreaterThan(100)
  })
})
