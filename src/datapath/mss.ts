// TCP's segment size, lowered to what the path carries (`mssClamp`): for hosts that never hear of a path's MTU. Only SYN and SYN-ACK
// name it (RFC 9293 §3.7.1); both walks look for the two. A packet that is not wholly as it should be is left alone. In a secure
// network IPv6 gets this unasked where the path leaves less than IPv6 needs: no answer could tell its hosts.
// Temperature: hot.
import type { Batch } from '../batch.ts'
import { NONE } from '../drop.ts'
import type { Network } from '../overlay/networks.ts'
import type { Vteps } from '../overlay/vteps.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as tcp from '../wire/tcp.ts'

/** No host sends smaller segments (Linux: TCP_MIN_SND_MSS). */
const LEAST = 48
/** More than any packet has, headers and all: of a path that nobody knows. */
export const UNLIMITED = 1 << 20

/** Bytes of a frame of the network, or of a packet in layer 3, that reach a VTEP; UNLIMITED: not known. */
export function room(network: Network, vteps: Vteps, vtep: number): number {
  const mtu = vteps.mtu[vtep]!
  return mtu === 0 ? UNLIMITED : mtu - vteps.overhead[vtep]! - network.front
}

/** Whether SYNs towards a VTEP that `room` bytes reach are to be looked at. */
export function isDue(network: Network, room: number): boolean {
  return network.mssClamp || isNarrow(network, room)
}

// RFC 8200 §5: no IPv6 host takes an MTU under 1280.
function isNarrow(network: Network, room: number): boolean {
  return network.secure && room < ipv6.MTU_MIN + (network.layer2 ? ethernet.LEN : 0)
}

/**
 * Lowers what the SYN in slot i offers, if it is one: its answers must fit into `room`, and into the device. `summed`: TCP's
 * checksum is complete.
 */
export function clamp(b: Batch, i: number, network: Network, room: number, summed: boolean): void {
  const { bytes } = b
  const off = b.off[i]!
  const end = off + b.len[i]!
  const ip = network.layer2 ? packetAt(bytes, off, end) : off
  if (ip === NONE) return
  const v6 = bytes[ip]! >>> 4 === 6
  if (!v6 && !network.mssClamp) return
  const segment = v6 ? segment6(bytes, ip, end) : segment4(bytes, ip, end)
  if (segment === NONE || (tcp.flags(bytes, segment) & tcp.SYN) === 0) return
  const at = tcp.mssAt(bytes, segment)
  if (at === NONE) return
  const path = room - (ip - off)
  const mtu = network.deviceMtu !== 0 && network.deviceMtu < path ? network.deviceMtu : path
  // RFC 6691 §2: the fixed headers, whatever options packets will have.
  const most = mtu - (v6 ? ipv6.LEN : ipv4.LEN) - tcp.LEN
  tcp.lowerMss(bytes, segment, at, most < LEAST ? LEAST : most, summed)
}

// The packet of an Ethernet frame, behind at most one VLAN tag.
function packetAt(buf: Uint8Array, off: number, end: number): number {
  const header = ethernet.headerLen(buf, off, end)
  if (header > ethernet.LEN + ethernet.TAG_LEN) return NONE
  const ip = off + header
  const type = (buf[ip - 2]! << 8) | buf[ip - 1]!
  if (ip >= end) return NONE
  if (type === ethernet.IPV4) return buf[ip]! >>> 4 === 4 ? ip : NONE
  return type === ethernet.IPV6 && buf[ip]! >>> 4 === 6 ? ip : NONE
}

// A whole TCP header in a whole packet, or NONE.
function segment4(buf: Uint8Array, ip: number, end: number): number {
  if (ipv4.check(buf, ip, end) !== 0 || ipv4.protocol(buf, ip) !== ipv4.TCP) return NONE
  // Of a packet in fragments the first has the header, and its checksum covers them all: a correction holds.
  if (ipv4.fragmentOffset(buf, ip) !== 0) return NONE
  const at = ip + ipv4.headerLen(buf, ip)
  return tcp.check(buf, at, ip + ipv4.totalLen(buf, ip)) === 0 ? at : NONE
}

function segment6(buf: Uint8Array, ip: number, end: number): number {
  if (ipv6.check(buf, ip, end) !== 0) return NONE
  const last = ip + ipv6.LEN + ipv6.payloadLen(buf, ip)
  let at = ip + ipv6.LEN
  if (ipv6.nextHeader(buf, ip) !== ipv4.TCP) {
    if (ipv6.upperProtocol(buf, ip, last) !== ipv4.TCP) return NONE
    at = ipv6.upper(buf, ip, last)
  }
  return tcp.check(buf, at, last) === 0 ? at : NONE
}
