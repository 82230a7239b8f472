// ICMP and ICMPv6 headers, and the one answer that the agent gives: "too big" (RFC 792 and RFC 1191 §4; RFC 4443 §3.2).
// It goes back as if the packet's own destination had sent it, MACs and VLAN tags included, so that it needs no address
// of ours; Linux' bridged tunnels do the same (net/ipv4/ip_tunnel_core.c, iptunnel_pmtud_build_icmp, since 5.9).
//   | type | code | checksum |   IPv4: 0, MTU (16)   IPv6: MTU (32) |   the packet's head …
// Temperature: warm; a sender that heeds the first answer causes no second.
import { NONE } from '../drop.ts'
import * as checksum from './checksum.ts'
import * as ethernet from './ethernet.ts'
import * as ipv4 from './ipv4.ts'
import * as ipv6 from './ipv6.ts'

/** Bytes of the header with its second word. */
export const LEN = 8

export const ECHO_REPLY = 0
export const UNREACHABLE = 3
export const SOURCE_QUENCH = 4
export const REDIRECT = 5
export const ECHO = 8
export const TIME_EXCEEDED = 11
export const PARAMETER_PROBLEM = 12
/** Code of UNREACHABLE. */
export const FRAGMENTATION_NEEDED = 4

export const TOO_BIG6 = 2
export const ECHO6 = 128
export const ECHO_REPLY6 = 129

/** RFC 792 and RFC 1812 §4.3.2.3; RFC 4443 §2.4 (c): how long an error packet gets. */
const MAX4 = 576
const MAX6 = 1280
/** RFC 791 §3.2, RFC 8200 §5: no host believes in a smaller one. */
const MIN_MTU4 = 68
const MIN_MTU6 = 1280
/** Longest answer: IPv6 behind two VLAN tags. */
export const MAX_ANSWER = ethernet.MAX_LEN + MAX6

export function type(buf: Uint8Array, off: number): number {
  return buf[off]
}

export function code(buf: Uint8Array, off: number): number {
  return buf[off + 1]
}

/** MTU that an answer to a too big packet names. */
export function mtu4(buf: Uint8Array, off: number): number {
  return (buf[off + 6] << 8) | buf[off + 7]
}

export function mtu6(buf: Uint8Array, off: number): number {
  return ((buf[off + 4] << 24) | (buf[off + 5] << 16) | (buf[off + 6] << 8) | buf[off + 7]) >>> 0
}

/** Identifier of an echo. */
export function echoId(buf: Uint8Array, off: number): number {
  return (buf[off + 4] << 8) | buf[off + 5]
}

/** Sequence number of an echo. */
export function echoSeq(buf: Uint8Array, off: number): number {
  return (buf[off + 6] << 8) | buf[off + 7]
}

/**
 * Answers the frame (`l2`) or packet in [off, end) with "too big, `mtu` bytes of IP packet fit": writes at most MAX_ANSWER
 * bytes to `out` at `at` and returns how many. NONE when no answer is due: not IP, one side is no single host, a fragment
 * other than the first, an ICMP error itself, or an MTU that no host would take (IPv4 under 68, IPv6 under 1280).
 * IPv4 packets without DF are answered too: one that comes here was not cut, and is lost like the others.
 */
export function writeTooBig(
  out: Uint8Array,
  at: number,
  buf: Uint8Array,
  off: number,
  end: number,
  l2: boolean,
  mtu: number,
): number {
  let header = 0
  if (l2) {
    if (ethernet.check(buf, off, end) !== 0) return NONE
    // RFC 1122 §3.2.2: no error about what was sent to a link-layer group.
    if (ethernet.isGroup(buf, off) || ethernet.isGroupSource(buf, off)) return NONE
    header = ethernet.headerLen(buf, off, end)
  }
  const ip = off + header
  const type = l2 ? (buf[ip - 2] << 8) | buf[ip - 1] : 0
  let len = NONE
  if ((!l2 || type === ethernet.IPV4) && ipv4.check(buf, ip, end) === 0) {
    if (isAnswerable4(buf, ip)) len = write4(out, at + header, buf, ip, mtu)
  } else if ((!l2 || type === ethernet.IPV6) && ipv6.check(buf, ip, end) === 0) {
    if (isAnswerable6(buf, ip)) len = write6(out, at + header, buf, ip, mtu)
  }
  if (len === NONE) return NONE
  if (l2) writeBack(out, at, buf, off, header)
  return header + len
}

