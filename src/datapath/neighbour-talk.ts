// ARP and neighbour discovery that pass by, on either side: what they say goes into the network's table, and a question of our
// own side that the table can answer is answered here. Read RFC 9161 §3 first; the rules that keep ARP whole:
//   - a question is kept back only with an answer to it in hand; one to its owner alone (RFC 4861 §7.3, unreachability) passes
//   - whoever tries an address out (RFC 5227, RFC 4862 §5.4) reaches its owner, but where nothing is flooded
//   - an answer is made for a station that the FDB knows behind the VTEP that it spoke from, and for no other
//   - what is said unasked (gratuitous ARP, unsolicited advertisements) passes, and takes the place of what was known
// Untagged frames only. Temperature: hot by form; it runs for ARP and ICMPv6 alone.
import type { Batch } from '../batch.ts'
import { ANSWERED_HERE, NONE } from '../drop.ts'
import { LOCAL, type Neighbours, OVERRIDE, UNTOLD } from '../overlay/neighbours.ts'
import type { Network } from '../overlay/networks.ts'
import * as arp from '../wire/arp.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as nd from '../wire/nd.ts'
import type { Answers } from './answers.ts'

/** Third word of an IPv4 address that is mapped into IPv6. */
const MAPPED = 0xffff

/** ARP in the frame at `off` from our side: 0, or ANSWERED_HERE. */
export function arpFromDevice(
  network: Network,
  neighbours: Neighbours,
  answers: Answers,
  frames: Batch,
  i: number,
  tick: number,
): number {
  const { bytes } = frames
  const off = frames.off[i]!
  const at = off + ethernet.LEN
  if (arp.check(bytes, at, off + frames.len[i]!) !== 0) return 0
  hearArp(neighbours, bytes, off, at, LOCAL, tick)
  if (arp.operation(bytes, at) !== arp.REQUEST) return 0
  const target = arp.targetIp(bytes, at)
  const sender = arp.senderIp(bytes, at)
  if (target === sender) return 0
  if (!ethernet.isGroup(bytes, off)) {
    neighbours.asked(0, 0, MAPPED, target, tick)
    return 0
  }
  if (sender === 0 && network.floodOn) return 0
  const owner = neighbours.owner(0, 0, MAPPED, target, tick)
  if (owner === NONE || !isWhereItSpoke(network, neighbours, owner)) return 0
  answers.arp(network, frames, off, neighbours.hi(owner), neighbours.lo(owner))
  return ANSWERED_HERE
}

/** ARP in a frame at `off` from `vtep`. */
export function arpFromVtep(
  neighbours: Neighbours,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  end: number,
  tick: number,
): void {
  const at = off + ethernet.LEN
  if (arp.check(bytes, at, end) === 0) hearArp(neighbours, bytes, off, at, vtep, tick)
}

/** Neighbour discovery, the message at `icmp` of a frame from our side: 0, or ANSWERED_HERE. */
export function ndFromDevice(
  network: Network,
  neighbours: Neighbours,
  answers: Answers,
  frames: Batch,
  i: number,
  icmp: number,
  end: number,
  tick: number,
): number {
  const { bytes } = frames
  const off = frames.off[i]!
  if (!hearNd(neighbours, bytes, off, icmp, end, LOCAL, tick)) return 0
  const a = nd.targetWord(bytes, icmp, 0)
  const b = nd.targetWord(bytes, icmp, 1)
  const c = nd.targetWord(bytes, icmp, 2)
  const d = nd.targetWord(bytes, icmp, 3)
  if (!ethernet.isGroup(bytes, off)) {
    neighbours.asked(a, b, c, d, tick)
    return 0
  }
  if (network.floodOn && nd.isUnspecifiedSource(bytes, off + ethernet.LEN)) return 0
  const owner = neighbours.owner(a, b, c, d, tick)
  if (owner === NONE || !isWhereItSpoke(network, neighbours, owner)) return 0
  answers.nd(network, frames, off, icmp, neighbours.hi(owner), neighbours.lo(owner), neighbours.flags(owner))
  return ANSWERED_HERE
}

