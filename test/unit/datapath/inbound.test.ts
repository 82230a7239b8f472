// The walk from the underlay to a device, alone: datagrams in, frames out.
import { describe, expect, test } from 'vitest'
import { FDB_ENTRIES, RX_BYTES, RX_PACKETS, VTEP_RX_BYTES } from '../../../src/counters.ts'
import { ANY, CIDRS } from '../../../src/overlay/networks.ts'
import { hex, text, zeroed } from '../../support/bytes.ts'
import { holds } from '../../support/law.ts'
import { frames } from '../../support/packets.ts'
import { far, Vtep, type VtepOptions, type Wire, words } from '../../support/vtep.ts'

const PEER = '198.18.0.2'
const OTHER = '198.18.0.3'
const STRANGER = '203.0.113.7'

function vtep(settings = {}, options: VtepOptions = {}, layer2 = true): { v: Vtep; ids: number[] } {
  const v = new Vtep(options)
  return { v, ids: v.network(0, 42, [far(PEER), far(OTHER)], settings, layer2) }
}

function sealed(frame: Uint8Array, more: Partial<Wire> = {}, header = '08 000000 00002a 00'): Wire {
  return { bytes: Uint8Array.from([...hex(header), ...frame]), from: PEER, ...more }
}

/** Equal datagrams end to end, as UDP GRO hands them over; the last may be shorter. */
function train(list: Uint8Array[], more: Partial<Wire> = {}): Wire {
  const all = list.map((frame) => sealed(frame).bytes)
  return { bytes: Uint8Array.from(all.flatMap((b) => [...b])), from: PEER, segment: all[0]!.length, ...more }
}

/** The frame with this station as its source. */
function said(frame: Uint8Array, mac: string): Uint8Array {
  const copy = frame.slice()
  copy.set(hex(mac), 6)
  return copy
}

