// The walk from a device to the underlay, alone: frames of test/support/packets.ts in, datagrams out.
import { describe, expect, test } from 'vitest'
import { COPIES, FLOODED, IN_PACKETS, TX_BYTES, TX_PACKETS, VTEP_TX_BYTES } from '../../../src/counters.ts'
import { hex, text, zeroed } from '../../support/bytes.ts'
import { FAR_HI, FAR_LO, vtep } from '../../support/far-station.ts'
import { holds } from '../../support/law.ts'
import { frames, tooBig4 } from '../../support/packets.ts'
import { far, type Keeper, SETTINGS, Vtep } from '../../support/vtep.ts'

const A = far('198.18.0.2')
const B = far('198.18.0.3')
const C = far('198.18.0.4')

describe('encapsulation', () => {
  test.each([0, 1, 0x2a, 0x123456, 0xffffff])(
    'VX4 VX5 VX8 the header of VNI %i: flag I alone, the rest zero',
    (vni) => {
      const v = new Vtep()
      v.network(0, vni, [A])
      const [sent] = v.out(frames.arpRequest)
      expect(text(sent!.bytes)).toBe(`08000000${vni.toString(16).padStart(6, '0')}00${text(frames.arpRequest)}`)
    },
  )

  test.each(Object.entries(frames).filter(([name]) => name !== 'vlan' && name !== 'qinq'))(
    'a frame goes out unchanged behind 8 bytes: %s',
    (_name, frame) => {
      const { v } = vtep()
      const sent = v.out(frame)
      expect(sent.map((s) => text(s.bytes))).toEqual([`0800000000002a00${text(frame)}`])
      expect(v.drops()).toEqual({})
    },
  )

  test('what native needs moves with the headers in front: IP header, checksum position', () => {
    const { v } = vtep()
    const [sent] = v.out({ bytes: frames.tcp4, sum: (34 << 16) | 16 })
    expect(sent).toMatchObject({ l3: 22, sum: (42 << 16) | 16, segment: 0, header: 0, kind: 0 })
    expect(v.out(frames.arpRequest)[0]).toMatchObject({ l3: 0, sum: 0 })
  })

  test('a train stays one: its headers grow, its segments do not', () => {
    const { v } = vtep()
    const bytes = new Uint8Array(54 + 5 * 100 - 1)
    bytes.set(frames.tcp4.subarray(0, 54))
    const [sent] = v.out({ bytes, segment: 100, header: 54, kind: 1, sum: (34 << 16) | 16 })
    expect(sent).toMatchObject({ segment: 100, header: 62, kind: 1, l3: 22 })
    expect(sent!.bytes).toHaveLength(bytes.length + 8)
    expect(v.counters.network(0, IN_PACKETS)).toBe(5)
    expect(v.counters.network(0, TX_PACKETS)).toBe(5)
    // Bytes as the device would count the five frames.
    expect(v.counters.network(0, TX_BYTES)).toBe(5 * 54 + 499)
    expect(v.counters.vtep(sent!.peer, VTEP_TX_BYTES)).toBe(5 * 54 + 499)
    holds(v)
  })

  test('VX27 the same MAC in two networks goes where each has learned it', () => {
    const v = new Vtep()
    const [a] = v.network(0, 42, [A])
    const [b] = v.network(1, 43, [B])
    expect(a).not.toBe(b)
    v.tables.networks.at(0)!.fdb.learn(FAR_HI, FAR_LO, a!, 0)
    v.tables.networks.at(1)!.fdb.learn(FAR_HI, FAR_LO, b!, 0)
    const sent = v.out(
      { bytes: frames.tcp4, link: 0 },
      { bytes: frames.tcp4, link: 1 },
      { bytes: frames.tcp4, link: 0 },
    )
    expect(sent.map((s) => [s.peer, s.bytes[6]])).toEqual([
      [a, 42],
      [b, 43],
      [a, 42],
    ])
  })
})

