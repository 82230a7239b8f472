// What a layer 2 network hears in passing: ARP, neighbour discovery, and who listens to which group. The walks ask for every
// frame that is for a group or whose type is not IPv4's; a stream of unicast IPv4 never comes here. Untagged frames only: what
// a VLAN's stations say holds for their VLAN, and is flooded as if nobody heard it.
// Temperature: hot.
import type { Batch } from '../batch.ts'
import * as drop from '../drop.ts'
import type { Network } from '../overlay/networks.ts'
import { LOCAL, type Snoop, V4, V6 } from '../overlay/snoop.ts'
import * as checksum from '../wire/checksum.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as igmp from '../wire/igmp.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as mld from '../wire/mld.ts'
import * as nd from '../wire/nd.ts'
import type { Answers } from './answers.ts'
import { hearIgmp, hearMld, isStream4, isStream6 } from './group-talk.ts'
import * as neighbourTalk from './neighbour-talk.ts'

const HOP_BY_HOP = 0
const MAPPED = 0xffff

/**
 * Whether the frame at `off` is anything but untagged IPv4 (0x0800) for one station: for the walks, so that what has nothing to
 * say costs one branch.
 */
export function isOfNote(bytes: Uint8Array, off: number): boolean {
  return ((bytes[off]! & 1) | (bytes[off + 12]! ^ 0x08) | bytes[off + 13]!) !== 0
}

/** Slot i came from the device, and is no train: 0, or ANSWERED_HERE when the answer is on its way back. */
export function fromDevice(network: Network, answers: Answers, frames: Batch, i: number, tick: number): number {
  const { bytes } = frames
  const off = frames.off[i]!
  const end = off + frames.len[i]!
  const { neighbours } = network
  const type = ethernet.etherType(bytes, off)
  if (type === ethernet.ARP) {
    return neighbours === null ? 0 : neighbourTalk.arpFromDevice(network, neighbours, answers, frames, i, tick)
  }
  if (type === ethernet.IPV4) {
    if (network.snoop !== null) hearGroup4(network.snoop, LOCAL, bytes, off, end, tick)
    return 0
  }
  if (type !== ethernet.IPV6) return 0
  const icmp = icmpv6(bytes, off, end)
  if (icmp === drop.NONE) return hearPim6(network.snoop, LOCAL, bytes, off, end, tick)
  const last = endOf6(bytes, off)
  if (isNeighbour(bytes[icmp]!)) {
    if (neighbours === null) return 0
    return neighbourTalk.ndFromDevice(network, neighbours, answers, frames, i, icmp, last, tick)
  }
  if (network.snoop !== null) hearMld(network.snoop, LOCAL, bytes, off, icmp, last, tick)
  return 0
}

/** The frame in [off, end), which `isOfNote`, came from `vtep`: 0, or why it is not for the device. */
export function fromVtep(
  network: Network,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  end: number,
  tick: number,
): number {
  const { neighbours, snoop } = network
  if (!network.keepVlan && ethernet.isTagged(bytes, off)) return drop.INNER_VLAN_TAG
  const type = ethernet.etherType(bytes, off)
  if (type === ethernet.ARP) {
    if (neighbours !== null) neighbourTalk.arpFromVtep(neighbours, vtep, bytes, off, end, tick)
    return 0
  }
  if (type === ethernet.IPV4) return snoop === null ? 0 : hearGroup4(snoop, vtep, bytes, off, end, tick)
  if (type !== ethernet.IPV6) return 0
  const icmp = icmpv6(bytes, off, end)
  if (icmp === drop.NONE) return hearPim6(snoop, vtep, bytes, off, end, tick)
  const last = endOf6(bytes, off)
  if (!isNeighbour(bytes[icmp]!)) return snoop === null ? 0 : hearMld(snoop, vtep, bytes, off, icmp, last, tick)
  if (neighbours !== null) neighbourTalk.hearNd(neighbours, bytes, off, icmp, last, vtep, tick)
  return 0
}

