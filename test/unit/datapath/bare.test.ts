// Networks whose packets stand in UDP as they are (flannel's udp back end): both walks.
import { expect, test } from 'vitest'
import { TX_BYTES } from '../../../src/counters.ts'
import type { Far } from '../../../src/datapath/mailbox.ts'
import { NONE } from '../../../src/drop.ts'
import { hex, text } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'
import { far, Vtep, type Wire } from '../../support/vtep.ts'

// The packets go from 10.42.0.1 to 10.42.0.2, or back.
const PEER = '198.18.0.2'
const TCP = frames.tcp4.subarray(14)
const one = (address: number) => [{ words: [address, 0, 0, 0], v6: false, length: 32 }]
const SRC = (TCP[12]! << 24) | (TCP[13]! << 16) | (TCP[14]! << 8) | TCP[15]!
const DST = (TCP[16]! << 24) | (TCP[17]! << 16) | (TCP[18]! << 8) | TCP[19]!

function network(behind: number): { v: Vtep; ids: number[] } {
  const v = new Vtep()
  return { v, ids: v.network(0, NONE, [far(PEER, { prefixes: one(behind), mtu: 1500 })], {}, false) }
}
const from = (address: string, bytes: Uint8Array, more: Partial<Wire> = {}): Wire => ({ bytes, from: address, ...more })

test('a packet leaves as it is, by the port that peers listen on', () => {
  const { v, ids } = network(DST)
  const sent = v.out({ bytes: TCP, l3: 0 })
  expect(sent.map((s) => text(s.bytes))).toEqual([text(TCP)])
  expect(sent[0]!.peer).toBe(ids[0])
  expect(v.counters.network(0, TX_BYTES)).toBe(TCP.length)
  expect(v.law()[0]).toBe(v.law()[1])
})

test('one that does not fit into 1500 bytes with IPv4 and UDP is answered', () => {
  const { v } = network(DST)
  const packet = new Uint8Array(1473)
  packet.set(TCP)
  packet[2] = 1473 >> 8
  packet[3] = 1473 & 255
  expect(v.out({ bytes: packet, l3: 0 })).toEqual([])
  expect(v.drops()).toEqual({ 'too-big': 1 })
})

test('what comes is heard from members only, and for their subnets only', () => {
  const { v } = network(SRC)
  expect(v.in(from(PEER, TCP)).map((s) => text(s.bytes))).toEqual([text(TCP)])
  expect(v.in(from('198.18.0.9', TCP))).toEqual([])
  expect(v.drops()).toEqual({ 'vxlan-unknown-vtep': 1 })
  const { v: other } = network(DST)
  expect(other.in(from(PEER, TCP))).toEqual([])
  expect(other.drops()).toEqual({ 'source-not-allowed': 1 })
})

test('a train is cut by its size, whatever its packets look like', () => {
  const { v } = network(SRC)
  const two = Uint8Array.from([...TCP, ...TCP])
  expect(v.in(from(PEER, two, { segment: TCP.length }))).toHaveLength(2)
})

test('what is neither IPv4 nor IPv6 is dropped, VXLAN too', () => {
  const { v } = network(SRC)
  expect(v.in(from(PEER, hex('0800000000002a00')), from(PEER, hex('')))).toEqual([])
  expect(v.drops()).toEqual({ 'not-ip': 1, truncated: 1 })
  expect(v.law()[0]).toBe(v.law()[1])
})

test('VXLAN networks on other ports go on', () => {
  const { v } = network(SRC)
  v.tables.ports[0] = 9999
  expect(v.in(from(PEER, TCP))).toEqual([])
  expect(v.drops()).toEqual({ 'vxlan-no-vni': 1 })
})

test('a twin may speak for what is behind the other, and for nothing else', () => {
  const { v, ids } = network(SRC)
  const change = (peers: readonly Far[], gone: readonly number[] = []): number[] =>
    v.tables.handle({ kind: 'change-peers', id: 0, peers, gone }) as number[]
  const [twin] = change([{ ...far('198.18.0.3'), twin: ids[0]! }])
  expect(v.in(from('198.18.0.3', TCP))).toHaveLength(1)
  change([{ ...far('198.18.0.3') }])
  expect(v.in(from('198.18.0.3', TCP))).toEqual([])
  change([{ ...far('198.18.0.3'), twin: ids[0]! }], [])
  change([far('198.18.0.4', { prefixes: one(SRC) })], [ids[0]!])
  expect(v.in(from('198.18.0.3', TCP))).toEqual([])
  expect(v.tables.vteps.twin[twin!]).toBe(NONE)
})

test('an address with two MACs may speak for what is behind either', () => {
  const { v } = network(DST)
  const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last)
  const change = (peers: readonly Far[], gone: readonly number[] = []): number[] =>
    v.tables.handle({ kind: 'change-peers', id: 0, peers, gone }) as number[]
  const [a] = change([far('198.18.0.3', { mac: mac(1) })])
  expect(v.in(from('198.18.0.3', TCP))).toEqual([])
  const [b] = change([far('198.18.0.3', { mac: mac(2), prefixes: one(SRC) })])
  expect(v.in(from('198.18.0.3', TCP))).toHaveLength(1)
  change([], [a!])
  expect(v.in(from('198.18.0.3', TCP))).toHaveLength(1)
  change([], [b!])
  expect(v.in(from('198.18.0.3', TCP))).toEqual([])
  expect(v.drops()).toEqual({ 'source-not-allowed': 1, 'vxlan-unknown-vtep': 1 })
})