describe('decapsulation', () => {
  test.each(Object.entries(frames).filter(([name]) => name !== 'vlan' && name !== 'qinq'))(
    'a frame comes out unchanged: %s',
    (_name, frame) => {
      const { v, ids } = vtep()
      const got = v.in(sealed(frame))
      expect(got.map((s) => text(s.bytes))).toEqual([text(frame)])
      expect(v.counters.network(0, RX_BYTES)).toBe(frame.length)
      expect(v.counters.vtep(ids[0]!, VTEP_RX_BYTES)).toBe(frame.length)
      expect(v.drops()).toEqual({})
      holds(v)
    },
  )

  test('split horizon: what came from the underlay goes to the device alone, once', () => {
    const { v } = vtep()
    expect(v.in(sealed(frames.arpRequest))).toHaveLength(1)
    expect(v.udp.take()).toEqual([])
    expect(v.device.take()).toEqual([])
  })

  test.each(['ff ffffff 00002a ff', '08 ffffff 00002a 00', '08 000000 00002a 01', '88 000000 00002a 00'])(
    'VX6 other flags and reserved fields are ignored: %s',
    (header) => {
      expect(vtep().v.in(sealed(frames.udp4, {}, header))).toHaveLength(1)
    },
  )

  test.each([
    ['VX7 without the I flag', sealed(frames.udp4, {}, 'f7 000000 00002a 00'), 'vxlan-no-vni'],
    ['VX8 VX21 of another VNI', sealed(frames.udp4, {}, '08 000000 01002a 00'), 'vxlan-unknown-vni'],
    ['VX21 of a VNI one off', sealed(frames.udp4, {}, '08 000000 00002b 00'), 'vxlan-unknown-vni'],
    ['VX21 on another port', sealed(frames.udp4, { socket: 1 }), 'vxlan-unknown-vni'],
    ['VX29 from a stranger', sealed(frames.udp4, { from: STRANGER }), 'vxlan-unknown-vtep'],
    ['VX29 from a stranger over IPv6', sealed(frames.udp4, { from: 'fd00::2' }), 'vxlan-unknown-vtep'],
    ['VX17 with an inner VLAN tag', sealed(frames.vlan), 'inner-vlan-tag'],
    ['VX17 with two', sealed(frames.qinq), 'inner-vlan-tag'],
    ['without anything', { bytes: new Uint8Array(0), from: PEER }, 'truncated'],
    ['of seven bytes', { bytes: hex('08 000000 00002a'), from: PEER }, 'truncated'],
    ['of a header alone', sealed(new Uint8Array(0)), 'truncated'],
    ['of a frame of 13 bytes', sealed(frames.udp4.subarray(0, 13)), 'truncated'],
    ['too short and without the I flag', sealed(new Uint8Array(3), {}, '00 000000 00002a 00'), 'vxlan-no-vni'],
    ['with our own MAC', sealed(said(frames.udp4, '0200000000f1')), 'own-mac'],
  ])('drops and counts a datagram %s', (_title, wire, reason) => {
    const { v } = vtep()
    expect(v.in(wire)).toEqual([])
    expect(v.drops()).toEqual({ [reason]: 1 })
    expect(v.counters.network(0, FDB_ENTRIES)).toBe(0)
    holds(v)
  })

  test('VX17 a network that keeps tags lets them through', () => {
    const { v } = vtep({ keepVlan: true })
    expect(v.in(sealed(frames.vlan), sealed(frames.qinq)).map((s) => text(s.bytes))).toEqual([
      text(frames.vlan),
      text(frames.qinq),
    ])
  })

  test('VX27 the same MAC in two networks: two stations, each in its own', () => {
    const { v, ids } = vtep()
    const [other] = v.network(1, 43, [far(OTHER)])
    const got = v.in(sealed(frames.udp4), sealed(frames.udp4, { from: OTHER }, '08 000000 00002b 00'))
    expect(got.map((s) => s.link)).toEqual([0, 1])
    expect([0, 1].map((id) => v.tables.networks.at(id)!.fdb.find(0x0200, 1))).toEqual([ids[0], other])
  })

  test('a peer of one network is a stranger in the next', () => {
    const { v } = vtep()
    v.network(1, 43, [far(OTHER)])
    expect(v.in(sealed(frames.udp4, { from: PEER }, '08 000000 00002b 00'))).toEqual([])
    expect(v.drops()).toEqual({ 'vxlan-unknown-vtep': 1 })
  })

  test('what the device refuses is counted and not received', () => {
    const { v } = vtep()
    v.device.refuse = (s) => (s.bytes[12] === 0x86 ? -5 : 0)
    expect(v.in(sealed(frames.tcp4), sealed(frames.tcp6), sealed(frames.udp4))).toHaveLength(2)
    expect(v.drops()).toEqual({ 'device-write-failed': 1 })
    expect(v.counters.network(0, RX_PACKETS)).toBe(2)
    holds(v)
  })

  test('own-mac is news once a minute', () => {
    const { v } = vtep()
    for (const now of [0, 1, 59_999, 60_000]) {
      v.tables.now = now
      v.in(sealed(said(frames.udp4, '0200000000f1')))
    }
    expect(v.news).toEqual(new Array(2).fill({ kind: 'own-mac', id: 0, words: words(PEER) }))
    expect(v.drops()).toEqual({ 'own-mac': 4 })
  })
})