describe('refusals', () => {
  test.each([
    ['VX18 a frame with a VLAN tag, unless the network keeps them', frames.vlan, 'inner-vlan-tag'],
    ['VX18 a frame with two tags', frames.qinq, 'inner-vlan-tag'],
    ['a frame shorter than its header', hex('020000000002 0200000000'), 'truncated'],
  ])('%s', (_title, frame, reason) => {
    const { v } = vtep()
    expect(v.out(frame)).toEqual([])
    expect(v.drops()).toEqual({ [reason]: 1 })
    holds(v)
  })

  test('VX18 a network that keeps tags sends them as they are', () => {
    const { v } = vtep([A], { keepVlan: true })
    expect(v.out(frames.vlan, frames.qinq).map((s) => text(s.bytes.subarray(8)))).toEqual([
      text(frames.vlan),
      text(frames.qinq),
    ])
  })

  test('what the kernel refuses is counted, per datagram', () => {
    const { v } = vtep()
    v.udp.refuse = (s) => (s.bytes[8 + 12] === 0x86 ? -101 : 0)
    expect(v.out(frames.tcp4, frames.tcp6, frames.udp4)).toHaveLength(2)
    expect(v.drops()).toEqual({ 'udp-send-failed': 1 })
    expect(v.counters.network(0, TX_PACKETS)).toBe(2)
    holds(v)
  })

  test('a device whose network is gone', () => {
    const { v } = vtep()
    expect(v.out({ bytes: frames.tcp4, link: 5 })).toEqual([])
    expect(v.drops()).toEqual({ 'device-gone': 1 })
  })
})

describe('flood', () => {
  const BUM = [
    ['broadcast', frames.arpRequest],
    ['multicast', frames.neighbourSolicitation],
    ['an unknown station', frames.udp4],
  ] as const

  test.each(BUM)('%s goes to every peer, the same bytes', (_title, frame) => {
    const v = new Vtep()
    const ids = v.network(0, 42, [A, B, C])
    const sent = v.out(frame)
    expect(sent.map((s) => s.peer)).toEqual(ids)
    expect(new Set(sent.map((s) => text(s.bytes)))).toEqual(new Set([`0800000000002a00${text(frame)}`]))
    expect([IN_PACKETS, COPIES, FLOODED, TX_PACKETS].map((c) => v.counters.network(0, c))).toEqual([1, 2, 1, 3])
    holds(v)
  })

  test.each(BUM)('%s goes nowhere where flooding is off', (_title, frame) => {
    const v = new Vtep()
    v.network(0, 42, [A, B], { floodOn: false })
    expect(v.out(frame)).toEqual([])
    expect(v.drops()).toEqual({ 'flood-off': 1 })
    holds(v)
  })

  test('a known station is reached where flooding is off', () => {
    const { v, ids } = vtep([A, B], { floodOn: false })
    expect(v.out(frames.udp4).map((s) => s.peer)).toEqual([ids[0]])
  })

  test('a network without peers', () => {
    const v = new Vtep()
    v.network(0, 42, [])
    expect(v.out(frames.arpRequest)).toEqual([])
    expect(v.drops()).toEqual({ 'no-peer': 1 })
    holds(v)
  })

  test('an entry for a group address is no way around the flood', () => {
    const { v, ids } = vtep([A, B])
    v.tables.networks.at(0)!.fdb.put(0xffff, -1, ids[0]!, 0)
    expect(v.out(frames.arpRequest)).toHaveLength(2)
  })

  test('more copies than a batch holds go out in several, none twice, also when a socket is full', () => {
    const peers = Array.from({ length: 21 }, (_, i) => far(`198.18.1.${i}`))
    const v = new Vtep({ datagrams: 8 })
    const ids = v.network(0, 42, peers)
    v.udp.full = 3
    const sent = v.out(frames.arpRequest, frames.udp4, frames.neighbourSolicitation)
    expect(sent.map((s) => s.peer)).toEqual([...ids, ...ids, ...ids])
    expect(v.counters.network(0, FLOODED)).toBe(3)
    holds(v)
  })
})

