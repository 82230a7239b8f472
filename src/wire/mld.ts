// Who wants which IPv6 group: MLDv1 (RFC 2710) and MLDv2 (RFC 3810 §5). `off` is where the ICMPv6 header starts.
//   |  type 8  | code 8 | checksum 16 | max resp 16 | reserved 16 | group 128 |     query v2: | S QRV | QQIC | sources 16 | …
//   v2 report: |  type 8  | code 8 | checksum 16 | reserved 16 | records 16 | then records, one behind the other:
//              |  type 8  | aux len 8 | sources 16 | group 128 | sources … | aux … |
// Types of records are those of igmp.ts. The checksum is ICMPv6's, and the caller's. Temperature: hot.
import * as drop from '../drop.ts'
import { code } from './igmp.ts'

export const QUERY = 130
export const REPORT_V1 = 131
export const DONE = 132
export const REPORT_V2 = 143

/** RFC 3810 §5: it stays on its link. */
export const HOP_LIMIT = 1

/** Where the group lies, in a message and in a record. */
const GROUP = 8
const RECORD_GROUP = 4
const LEN = 24
const QUERY_V2_LEN = 28
const RECORD_LEN = 20
const REPORT_LEN = 8

/** 0 if [off, end) holds such a message, whole up to its records; else drop.TRUNCATED or drop.NOT_IP. Call first. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < REPORT_LEN) return drop.TRUNCATED
  const kind = buf[off]
  if (kind === REPORT_V2) return 0
  if (kind !== QUERY && kind !== REPORT_V1 && kind !== DONE) return drop.NOT_IP
  return end - off < LEN ? drop.TRUNCATED : 0
}

export function type(buf: Uint8Array, off: number): number {
  return buf[off]
}

/** Word 0 to 3 of the group of a query (all zero: every group is asked for), a v1 report or a done. */
export function groupWord(buf: Uint8Array, off: number, n: number): number {
  return word(buf, off + GROUP + (n << 2))
}

/** Seconds in which a querier expects to hear from a member again, as its v2 query says; 0: it does not. */
export function membershipSec(buf: Uint8Array, off: number, end: number): number {
  if (end - off < QUERY_V2_LEN) return 0
  // RFC 3810 §9.4: robustness × query interval + response interval (§5.1.3: milliseconds, from 32768 on with an exponent).
  const value = (buf[off + 4] << 8) | buf[off + 5]
  const millis = value < 32768 ? value : ((value & 0xfff) | 0x1000) << (((value >>> 12) & 7) + 3)
  return (buf[off + 24] & 7) * code(buf[off + 25]) + Math.ceil(millis / 1000)
}

/** Where the first record of a v2 report starts. */
export function firstRecord(off: number): number {
  return off + REPORT_LEN
}

/** Number of records that a v2 report says it has. */
export function records(buf: Uint8Array, off: number): number {
  return (buf[off + 6] << 8) | buf[off + 7]
}

/** Where the record behind the one at `at` starts, or NONE when the one at `at` does not end before `end`. */
export function nextRecord(buf: Uint8Array, at: number, end: number): number {
  if (end - at < RECORD_LEN) return drop.NONE
  const next = at + RECORD_LEN + (sources(buf, at) << 4) + (buf[at + 1] << 2)
  return next > end ? drop.NONE : next
}

/** Number of sources of the record at `at`. */
export function sources(buf: Uint8Array, at: number): number {
  return (buf[at + 2] << 8) | buf[at + 3]
}

/** Word 0 to 3 of the group of the record at `at`. */
export function recordWord(buf: Uint8Array, at: number, n: number): number {
  return word(buf, at + RECORD_GROUP + (n << 2))
}

function word(buf: Uint8Array, at: number): number {
  return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]
}
