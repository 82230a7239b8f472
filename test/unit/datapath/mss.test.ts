// TCP's segment size on its way through both walks. The rewriting itself, checksum and all: test/property/mss.test.ts.
import { describe, expect, test } from 'vitest'
import { isDue, room } from '../../../src/datapath/mss.ts'
import { Fdb } from '../../../src/overlay/fdb.ts'
import { Network } from '../../../src/overlay/networks.ts'
import { Routes } from '../../../src/overlay/routes.ts'
import { keyWords, Vteps } from '../../../src/overlay/vteps.ts'
import { hex, text } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'
import { clamped } from '../../support/reference/mss.ts'
import { type Frame, far, Vtep } from '../../support/vtep.ts'

const PEER = '198.18.0.2'
const OTHER = '198.18.0.3'
/** A SYN that offers 1390, over IPv6; the same behind one tag, and behind two. */
const syn = frames.tcp6
const tagged = (...tags: string[]): Uint8Array =>
  Uint8Array.from([...syn.subarray(0, 12), ...hex(tags.join('')), ...syn.subarray(12)])
const one = tagged('81000007')
const two = tagged('88a80064', '81000007')
const MTU = 1400
/** VXLAN, UDP, IPv4 and Ethernet around it. */
const INNER = MTU - 50

interface Options {
  settings?: object
  layer2?: boolean
  mtu?: number
  device?: number
}

function host({ settings = {}, layer2 = true, mtu = MTU, device = 0 }: Options = {}): Vtep {
  const v = new Vtep()
  const prefixes = [{ words: [0xfd000042 | 0, 0, 0, 0], v6: true, length: 64 }]
  const peers = [far(PEER, { mtu, prefixes }), far(OTHER, { mtu: 1280 })]
  const [vtep] = v.network(0, 42, peers, { mssClamp: true, keepVlan: true, ...settings }, layer2)
  v.tables.networks.at(0)!.deviceMtu = device
  v.tables.networks.at(0)!.fdb.learn(0x0200, 2, vtep!, 0)
  return v
}

const twin = (bytes: Uint8Array, mtu: number, l2 = true): string => text(Uint8Array.from(clamped([...bytes], l2, mtu)))

describe('a SYN', () => {
  test.each([
    ['as it is', syn, INNER],
    ['behind a VLAN tag, which takes room as well', one, INNER - 4],
  ])('that a device hands over offers what the path carries: %s', (_title, frame, mtu) => {
    const [sent] = host().out(frame)
    expect(text(sent!.bytes.subarray(8))).toBe(twin(frame, mtu))
    expect(twin(frame, mtu)).not.toBe(text(frame))
  })

  test.each([
    ['as it is', syn, INNER],
    ['behind a VLAN tag', one, INNER - 4],
  ])('that the underlay brings offers what the way back carries: %s', (_title, frame, mtu) => {
    const bytes = Uint8Array.from([...hex('0800000000002a00'), ...frame])
    const [got] = host().in({ bytes, from: PEER })
    expect(text(got!.bytes)).toBe(twin(frame, mtu))
  })

  test('in layer 3, both ways', () => {
    const v = host({ layer2: false, settings: { sourceCheck: false } })
    const packet = syn.slice(14)
    const [sent] = v.out({ bytes: packet, l3: 0 })
    expect(text(sent!.bytes.subarray(22))).toBe(twin(packet, INNER, false))
    const ours = syn.slice()
    ours.set(hex('0200000000f1'))
    const [got] = v.in({ bytes: Uint8Array.from([...hex('0800000000002a00'), ...ours]), from: PEER })
    expect(text(got!.bytes)).toBe(twin(packet, INNER, false))
  })

  test('offers no more than the device takes', () => {
    const [sent] = host({ device: 1300 }).out(syn)
    expect(text(sent!.bytes.subarray(8))).toBe(twin(syn, 1300))
    expect(text(host({ device: 1300, mtu: 0 }).out(syn)[0]!.bytes.subarray(8))).toBe(twin(syn, 1300))
  })

  test('whose checksum is to come keeps what stands there', () => {
    const [sent] = host().out({ bytes: syn, sum: (54 << 16) | 16 })
    expect(text(sent!.bytes.subarray(8 + 54 + 16, 8 + 54 + 18))).toBe('dfe7')
    expect(text(sent!.bytes.subarray(8 + 54 + 22))).toBe((INNER - 60).toString(16).padStart(4, '0'))
  })

  test('to a station that nobody knows offers what all paths carry', () => {
    const v = host()
    v.tables.networks.at(0)!.fdb.forget(0x0200, 2)
    const sent = v.out(syn)
    expect(sent).toHaveLength(2)
    for (const s of sent) expect(text(s.bytes.subarray(8))).toBe(twin(syn, 1280 - 50))
  })

  test.each<[string, Uint8Array | Frame, Options]>([
    ['where nothing is clamped', syn, { settings: { mssClamp: false } }],
    ['that offers little', syn, { mtu: 1500 }],
    ['of a path that nobody knows', syn, { mtu: 0 }],
    ['behind two tags', two, {}],
    ['that is a train', { bytes: syn, segment: 1, header: 74, kind: 4 }, {}],
  ])('%s stays as it is', (_title, frame, options) => {
    const bytes = frame instanceof Uint8Array ? frame : frame.bytes
    expect(text(host(options).out(frame)[0]!.bytes.subarray(8))).toBe(text(bytes))
  })
})

// Bytes of frame or packet in 1500 bytes of underlay: docs/data-path.md.
test.each([
  ['plain tap', 4789, true, [0, 0, 0xffff, 1], 28, 1464],
  ['plain tun', 4789, false, [0, 0, 0xffff, 1], 28, 1450],
  ['secure tap', 0, true, keyWords(1), 60, 1432],
  ['secure tun', 0, false, keyWords(1), 60, 1440],
  ['secure tun over IPv6', 0, false, keyWords(1), 80, 1420],
] as const)('room in a %s network', (_title, port, layer2, words, overhead, bytes) => {
  const network = new Network(0, 42, layer2, port, new Fdb(16, 0, 1), new Routes(1))
  const vteps = new Vteps(64, 1)
  const [a, b, c, d] = words as [number, number, number, number]
  const vtep = vteps.add(0, a, b, c, d, false)
  vteps.mtu[vtep] = 1500
  vteps.overhead[vtep] = overhead
  expect(room(network, vteps, vtep)).toBe(bytes)
})

// A frame's header is no part of what IPv6 needs.
test.each([
  ['secure tap', 0, true, 1293, true],
  ['secure tap', 0, true, 1294, false],
  ['secure tun', 0, false, 1279, true],
  ['secure tun', 0, false, 1280, false],
  ['plain tap', 4789, true, 600, false],
] as const)('a %s network looks at SYNs unasked where IPv6 lacks room', (_title, port, layer2, bytes, due) => {
  const network = new Network(0, 42, layer2, port, new Fdb(16, 0, 1), new Routes(1))
  expect(isDue(network, bytes)).toBe(due)
  network.mssClamp = true
  expect(isDue(network, bytes)).toBe(true)
})
