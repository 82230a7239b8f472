// IPv6 header and the extension headers in front of the upper one, RFC 8200 §3–4.
//   |version| traffic class |          flow label           |
//   |        payload length         |  next header  |  hop limit    |
//   |                      source (128), destination (128)          |
// Addresses are read as four int32 words. Temperature: hot; `upper` is warm, it runs for packets with extension headers.
import * as drop from '../drop.ts'

export const LEN = 40
/** RFC 8200 §5: every link carries packets of so many bytes. */
export const MTU_MIN = 1280

export const ICMPV6 = 58
export const NO_NEXT = 59

const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const AUTHENTICATION = 51
const DESTINATION = 60
const MOBILITY = 135

/** Hop limit of packets that we make. */
const HOP_LIMIT = 64
/** Extension headers that `upper` looks through; RFC 8200 §4.1 names at most seven. */
const MAX_EXTENSIONS = 8

/** What `walk` is asked for. */
const UPPER = 0
const PROTOCOL = 1
const FRAGMENT_HEADER = 2

const PAYLOAD = 4
const NEXT = 6
const HOPS = 7
const SRC = 8
const DST = 24

/** 0 if [off, end) starts with a whole packet: version, and payload length against `end`; else a drop code. Call first. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN) return drop.TRUNCATED
  if (buf[off] >>> 4 !== 6) return drop.NOT_IP
  return LEN + payloadLen(buf, off) > end - off ? drop.TRUNCATED : 0
}

/** Bytes behind the 40 of this header. */
export function payloadLen(buf: Uint8Array, off: number): number {
  return (buf[off + PAYLOAD] << 8) | buf[off + PAYLOAD + 1]
}

/** DSCP (6 bits) and ECN (2 bits) together. */
export function trafficClass(buf: Uint8Array, off: number): number {
  return ((buf[off] & 0x0f) << 4) | (buf[off + 1] >>> 4)
}

export function flowLabel(buf: Uint8Array, off: number): number {
  return ((buf[off + 1] & 0x0f) << 16) | (buf[off + 2] << 8) | buf[off + 3]
}

/** Of the fixed header: an extension header's number, or the upper protocol. */
export function nextHeader(buf: Uint8Array, off: number): number {
  return buf[off + NEXT]
}

export function hopLimit(buf: Uint8Array, off: number): number {
  return buf[off + HOPS]
}

/** Word 0 to 3 of the source. */
export function srcWord(buf: Uint8Array, off: number, word: number): number {
  const o = off + SRC + (word << 2)
  return (buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3]
}

/** Word 0 to 3 of the destination. */
export function dstWord(buf: Uint8Array, off: number, word: number): number {
  const o = off + DST + (word << 2)
  return (buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3]
}

/**
 * Where the upper header starts in `buf`, behind hop-by-hop, routing, destination, mobility, authentication and fragment
 * headers: at most `end`. NONE for a fragment that is not the first, and when an extension header is cut.
 */
export function upper(buf: Uint8Array, off: number, end: number): number {
  return walk(buf, off, end, UPPER)
}

/** The upper protocol's number, or NONE where `upper` answers NONE. */
export function upperProtocol(buf: Uint8Array, off: number, end: number): number {
  return walk(buf, off, end, PROTOCOL)
}

/** A fragment of a larger packet, the first one included. */
export function isFragment(buf: Uint8Array, off: number, end: number): boolean {
  const at = walk(buf, off, end, FRAGMENT_HEADER)
  // RFC 6946: offset 0 and no more to come is a whole packet all the same.
  return at !== drop.NONE && (((buf[at + 2] << 8) | buf[at + 3]) & 0xfff9) !== 0
}

/** Sets the two ECN bits. IPv6 has no header checksum. */
export function setEcn(buf: Uint8Array, off: number, ecn: number): void {
  buf[off + 1] = (buf[off + 1] & 0xcf) | (ecn << 4)
}

/** Writes all 40 bytes: traffic class and flow label 0, hop limit 64. `src`, `dst`: where in `from` 16 address bytes lie. */
export function write(
  buf: Uint8Array,
  off: number,
  payload: number,
  next: number,
  from: Uint8Array,
  src: number,
  dst: number,
): void {
  buf[off] = 0x60
  buf[off + 1] = 0
  buf[off + 2] = 0
  buf[off + 3] = 0
  buf[off + PAYLOAD] = payload >>> 8
  buf[off + PAYLOAD + 1] = payload
  buf[off + NEXT] = next
  buf[off + HOPS] = HOP_LIMIT
  for (let k = 0; k < 16; k++) buf[off + SRC + k] = from[src + k]
  for (let k = 0; k < 16; k++) buf[off + DST + k] = from[dst + k]
}

function walk(buf: Uint8Array, off: number, end: number, want: number): number {
  let next = buf[off + NEXT]
  let at = off + LEN
  for (let n = 0; isExtension(next); n++) {
    if (n === MAX_EXTENSIONS) return drop.NONE
    const len = extensionLen(buf, at, end, next)
    if (len === drop.NONE) return drop.NONE
    if (next === FRAGMENT) {
      if (want === FRAGMENT_HEADER) return at
      if ((buf[at + 2] | (buf[at + 3] & 0xf8)) !== 0) return drop.NONE
    }
    next = buf[at]
    at += len
  }
  if (want === FRAGMENT_HEADER) return drop.NONE
  return want === PROTOCOL ? next : at
}

/** Bytes of the extension header `kind` at `at`, or NONE when it does not end before `end`. */
function extensionLen(buf: Uint8Array, at: number, end: number, kind: number): number {
  // All of them are at least 8 bytes long.
  if (end - at < 8) return drop.NONE
  let len = 8
  // RFC 4302 §2.2: in words of 4 bytes, less 2; RFC 8200 §4: in words of 8 bytes, less 1.
  if (kind === AUTHENTICATION) len = (buf[at + 1] + 2) << 2
  else if (kind !== FRAGMENT) len = (buf[at + 1] + 1) << 3
  return end - at < len ? drop.NONE : len
}

function isExtension(next: number): boolean {
  return (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === FRAGMENT ||
    next === AUTHENTICATION ||
    next === DESTINATION ||
    next === MOBILITY
  )
}
