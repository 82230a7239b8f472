// TCP header, RFC 9293 §3.1.
//   |          source port          |       destination port        |
//   |                        sequence number                        |
//   |                     acknowledgment number                     |
//   |offset |  rsvd |C E U A P R S F|            window             |
//   |           checksum            |        urgent pointer         |   options …
// Temperature: hot.
import * as drop from '../drop.ts'

/** Bytes of a header without options. */
export const LEN = 20

export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const PSH = 0x08
export const ACK = 0x10
export const URG = 0x20
export const ECE = 0x40
export const CWR = 0x80

const CHECKSUM = 16
// Option kinds, RFC 9293 §3.2.
const END_OF_OPTIONS = 0
const NO_OPERATION = 1
const MSS = 2
const MSS_LEN = 4

/** 0 if [off, end) starts with a whole header, options included; else drop.TRUNCATED. Call before any reader below. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN) return drop.TRUNCATED
  const header = headerLen(buf, off)
  return header < LEN || header > end - off ? drop.TRUNCATED : 0
}

export function srcPort(buf: Uint8Array, off: number): number {
  return (buf[off] << 8) | buf[off + 1]
}

export function dstPort(buf: Uint8Array, off: number): number {
  return (buf[off + 2] << 8) | buf[off + 3]
}

/** Unsigned. */
export function seq(buf: Uint8Array, off: number): number {
  return ((buf[off + 4] << 24) | (buf[off + 5] << 16) | (buf[off + 6] << 8) | buf[off + 7]) >>> 0
}

/** Unsigned; means something with flag ACK. */
export function ack(buf: Uint8Array, off: number): number {
  return ((buf[off + 8] << 24) | (buf[off + 9] << 16) | (buf[off + 10] << 8) | buf[off + 11]) >>> 0
}

export function headerLen(buf: Uint8Array, off: number): number {
  return (buf[off + 12] >>> 4) << 2
}

/** FIN | SYN | … */
export function flags(buf: Uint8Array, off: number): number {
  return buf[off + 13]
}

/** As in the header, before scaling. */
export function window(buf: Uint8Array, off: number): number {
  return (buf[off + 14] << 8) | buf[off + 15]
}

export function checksum(buf: Uint8Array, off: number): number {
  return (buf[off + CHECKSUM] << 8) | buf[off + CHECKSUM + 1]
}

/** Where the two bytes of the option "maximum segment size" lie; NONE without it, or behind options that make no sense. */
export function mssAt(buf: Uint8Array, off: number): number {
  const end = off + headerLen(buf, off)
  let at = off + LEN
  while (at < end) {
    const kind = buf[at]
    if (kind === END_OF_OPTIONS) return drop.NONE
    if (kind === NO_OPERATION) {
      at++
      continue
    }
    const len = at + 1 < end ? buf[at + 1] : 0
    if (len < 2 || at + len > end) return drop.NONE
    if (kind === MSS) return len === MSS_LEN ? at + 2 : drop.NONE
    at += len
  }
  return drop.NONE
}

/**
 * Lowers the segment size at `at` (`mssAt`) to `mss`; never raises it. `summed`: the checksum covers the segment already and is
 * corrected; else whoever completes it later will see the new bytes.
 */
export function lowerMss(buf: Uint8Array, off: number, at: number, mss: number, summed: boolean): void {
  const before = (buf[at] << 8) | buf[at + 1]
  if (before <= mss) return
  buf[at] = mss >>> 8
  buf[at + 1] = mss
  if (!summed) return
  // RFC 1624 §3, eqn. 3: HC' = ~(~HC + ~m + m'). An option may lie across two words: then its bytes count swapped.
  const odd = ((at - off) & 1) !== 0
  const m = odd ? swapped(before) : before
  const now = odd ? swapped(mss) : mss
  let sum = (~checksum(buf, off) & 0xffff) + (~m & 0xffff) + now
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = ~(sum + (sum >>> 16)) & 0xffff
  buf[off + CHECKSUM] = sum >>> 8
  buf[off + CHECKSUM + 1] = sum
}

function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8)
}