describe('path MTU', () => {
  // 8 VXLAN, 8 UDP, 20 or 40 IP.
  test.each([
    ['198.18.0.2', 36],
    ['fd00::2', 56],
  ])('a frame that just fits towards %s goes, one byte more is too big', (address, more) => {
    const fits = frames.udp6.length + more
    for (const [mtu, out] of [
      [fits, 1],
      [fits - 1, 0],
    ] as const) {
      const { v } = vtep([far(address, { mtu })])
      expect(v.out(frames.udp6)).toHaveLength(out)
      expect(v.drops()).toEqual(out ? {} : { 'too-big': 1 })
      holds(v)
    }
  })

  test('an unknown MTU lets everything pass', () => {
    const { v } = vtep([far('198.18.0.2', { mtu: 0 })])
    expect(v.out(new Uint8Array(9000))).toHaveLength(1)
  })

  test('of a train the segments count, not the whole', () => {
    const bytes = new Uint8Array(54 + 4000)
    bytes.set(frames.tcp4.subarray(0, 54))
    const train = { bytes, segment: 1000, header: 54, kind: 1 }
    const fits = vtep([far('198.18.0.2', { mtu: 1054 + 36 })])
    expect(fits.v.out(train)).toHaveLength(1)
    const { v } = vtep([far('198.18.0.2', { mtu: 1054 + 35 })])
    expect(v.out(train)).toEqual([])
    expect(v.drops()).toEqual({ 'too-big': 4 })
    holds(v)
  })

  test('of a flood each path decides for itself', () => {
    const v = new Vtep()
    const ids = v.network(0, 42, [A, far('198.18.0.3', { mtu: 60 }), C])
    expect(v.out(frames.arpRequest).map((s) => s.peer)).toEqual([ids[0], ids[2]])
    expect(v.drops()).toEqual({ 'too-big': 1 })
    holds(v)
  })

  test('EMSGSIZE: the MTU is learned from the kernel, and the sender told', async () => {
    const { bigTcp4 } = await import('../../support/packets.ts')
    const { v, ids } = vtep()
    v.udp.refuse = () => -90
    v.native.mtus.set('198.18.0.2', 1000)
    expect(v.out(bigTcp4)).toEqual([])
    expect(v.tables.vteps.mtu[ids[0]!]).toBe(1000)
    expect(v.news).toEqual([{ kind: 'mtu', vtep: ids[0], mtu: 1000 }])
    expect(v.drops()).toEqual({ 'too-big': 1 })
    const [answer] = v.device.take()
    expect(answer!.bytes).toHaveLength(tooBig4.length)
    expect((answer!.bytes[40]! << 8) | answer!.bytes[41]!).toBe(1000 - 36 - 14)
    holds(v)
  })
})

describe('source port and TOS', () => {
  const portOf = (keeper: Keeper, v: Vtep, frame: Uint8Array): number => {
    const [sent] = v.out(frame)
    expect(keeper).toBe(v.udp)
    return sent!.port
  }

  test('VX11 a flow keeps its port index, many flows have many', () => {
    const { v } = vtep()
    const ports = new Set<number>()
    for (let flow = 0; flow < 256; flow++) {
      const frame = frames.udp4.slice()
      frame[34] = flow
      const port = portOf(v.udp, v, frame)
      // Other bytes of the same flow.
      frame[frame.length - 1] ^= 0xff
      frame[18] ^= 0xff
      expect(portOf(v.udp, v, frame)).toBe(port)
      // VX12: native makes a port of 49152..65535 of the index's lowest six bits.
      ports.add(port & 63)
    }
    expect(ports.size).toBeGreaterThan(48)
  })

  test('VX11 a network with a fixed port uses one', () => {
    const { v } = vtep([A], { hashPort: false })
    expect(new Set(v.out(frames.udp4, frames.tcp4, frames.tcp6, frames.arpReply).map((s) => s.port))).toEqual(
      new Set([0]),
    )
  })

  test.each([
    ['EC1 VX30 normal mode copies the inner ECN bits', {}, [0, 2, 1]],
    ['EC2 compatibility mode sends Not-ECT', { copyEcn: false }, [0, 0, 0]],
    ['EC5 DSCP and ECN are apart: a DSCP of the network', { dscp: 0x28 }, [0x28, 0x2a, 0x29]],
    ['EC5 DSCP of the inner packet, ECN off', { dscp: -1, copyEcn: false }, [0, 0xb8, 0xb8]],
    ['EC5 DSCP of the inner packet, ECN copied', { dscp: -1 }, [0, 0xba, 0xb9]],
  ])('%s', (_title, settings, tos) => {
    const { v } = vtep([A], settings)
    expect(v.out(frames.tcp4, frames.udp4, frames.tcp6).map((s) => s.tos)).toEqual(tos)
  })

  test('EC3 compatibility mode is not for ever: back in normal mode the bits are copied again', () => {
    const { v } = vtep([A], { copyEcn: false })
    expect(v.out(frames.udp4)[0]!.tos).toBe(0)
    v.tables.handle({ kind: 'set-network', id: 0, settings: SETTINGS })
    expect(v.out(frames.udp4)[0]!.tos).toBe(2)
  })

  test('EC8 what is not IP has no ECN, and the DSCP of the network if it has one', () => {
    expect(vtep([A]).v.out(frames.arpReply)[0]!.tos).toBe(0)
    expect(vtep([A], { dscp: 0x28 }).v.out(frames.arpReply)[0]!.tos).toBe(0x28)
    expect(vtep([A], { dscp: -1 }).v.out(frames.arpReply)[0]!.tos).toBe(0)
  })
})

