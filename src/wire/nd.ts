// IPv6 neighbour discovery, RFC 4861 §4: the ICMPv6 messages 133 to 137, their target and their link-layer address options.
// `off` is where the ICMPv6 header starts. Temperature: hot.
import * as drop from '../drop.ts'
import * as checksum from './checksum.ts'
import * as ipv6 from './ipv6.ts'

/** Bytes of the packet that `writeAdvertisement` writes: headers, target, target link-layer address. */
export const ADVERTISEMENT_LEN = ipv6.LEN + 32

/** RFC 4861 §7.1: what comes from another link has lost one on the way. */
export const HOP_LIMIT = 255

export const ROUTER_SOLICITATION = 133
export const ROUTER_ADVERTISEMENT = 134
export const NEIGHBOUR_SOLICITATION = 135
export const NEIGHBOUR_ADVERTISEMENT = 136
export const REDIRECT = 137

/** Options that carry a MAC. */
export const SOURCE_LINK_ADDRESS = 1
export const TARGET_LINK_ADDRESS = 2

/** Flags of an advertisement. */
export const ROUTER = 0x80
export const SOLICITED = 0x40
export const OVERRIDE = 0x20

/** Where the target of a solicitation, advertisement or redirect lies. */
export const TARGET = 8

/** In the IPv6 header in front. */
const HOPS = 7
const SOURCE = 8
const DESTINATION = 24

/** 0 if [off, end) starts with such a message, whole up to its options; else drop.TRUNCATED or drop.NOT_IP. Call first. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < 8) return drop.TRUNCATED
  const len = fixedLen(buf[off])
  if (len === 0) return drop.NOT_IP
  return end - off < len ? drop.TRUNCATED : 0
}

export function type(buf: Uint8Array, off: number): number {
  return buf[off]
}

/** ROUTER | SOLICITED | OVERRIDE, of a neighbour advertisement. */
export function flags(buf: Uint8Array, off: number): number {
  return buf[off + 4]
}

/** Word 0 to 3 of the target, of a neighbour solicitation, advertisement or redirect. */
export function targetWord(buf: Uint8Array, off: number, word: number): number {
  const o = off + TARGET + (word << 2)
  return (buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3]
}

/** Where in `buf` the 6 bytes of the first link-layer address option of this kind lie, or NONE. */
export function linkAddress(buf: Uint8Array, off: number, end: number, kind: number): number {
  let at = off + fixedLen(buf[off])
  while (end - at >= 8) {
    const len = buf[at + 1] << 3
    // RFC 4861 §4.6: a message with an option of length 0 is to be thrown away.
    if (len === 0 || end - at < len) return drop.NONE
    if (buf[at] === kind) return at + 2
    at += len
  }
  return drop.NONE
}

/** Of a neighbour solicitation, advertisement or redirect: whether its target is a group, which it must not be. */
export function isGroupTarget(buf: Uint8Array, off: number): boolean {
  return buf[off + TARGET] === 0xff
}

/**
 * Writes at `at` the IPv6 packet that answers the solicitation at `off` of the packet at `ip` in `buf`: its target has this
 * MAC. `flags`: ROUTER | OVERRIDE. To a solicitation from `::` the answer goes to all nodes (RFC 4861 §7.2.4).
 */
export function writeAdvertisement(
  out: Uint8Array,
  at: number,
  buf: Uint8Array,
  ip: number,
  off: number,
  hi: number,
  lo: number,
  flags: number,
): void {
  const anonymous = isUnspecifiedSource(buf, ip)
  ipv6.write(out, at, ADVERTISEMENT_LEN - ipv6.LEN, ipv6.ICMPV6, buf, off + TARGET, ip + SOURCE)
  if (anonymous) {
    out[at + DESTINATION] = 0xff
    out[at + DESTINATION + 1] = 0x02
    out[at + DESTINATION + 15] = 1
  }
  out[at + HOPS] = HOP_LIMIT
  const icmp = at + ipv6.LEN
  out[icmp] = NEIGHBOUR_ADVERTISEMENT
  out[icmp + 1] = 0
  out[icmp + 2] = 0
  out[icmp + 3] = 0
  out[icmp + 4] = anonymous ? flags : flags | SOLICITED
  out[icmp + 5] = 0
  out[icmp + 6] = 0
  out[icmp + 7] = 0
  for (let k = 0; k < 16; k++) out[icmp + TARGET + k] = buf[off + TARGET + k]
  out[icmp + 24] = TARGET_LINK_ADDRESS
  out[icmp + 25] = 1
  out[icmp + 26] = hi >>> 8
  out[icmp + 27] = hi
  out[icmp + 28] = lo >>> 24
  out[icmp + 29] = lo >>> 16
  out[icmp + 30] = lo >>> 8
  out[icmp + 31] = lo
  const sum = checksum.finish(checksum.sum(out, icmp, icmp + 32, checksum.pseudo6(out, at, ipv6.ICMPV6, 32)))
  out[icmp + 2] = sum >>> 8
  out[icmp + 3] = sum
}

/** Whether the packet at `ip` comes from `::`: somebody tries an address out (RFC 4862 §5.4). */
export function isUnspecifiedSource(buf: Uint8Array, ip: number): boolean {
  let any = 0
  for (let k = 0; k < 16; k++) any |= buf[ip + SOURCE + k]
  return any === 0
}

/** Bytes in front of the options; 0: not such a message. */
function fixedLen(type: number): number {
  if (type === NEIGHBOUR_SOLICITATION || type === NEIGHBOUR_ADVERTISEMENT) return 24
  if (type === ROUTER_SOLICITATION) return 8
  if (type === ROUTER_ADVERTISEMENT) return 16
  return type === REDIRECT ? 40 : 0
}