/** Notes what the message at `icmp` says of addresses; whether it is a solicitation that may be answered. */
export function hearNd(
  neighbours: Neighbours,
  bytes: Uint8Array,
  off: number,
  icmp: number,
  end: number,
  vtep: number,
  tick: number,
): boolean {
  const ip = off + ethernet.LEN
  // RFC 4861 §7.1: what does not hold to this is not neighbour discovery.
  if (nd.check(bytes, icmp, end) !== 0 || bytes[icmp + 1] !== 0 || ipv6.hopLimit(bytes, ip) !== nd.HOP_LIMIT) {
    return false
  }
  const type = nd.type(bytes, icmp)
  if (type === nd.NEIGHBOUR_ADVERTISEMENT && !nd.isGroupTarget(bytes, icmp)) {
    hearAdvertisement(neighbours, bytes, off, icmp, end, vtep, tick)
    return false
  }
  if (type !== nd.NEIGHBOUR_SOLICITATION || nd.isGroupTarget(bytes, icmp)) return false
  const mac = nd.linkAddress(bytes, icmp, end, nd.SOURCE_LINK_ADDRESS)
  const a = ipv6.srcWord(bytes, ip, 0)
  // From `::` or, against all rules, a group: nobody's address.
  if (mac !== NONE && !nd.isUnspecifiedSource(bytes, ip) && a >>> 24 !== 0xff && isSource(bytes, off, mac)) {
    const b = ipv6.srcWord(bytes, ip, 1)
    const c = ipv6.srcWord(bytes, ip, 2)
    const d = ipv6.srcWord(bytes, ip, 3)
    const hi = ethernet.srcHi(bytes, off)
    neighbours.claim(a, b, c, d, hi, ethernet.srcLo(bytes, off), vtep, UNTOLD, tick)
  }
  return true
}

function hearAdvertisement(
  neighbours: Neighbours,
  bytes: Uint8Array,
  off: number,
  icmp: number,
  end: number,
  vtep: number,
  tick: number,
): void {
  const a = nd.targetWord(bytes, icmp, 0)
  const b = nd.targetWord(bytes, icmp, 1)
  const c = nd.targetWord(bytes, icmp, 2)
  const d = nd.targetWord(bytes, icmp, 3)
  // RFC 4861 §4.4: an answer to one station need not say its MAC.
  const option = nd.linkAddress(bytes, icmp, end, nd.TARGET_LINK_ADDRESS)
  const mac = option === NONE ? off + 6 : option
  const hi = (bytes[mac]! << 8) | bytes[mac + 1]!
  const lo = (bytes[mac + 2]! << 24) | (bytes[mac + 3]! << 16) | (bytes[mac + 4]! << 8) | bytes[mac + 5]!
  if (!isSource(bytes, off, mac)) neighbours.doubt(a, b, c, d, hi, lo)
  else neighbours.claim(a, b, c, d, hi, lo, vtep, nd.flags(bytes, icmp) & (nd.ROUTER | nd.OVERRIDE), tick)
}

function hearArp(neighbours: Neighbours, bytes: Uint8Array, off: number, at: number, vtep: number, tick: number): void {
  const operation = arp.operation(bytes, at)
  if (operation !== arp.REQUEST && operation !== arp.REPLY) return
  const ip = arp.senderIp(bytes, at)
  // Of no host: 0.0.0.0/8, 127.0.0.0/8, groups and what is beyond them.
  const first = ip >>> 24
  if (first === 0 || first === 127 || first >= 224) return
  const hi = arp.senderHi(bytes, at)
  const lo = arp.senderLo(bytes, at)
  if (hi !== ethernet.srcHi(bytes, off) || lo !== ethernet.srcLo(bytes, off)) {
    neighbours.doubt(0, 0, MAPPED, ip, hi, lo)
  } else if ((hi & 0x100) === 0) {
    neighbours.claim(0, 0, MAPPED, ip, hi, lo, vtep, OVERRIDE, tick)
  }
}

// Whether frames to the owner would go to the VTEP from which it spoke. One that is on our side answers for itself.
function isWhereItSpoke(network: Network, neighbours: Neighbours, owner: number): boolean {
  const vtep = neighbours.vtep(owner)
  if (vtep === LOCAL) return false
  if (network.fdb.find(neighbours.hi(owner), neighbours.lo(owner)) === vtep) return true
  neighbours.forgetLearned(owner)
  return false
}

// Whether the MAC at `mac` is the frame's source, which a station has for its own.
function isSource(bytes: Uint8Array, off: number, mac: number): boolean {
  if ((bytes[mac]! & 1) !== 0) return false
  for (let k = 0; k < 6; k++) if (bytes[mac + k] !== bytes[off + 6 + k]) return false
  return true
}
