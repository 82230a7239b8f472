// What the inbound walk asks of a frame inside a datagram, beyond its headers' own codecs. Temperature: hot.
import type { Batch } from '../batch.ts'
import * as ecn from '../wire/ecn.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as vxlan from '../wire/vxlan.ts'

/**
 * Whether a slot with a GRO size is one datagram with a whole inner super-packet: a kernel's VXLAN device on the same machine
 * hands such over with the size of the *inner* segments. Its inner packet is longer than that size; a datagram of a train
 * cannot be longer than the train's size.
 */
export function isSuperPacket(bytes: Uint8Array, off: number, end: number, size: number): boolean {
  if (end - off < vxlan.LEN + ethernet.LEN + 40) return false
  const frame = off + vxlan.LEN
  const l3 = ethernet.headerLen(bytes, frame, end)
  const packet = frame + l3
  if (end - packet < 40) return false
  const version = bytes[packet]! >>> 4
  const type = (bytes[packet - 2]! << 8) | bytes[packet - 1]!
  if (type === ethernet.IPV4 && version === 4) return vxlan.LEN + l3 + ipv4.totalLen(bytes, packet) > size
  if (type === ethernet.IPV6 && version === 6) return vxlan.LEN + l3 + ipv6.LEN + ipv6.payloadLen(bytes, packet) > size
  return false
}

/** RFC 6040 §4.2: the inner packet in [packet, end), of this EtherType, takes on what the outer one met. 0, or a drop code. */
export function combineEcn(bytes: Uint8Array, packet: number, end: number, outer: number, type: number): number {
  if (type === ethernet.IPV4 && ipv4.check(bytes, packet, end) === 0) {
    const inner = ipv4.tos(bytes, packet) & 3
    const now = ecn.decapsulate(inner, outer)
    if (now < 0) return now
    if (now !== inner) ipv4.setEcn(bytes, packet, now)
  } else if (type === ethernet.IPV6 && ipv6.check(bytes, packet, end) === 0) {
    const inner = ipv6.trafficClass(bytes, packet) & 3
    const now = ecn.decapsulate(inner, outer)
    if (now < 0) return now
    if (now !== inner) ipv6.setEcn(bytes, packet, now)
  }
  return 0
}

/**
 * Whether twenty bytes are the same. Words through a DataView, since datagrams lie at any offset: a third of the time of twenty
 * bytes (npm run bench -- walk).
 */
export function same(view: DataView, a: number, b: number): boolean {
  return (
    view.getInt32(a) === view.getInt32(b) &&
    view.getInt32(a + 4) === view.getInt32(b + 4) &&
    view.getInt32(a + 8) === view.getInt32(b + 8) &&
    view.getInt32(a + 12) === view.getInt32(b + 12) &&
    view.getInt32(a + 16) === view.getInt32(b + 16)
  )
}

export function viewOf({ bytes }: Batch): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
