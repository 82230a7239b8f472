// Who wants which IPv4 group: IGMPv1 (RFC 1112), v2 (RFC 2236) and v3 (RFC 3376 §4). `off` is where the IGMP header starts.
//   |  type 8  | max resp 8 | checksum 16 | group 32 |     query v3: | S QRV | QQIC | sources 16 | …
//   v3 report: |  type 8  | reserved 8 | checksum 16 | reserved 16 | records 16 | then records, one behind the other:
//              |  type 8  | aux len 8 | sources 16 | group 32 | sources … | aux … |
// Temperature: hot.
import * as drop from '../drop.ts'
import * as checksum from './checksum.ts'

/** IP protocol number; that of PIM, whose speakers are routers, beside it (RFC 7761 §4.9). */
export const PROTOCOL = 2
export const PIM = 103

export const LEN = 8
export const QUERY = 0x11
export const REPORT_V1 = 0x12
export const REPORT_V2 = 0x16
export const LEAVE = 0x17
export const REPORT_V3 = 0x22

/** Types of a v3 record; mld.ts has the same ones (RFC 3376 §4.2.12, RFC 3810 §5.2.12). */
export const IS_INCLUDE = 1
export const IS_EXCLUDE = 2
export const TO_INCLUDE = 3
export const TO_EXCLUDE = 4
export const ALLOW = 5
export const BLOCK = 6

const GROUP = 4
const QUERY_V3_LEN = 12
const RECORD_LEN = 8

/** 0 if [off, end) holds a message of a known type with a right checksum; else a drop code. Call before any reader below. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN) return drop.TRUNCATED
  const type = buf[off]
  if (type !== QUERY && type !== REPORT_V1 && type !== REPORT_V2 && type !== LEAVE && type !== REPORT_V3) {
    return drop.NOT_IP
  }
  return checksum.finish(checksum.sum(buf, off, end, 0)) === 0 ? 0 : drop.NOT_IP
}

export function type(buf: Uint8Array, off: number): number {
  return buf[off]
}

/** Of a query, a v1 or v2 report, or a leave; 0: every group is asked for. */
export function group(buf: Uint8Array, off: number): number {
  return word(buf, off + GROUP)
}

/** Seconds in which a querier expects to hear from a member again, as its v3 query says; 0: it does not. */
export function membershipSec(buf: Uint8Array, off: number, end: number): number {
  if (end - off < QUERY_V3_LEN || buf[off + 1] === 0) return 0
  // RFC 3376 §8.4: robustness × query interval + response interval (tenths of a second).
  return (buf[off + 8] & 7) * code(buf[off + 9]) + Math.ceil(code(buf[off + 1]) / 10)
}

/** Where the first record of a v3 report starts. */
export function firstRecord(off: number): number {
  return off + LEN
}

/** Number of records that a v3 report says it has. */
export function records(buf: Uint8Array, off: number): number {
  return (buf[off + 6] << 8) | buf[off + 7]
}

/** Where the record behind the one at `at` starts, or NONE when the one at `at` does not end before `end`. */
export function nextRecord(buf: Uint8Array, at: number, end: number): number {
  if (end - at < RECORD_LEN) return drop.NONE
  const next = at + RECORD_LEN + (sources(buf, at) << 2) + (buf[at + 1] << 2)
  return next > end ? drop.NONE : next
}

/** Number of sources of the record at `at`. */
export function sources(buf: Uint8Array, at: number): number {
  return (buf[at + 2] << 8) | buf[at + 3]
}

export function recordGroup(buf: Uint8Array, at: number): number {
  return word(buf, at + GROUP)
}

/** Whether the record (its type, its number of sources) says that somebody listens to the group. */
export function joins(kind: number, count: number): boolean {
  if (kind === IS_EXCLUDE || kind === TO_EXCLUDE) return true
  return count > 0 && (kind === IS_INCLUDE || kind === TO_INCLUDE || kind === ALLOW)
}

/** Whether it says that nobody there does any more. */
export function leaves(kind: number, count: number): boolean {
  return count === 0 && (kind === TO_INCLUDE || kind === IS_INCLUDE)
}

/** RFC 3376 §4.1.1 and §4.1.7: a number of 8 bits, from 128 on with a mantissa of 4 and an exponent of 3. */
export function code(value: number): number {
  return value < 128 ? value : ((value & 15) | 16) << (((value >>> 4) & 7) + 3)
}

function word(buf: Uint8Array, at: number): number {
  return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]
}