test('a station that speaks on our side is forgotten on the far one', () => {
  const { v, ids } = vtep([A, B])
  const { fdb } = v.tables.networks.at(0)!
  fdb.learn(0x0200, 1, ids[1]!, 0)
  v.out(frames.udp4)
  expect(fdb.find(0x0200, 1)).toBe(-1)
  expect(fdb.find(FAR_HI, FAR_LO)).toBe(ids[0])
})

test('a capture sees what the device handed over, before anything is refused', () => {
  const { v } = vtep()
  v.tables.handle({ kind: 'capture', id: 0, on: true })
  v.out(frames.vlan, frames.udp4)
  expect(v.captured.map(text)).toEqual([text(frames.vlan), text(frames.udp4)])
})

describe('layer 3', () => {
  const packet = (frame: Uint8Array) => ({ bytes: frame.subarray(14), l3: 0 })
  const route = (words: number[], v6: boolean, length: number) => ({ words, v6, length })
  const ONE = far('198.18.0.2', {
    mac: hex('0200000000b1'),
    prefixes: [route([0x0a2a0000, 0, 0, 0], false, 24), route([0xfd000042 | 0, 0, 0, 0], true, 64)],
  })
  const REST = far('198.18.0.3', { prefixes: [route([0, 0, 0, 0], false, 0)] })

  function tunnel(peers = [ONE, REST], settings = {}): { v: Vtep; ids: number[] } {
    const v = new Vtep()
    return { v, ids: v.network(0, 42, peers, settings, false) }
  }

  test('a packet gets an Ethernet header with both MACs and goes to the peer of its longest prefix', () => {
    const { v, ids } = tunnel()
    const sent = v.out(packet(frames.tcp4), packet(frames.tcp6))
    expect(sent.map((s) => s.peer)).toEqual([ids[0], ids[0]])
    const head = '0800000000002a00 0200000000b1 0200000000f1'.replaceAll(' ', '')
    expect(text(sent[0]!.bytes)).toBe(`${head}0800${text(frames.tcp4.subarray(14))}`)
    expect(text(sent[1]!.bytes)).toBe(`${head}86dd${text(frames.tcp6.subarray(14))}`)
    expect(sent[0]).toMatchObject({ l3: 22, tos: 0 })
    expect(sent[1]).toMatchObject({ l3: 22, tos: 1 })
    expect(v.counters.network(0, TX_BYTES)).toBe(frames.tcp4.length + frames.tcp6.length - 28)
    holds(v)
  })

  test('while a MAC is neither configured nor learned, broadcast stands for it', () => {
    const { v, ids } = tunnel()
    const elsewhere = frames.udp4.slice(14)
    elsewhere[16] = 9
    const [sent] = v.out({ bytes: elsewhere, l3: 0 })
    expect(sent!.peer).toBe(ids[1])
    expect(text(sent!.bytes.subarray(8, 14))).toBe('ffffffffffff')
  })

  const to = (...address: number[]): Uint8Array => {
    const bytes = frames.udp4.slice(14)
    bytes.set(address, 16)
    return bytes
  }

  test.each([
    ['no route', frames.tcp6.subarray(14), 'no-route', [REST]],
    ['what is for all', to(255, 255, 255, 255), 'no-route', [ONE]],
    ['what is for a group', to(224, 0, 0, 251), 'no-route', [ONE]],
    ['no IP version', hex(`30${'00'.repeat(40)}`), 'not-ip', [ONE]],
    ['a TTL that is used up', zeroed(frames.udp4.subarray(14), 8), 'ttl-expired', [REST]],
    ['a hop limit that is used up', zeroed(frames.udp6.subarray(14), 7), 'ttl-expired', [REST]],
    ['a cut packet', frames.tcp4.subarray(14, 40), 'truncated', [ONE]],
    ['a cut header', frames.tcp4.subarray(14, 30), 'truncated', [ONE]],
    ['nothing but a version', hex('60'), 'truncated', [ONE]],
  ])('refuses %s', (_title, bytes, reason, peers) => {
    const { v } = tunnel(peers)
    expect(v.out({ bytes, l3: 0 })).toEqual([])
    expect(v.drops()).toEqual({ [reason]: 1 })
    holds(v)
  })

  test('an MTU is what is left behind 14 bytes of Ethernet', () => {
    const size = frames.tcp4.length - 14
    const fits = tunnel([{ ...ONE, mtu: size + 50 }])
    expect(fits.v.out(packet(frames.tcp4))).toHaveLength(1)
    const { v } = tunnel([{ ...ONE, mtu: size + 49 }])
    expect(v.out(packet(frames.tcp4))).toEqual([])
    expect(v.drops()).toEqual({ 'too-big': 1 })
  })
})