/** Who gets the frame in [off, end) that is for a group: those that listen, or all when it is not known who does. */
export function receivers(network: Network, snoop: Snoop, bytes: Uint8Array, off: number, end: number): Int32Array {
  const ip = off + ethernet.LEN
  const type = ethernet.etherType(bytes, off)
  if (type === ethernet.IPV4) {
    if (end - ip < ipv4.LEN || ipv4.protocol(bytes, ip) === igmp.PROTOCOL) return network.flood
    const group = ipv4.dst(bytes, ip)
    return isStream4(group) ? snoop.receivers(0, 0, MAPPED, group) : network.flood
  }
  if (type !== ethernet.IPV6 || end - ip < ipv6.LEN) return network.flood
  const a = ipv6.dstWord(bytes, ip, 0)
  if (!isStream6(a) || isMld(bytes, off, end)) return network.flood
  return snoop.receivers(a, ipv6.dstWord(bytes, ip, 1), ipv6.dstWord(bytes, ip, 2), ipv6.dstWord(bytes, ip, 3))
}

// What a group frame says of groups: 0, or REPORT_KEPT.
function hearGroup4(snoop: Snoop, vtep: number, bytes: Uint8Array, off: number, end: number, tick: number): number {
  const ip = off + ethernet.LEN
  if (ipv4.check(bytes, ip, end) !== 0) return 0
  const protocol = ipv4.protocol(bytes, ip)
  if (protocol === igmp.PIM) snoop.router(V4, vtep, tick)
  if (protocol !== igmp.PROTOCOL || ipv4.isFragment(bytes, ip)) return 0
  return hearIgmp(snoop, vtep, bytes, off, ip, ip + ipv4.totalLen(bytes, ip), tick)
}

// Whoever speaks PIM is a router. Always 0.
function hearPim6(
  snoop: Snoop | null,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  end: number,
  tick: number,
): number {
  const ip = off + ethernet.LEN
  if (snoop === null || !ethernet.isGroup(bytes, off) || end - ip < ipv6.LEN) return 0
  if (ipv6.nextHeader(bytes, ip) === igmp.PIM) snoop.router(V6, vtep, tick)
  return 0
}

// Where the ICMPv6 message of a frame starts that is a neighbour's or of MLD, with a right checksum; NONE: there is none.
function icmpv6(bytes: Uint8Array, off: number, end: number): number {
  const ip = off + ethernet.LEN
  if (end - ip < ipv6.LEN) return drop.NONE
  const next = ipv6.nextHeader(bytes, ip)
  if ((next !== ipv6.ICMPV6 && next !== HOP_BY_HOP) || ipv6.check(bytes, ip, end) !== 0) return drop.NONE
  const last = endOf6(bytes, off)
  const icmp = ipv6.upper(bytes, ip, last)
  if (icmp === drop.NONE || icmp >= last || ipv6.upperProtocol(bytes, ip, last) !== ipv6.ICMPV6) return drop.NONE
  const type = bytes[icmp]!
  if (!isNeighbour(type) && mld.check(bytes, icmp, last) !== 0) return drop.NONE
  const length = last - icmp
  const sum = checksum.sum(bytes, icmp, last, checksum.pseudo6(bytes, ip, ipv6.ICMPV6, length))
  return checksum.finish(sum) === 0 ? icmp : drop.NONE
}

function isNeighbour(type: number): boolean {
  return type === nd.NEIGHBOUR_SOLICITATION || type === nd.NEIGHBOUR_ADVERTISEMENT
}

function isMld(bytes: Uint8Array, off: number, end: number): boolean {
  const icmp = icmpv6(bytes, off, end)
  return icmp !== drop.NONE && !isNeighbour(bytes[icmp]!)
}

function endOf6(bytes: Uint8Array, off: number): number {
  return off + ethernet.LEN + ipv6.LEN + ipv6.payloadLen(bytes, off + ethernet.LEN)
}