/** The Ethernet header of the way back: MACs swapped, tags and type as they were. */
function writeBack(out: Uint8Array, at: number, buf: Uint8Array, off: number, header: number): void {
  for (let k = 0; k < 6; k++) out[at + k] = buf[off + 6 + k]
  for (let k = 0; k < 6; k++) out[at + 6 + k] = buf[off + k]
  for (let k = 12; k < header; k++) out[at + k] = buf[off + k]
}

// RFC 1122 §3.2.2, RFC 1812 §4.3.2.7: when not to send an ICMP error.
function isAnswerable4(buf: Uint8Array, ip: number): boolean {
  if (ipv4.fragmentOffset(buf, ip) !== 0) return false
  if (!isHost4(ipv4.src(buf, ip)) || !isHost4(ipv4.dst(buf, ip))) return false
  if (ipv4.protocol(buf, ip) !== ipv4.ICMP) return true
  const header = ipv4.headerLen(buf, ip)
  return ipv4.totalLen(buf, ip) > header && !isError4(buf[ip + header])
}

/** Not 0/8, 127/8, multicast or broadcast. */
function isHost4(address: number): boolean {
  const first = address >>> 24
  return first !== 0 && first !== 127 && first >>> 4 !== 0xe && address !== -1
}

function isError4(type: number): boolean {
  return (
    type === UNREACHABLE ||
    type === SOURCE_QUENCH ||
    type === REDIRECT ||
    type === TIME_EXCEEDED ||
    type === PARAMETER_PROBLEM
  )
}

// RFC 4443 §2.4 (e).
function isAnswerable6(buf: Uint8Array, ip: number): boolean {
  const end = ip + ipv6.LEN + ipv6.payloadLen(buf, ip)
  if (!isHost6(buf, ip + 8) || !isHost6(buf, ip + 24)) return false
  const upper = ipv6.upper(buf, ip, end)
  if (upper === NONE) return false
  if (ipv6.upperProtocol(buf, ip, end) !== ipv6.ICMPV6) return true
  // Errors are types 0 to 127; redirects must not be answered either.
  return upper < end && buf[upper] >= ECHO6 && buf[upper] !== 137
}

/** Not multicast, unspecified or loopback. */
function isHost6(buf: Uint8Array, at: number): boolean {
  if (buf[at] === 0xff) return false
  for (let k = 0; k < 15; k++) {
    if (buf[at + k] !== 0) return true
  }
  return buf[at + 15] > 1
}

function write4(out: Uint8Array, at: number, buf: Uint8Array, ip: number, mtu: number): number {
  if (mtu < MIN_MTU4) return NONE
  const quote = Math.min(ipv4.totalLen(buf, ip), MAX4 - ipv4.LEN - LEN)
  const len = ipv4.LEN + LEN + quote
  ipv4.write(out, at, len, ipv4.ICMP, ipv4.dst(buf, ip), ipv4.src(buf, ip))
  const icmp = at + ipv4.LEN
  writeHeader(out, icmp, UNREACHABLE, FRAGMENTATION_NEEDED, Math.min(mtu, 0xffff))
  for (let k = 0; k < quote; k++) out[icmp + LEN + k] = buf[ip + k]
  setChecksum(out, icmp, checksum.sum(out, icmp, at + len, 0))
  return len
}

function write6(out: Uint8Array, at: number, buf: Uint8Array, ip: number, mtu: number): number {
  if (mtu < MIN_MTU6) return NONE
  const quote = Math.min(ipv6.LEN + ipv6.payloadLen(buf, ip), MAX6 - ipv6.LEN - LEN)
  const payload = LEN + quote
  ipv6.write(out, at, payload, ipv6.ICMPV6, buf, ip + 24, ip + 8)
  const icmp = at + ipv6.LEN
  writeHeader(out, icmp, TOO_BIG6, 0, mtu)
  for (let k = 0; k < quote; k++) out[icmp + LEN + k] = buf[ip + k]
  const pseudo = checksum.pseudo6(out, at, ipv6.ICMPV6, payload)
  setChecksum(out, icmp, checksum.sum(out, icmp, icmp + payload, pseudo))
  return ipv6.LEN + payload
}

function writeHeader(out: Uint8Array, at: number, type: number, code: number, mtu: number): void {
  out[at] = type
  out[at + 1] = code
  out[at + 2] = 0
  out[at + 3] = 0
  out[at + 4] = mtu >>> 24
  out[at + 5] = mtu >>> 16
  out[at + 6] = mtu >>> 8
  out[at + 7] = mtu
}

function setChecksum(out: Uint8Array, at: number, sum: number): void {
  const value = checksum.finish(sum)
  out[at + 2] = value >>> 8
  out[at + 3] = value
}