describe('trains', () => {
  test('are cut into datagrams, the last may be shorter', () => {
    const { v } = vtep()
    const list = [frames.tcp4, frames.tcp4, frames.tcp4, frames.udp4]
    expect(v.in(train(list)).map((s) => text(s.bytes))).toEqual(list.map(text))
    expect(v.counters.datagrams).toBe(4)
    holds(v)
  })

  test('are not uniform: each datagram is judged on its own', () => {
    const { v } = vtep()
    const wire = train([frames.tcp4, frames.tcp4, frames.tcp4, frames.tcp4, frames.tcp4])
    const size = wire.segment!
    wire.bytes[size] = 0
    wire.bytes[2 * size + 6] = 7
    wire.bytes.set(hex('0200000000f1'), 3 * size + 8 + 6)
    expect(v.in(wire)).toHaveLength(2)
    expect(v.drops()).toEqual({ 'vxlan-no-vni': 1, 'vxlan-unknown-vni': 1, 'own-mac': 1 })
    holds(v)
  })

  test('a tail too short for a header is a datagram too', () => {
    const { v } = vtep()
    const wire = train([frames.tcp4, frames.tcp4])
    wire.bytes = wire.bytes.slice(0, wire.segment! + 3)
    expect(v.in(wire)).toHaveLength(1)
    expect(v.drops()).toEqual({ truncated: 1 })
    holds(v)
  })

  test('a tagged datagram behind one with the same MACs is still refused', () => {
    const { v } = vtep()
    const tagged = frames.udp4.slice()
    tagged.set([0x81, 0x00], 12)
    expect(v.in(train([frames.udp4, tagged, frames.udp4]))).toHaveLength(2)
    expect(v.drops()).toEqual({ 'inner-vlan-tag': 1 })
  })

  test('a verdict does not outlive its slot: the next sender may be a stranger', () => {
    const { v } = vtep()
    expect(v.in(sealed(frames.udp4), sealed(frames.udp4, { from: STRANGER }), sealed(frames.udp4))).toHaveLength(2)
    expect(v.drops()).toEqual({ 'vxlan-unknown-vtep': 1 })
  })

  test('one whole super-packet of a kernel VXLAN device on this machine stays whole', () => {
    const { v } = vtep()
    const frame = new Uint8Array(54 + 3000)
    frame.set(frames.tcp4.subarray(0, 54))
    frame.set([0x0b, 0xe0], 16)
    const got = v.in(sealed(frame, { segment: 1000 }))
    expect(got.map((s) => [s.bytes.length, s.segment])).toEqual([[frame.length, 1000]])
    holds(v)
  })

  test.each([8, 16, 24])(
    'when the frames fill a batch of %i the rest follows, and nothing is counted twice',
    (slots) => {
      for (const lengths of [[8], [9], [3, 8, 1], [16, 16], [5, 3, 8, 8, 30], [1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
        const { v } = vtep({}, { frames: slots })
        const n = lengths.reduce((a, b) => a + b)
        const wires = lengths.map((k) => train(new Array(k).fill(frames.udp4)))
        expect(v.in(...wires), `${lengths}`).toHaveLength(n)
        expect(v.counters.datagrams, `${lengths}`).toBe(n)
        holds(v)
      }
    },
  )
})

describe('ECN', () => {
  const NOT = 0
  const ECT1 = 1
  const ECT0 = 2
  const CE = 3
  const DROP = -1
  // RFC 6040 §4.2, Figure 4: inner, then what becomes of it under outer Not-ECT, ECT(0), ECT(1), CE.
  const TABLE = [
    [NOT, NOT, NOT, NOT, DROP],
    [ECT0, ECT0, ECT0, ECT1, CE],
    [ECT1, ECT1, ECT1, ECT1, CE],
    [CE, CE, CE, CE, CE],
  ]
  const cases = TABLE.flatMap(([inner, ...results]) =>
    [NOT, ECT0, ECT1, CE].map((outer, k) => [inner!, outer, results[k]!] as const),
  )

  test.each(cases)(
    'VX30 EC4 inner %i under outer %i becomes %i (-1: dropped), over IPv4 and IPv6',
    (inner, outer, want) => {
      const four = frames.udp4.slice()
      four[15] = 0xb8 | inner
      // The header's checksum for that TOS: what the change takes away is added.
      const sum = ((four[24]! << 8) | four[25]!) + (0xba - four[15]!)
      four.set([sum >> 8, sum & 0xff], 24)
      const six = frames.udp6.slice()
      six[15] = inner << 4
      for (const [frame, at, shift] of [
        [four, 15, 0],
        [six, 15, 4],
      ] as const) {
        const { v } = vtep()
        const got = v.in(sealed(frame, { tos: 0xa0 | outer }))
        holds(v)
        if (want === DROP) {
          expect(got).toEqual([])
          expect(v.drops()).toEqual({ 'ecn-ce-on-not-ect': 1 })
          continue
        }
        const expected = frame.slice()
        expected[at] = (frame[at]! & ~(3 << shift)) | (want << shift)
        const out = got[0]!.bytes
        if (frame === four) {
          expect(checksumIsRight(out.subarray(14, 34))).toBe(true)
          expected.set(out.subarray(24, 26), 24)
        }
        expect(text(out)).toBe(text(expected))
      }
    },
  )

  test('what is not IP has none to lose: ARP passes under CE', () => {
    expect(vtep().v.in(sealed(frames.arpRequest, { tos: CE }))).toHaveLength(1)
  })

  test('of a train each packet is marked', () => {
    const { v } = vtep()
    const got = v.in(train([frames.udp4, frames.udp4, frames.udp4], { tos: CE }))
    expect(got.map((s) => s.bytes[15]! & 3)).toEqual([CE, CE, CE])
  })
})

describe('learning', () => {
  const found = (v: Vtep): number => v.tables.networks.at(0)!.fdb.find(0x0200, 1)

  test('VX22 the source MAC is found behind the sender, and moves with it', () => {
    const { v, ids } = vtep()
    v.in(sealed(frames.udp4))
    expect(found(v)).toBe(ids[0])
    expect(v.counters.network(0, FDB_ENTRIES)).toBe(1)
    v.in(sealed(frames.udp4, { from: OTHER }))
    expect(found(v)).toBe(ids[1])
    const [reply] = v.out(Uint8Array.from([...frames.udp4.subarray(6, 12), ...frames.udp4.subarray(0, 6), 0x88, 0xb5]))
    expect(reply!.peer).toBe(ids[1])
    holds(v)
  })

  test.each([
    ['a group address', '030000000001'],
    ['zeros', '000000000000'],
  ])('%s as a source is not learned, the frame passes', (_title, mac) => {
    const { v } = vtep()
    expect(v.in(sealed(said(frames.udp4, mac)))).toHaveLength(1)
    expect(v.tables.networks.at(0)!.fdb.size).toBe(0)
  })

  test('a network that does not learn passes frames all the same', () => {
    const { v } = vtep({ learning: false })
    expect(v.in(sealed(frames.udp4))).toHaveLength(1)
    expect(v.tables.networks.at(0)!.fdb.size).toBe(0)
  })

  test('mac-limit: a new station is refused, known ones are heard', () => {
    const { v } = vtep({ macLimit: 2 })
    const from = (n: number): Wire => sealed(said(frames.udp4, `02000000010${n}`))
    expect(v.in(from(1), from(2), from(3), from(1), from(3))).toHaveLength(3)
    expect(v.drops()).toEqual({ 'mac-limit': 2 })
    expect(v.counters.network(0, FDB_ENTRIES)).toBe(2)
    holds(v)
  })

  test('static-mac: a station bound to one VTEP is refused from another', () => {
    const { v, ids } = vtep()
    v.tables.handle({ kind: 'fdb-add', id: 0, mac: hex('020000000001'), vtep: ids[1]! })
    expect(v.in(sealed(frames.udp4), sealed(frames.udp4, { from: OTHER }))).toHaveLength(1)
    expect(v.drops()).toEqual({ 'static-mac': 1 })
    expect(found(v)).toBe(ids[1])
    holds(v)
  })
})

describe('strangers', () => {
  test('VX29 accept by range lets some in, not others; an answer finds the way back', () => {
    const { v } = vtep({ accept: CIDRS, ranges: [{ words: words('203.0.113.0'), length: 96 + 24 }] })
    expect(v.in(sealed(frames.udp4, { from: STRANGER }), sealed(frames.udp4, { from: '203.0.114.7' }))).toHaveLength(1)
    expect(v.drops()).toEqual({ 'vxlan-unknown-vtep': 1 })
    const id = v.tables.networks.at(0)!.fdb.find(0x0200, 1)
    expect(v.native.endpoints.get(id)).toMatchObject({ address: STRANGER, port: 4789 })
    holds(v)
  })

  test('accept any: over IPv6 too, one id each', () => {
    const { v } = vtep({ accept: ANY })
    const wires = [STRANGER, 'fd00::9', STRANGER].map((from) => sealed(frames.udp4, { from }))
    expect(v.in(...wires)).toHaveLength(3)
    expect(v.tables.vteps.strangers).toBe(2)
  })

  test('a stranger is sent no flood', () => {
    const { v, ids } = vtep({ accept: ANY })
    v.in(sealed(frames.udp4, { from: STRANGER }))
    expect(v.out(frames.arpRequest).map((s) => s.peer)).toEqual(ids)
  })
})

test('a capture sees what is let in, without the VXLAN header', () => {
  const { v } = vtep()
  v.tables.handle({ kind: 'capture', id: 0, on: true })
  v.in(sealed(frames.udp4), sealed(frames.tcp4, { from: STRANGER }))
  expect(v.captured.map(text)).toEqual([text(frames.udp4)])
})

test('a capture of layer 3 holds packets alone, without what they are filled up with', () => {
  const { v } = vtep({ sourceCheck: false }, {}, false)
  v.tables.handle({ kind: 'capture', id: 0, on: true })
  const [arp, udp, six] = [frames.arpRequest, frames.udp4, frames.udp6].map((frame) => {
    const copy = Uint8Array.from([...frame, 0xa5, 0xa5])
    copy.fill(0xff, 0, 6)
    return sealed(copy)
  })
  v.in(arp!, udp!, six!)
  expect(v.captured.map(text)).toEqual([frames.udp4, frames.udp6].map((frame) => text(frame.subarray(14))))
  expect(v.drops()).toEqual({ 'not-ip': 1 })
})

describe('layer 3', () => {
  const route = (network: number[], v6: boolean, length: number) => ({ words: network, v6, length })
  const ours = (frame: Uint8Array): Uint8Array => {
    const copy = frame.slice()
    copy.set(hex('0200000000f1'), 0)
    return copy
  }

  /** Behind the peer are 10.42.0.0/24 and fd00:42::/64, that is the frames' senders. */
  function tunnel(settings = {}, mac: Uint8Array | null = null): { v: Vtep; ids: number[] } {
    const v = new Vtep()
    const prefixes = [route([0x0a2a0000, 0, 0, 0], false, 24), route([0xfd000042 | 0, 0, 0, 0], true, 64)]
    return { v, ids: v.network(0, 42, [far(PEER, { prefixes, mac }), far(OTHER)], settings, false) }
  }

  test.each(['tcp4', 'udp4', 'tcp6', 'udp6', 'options4', 'extensions6'] as const)(
    'the packet alone comes out: %s',
    (name) => {
      const { v } = tunnel()
      expect(v.in(sealed(ours(frames[name]))).map((s) => text(s.bytes))).toEqual([text(frames[name].subarray(14))])
      holds(v)
    },
  )

  test('a broadcast frame is for us, and what Ethernet padded is cut', () => {
    const { v } = tunnel()
    const padded = new Uint8Array(60)
    padded.set(frames.echo4)
    padded.fill(0xff, 0, 6)
    expect(v.in(sealed(padded)).map((s) => text(s.bytes))).toEqual([text(frames.echo4.subarray(14))])
  })

  test.each([
    ["another host's MAC", sealed(frames.udp4), 'not-for-us'],
    ['our own MAC as its source', sealed(said(ours(frames.udp4), '0200000000f1')), 'own-mac'],
    ['a tag', sealed(ours(frames.vlan)), 'inner-vlan-tag'],
    ['no IP in it', sealed(ours(frames.arpReply)), 'not-ip'],
    ['a cut packet', sealed(ours(frames.udp4).subarray(0, 40)), 'truncated'],
    ['a source behind nobody', sealed(ours(frames.neighbourSolicitation)), 'source-not-allowed'],
    ['a source behind somebody else', sealed(ours(frames.udp4), { from: OTHER }), 'source-not-allowed'],
    ['a TTL that is used up', sealed(zeroed(ours(frames.udp4), 14 + 8)), 'ttl-expired'],
    ['a hop limit that is used up', sealed(zeroed(ours(frames.udp6), 14 + 7)), 'ttl-expired'],
    ['CE on Not-ECT', sealed(ours(frames.tcp4), { tos: 3 }), 'ecn-ce-on-not-ect'],
  ])('refuses a frame with %s', (_title, wire, reason) => {
    const { v } = tunnel()
    expect(v.in(wire)).toEqual([])
    expect(v.drops()).toEqual({ [reason]: 1 })
    holds(v)
  })

  test('where sources are not checked any peer may say anything', () => {
    expect(tunnel({ sourceCheck: false }).v.in(sealed(ours(frames.udp4), { from: OTHER }))).toHaveLength(1)
  })

  test("the sender's MAC is learned, unless it is configured", () => {
    const free = tunnel()
    free.v.in(sealed(ours(frames.udp4)))
    expect([free.v.tables.vteps.macHi[free.ids[0]!], free.v.tables.vteps.macLo[free.ids[0]!]]).toEqual([0x0200, 1])
    const fixed = tunnel({}, hex('0200000000b1'))
    fixed.v.in(sealed(ours(frames.udp4)))
    expect(fixed.v.tables.vteps.macLo[fixed.ids[0]!]).toBe(0xb1)
  })
})

function checksumIsRight(header: Uint8Array): boolean {
  let sum = 0
  for (let i = 0; i < header.length; i += 2) sum += (header[i]! << 8) | header[i + 1]!
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16)
  return sum === 0xffff
}
