// What agents say to each other inside a tunnel, beside frames and packets: docs/data-path.md.        | 0x76 | kind | body …
// The first byte is neither VXLAN's (0x08) nor IP's (nibble 4 or 6), so that a stock WireGuard peer drops it, and nobody else
// can say it: it is sealed. Bodies are their readers' business, but for those of probes:
//   | 0x76 | 1: does this arrive?  | nonce (32) | size (16) | zeros up to the size
//   | 0x76 | 2: it has             | nonce (32) | size (16) |
// Temperature: warm.
import * as drop from '../drop.ts'

export const LEN = 2
/** Bytes of a probe without its filling, and of its answer. */
export const PROBE_LEN = LEN + 6
const FIRST = 0x76
const NONCE = LEN
const SIZE = LEN + 4

/** "Does a message of this length arrive?" and "it has": datapath/path-probe.ts. */
export const PROBE = 1
export const PROBE_ANSWER = 2
/** For the other agent's control thread. */
export const CONTROL = 3

/** The kind of the message in [off, end), or drop.UNKNOWN_PAYLOAD. Call before any reader below. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN || buf[off] !== FIRST) return drop.UNKNOWN_PAYLOAD
  const kind = buf[off + 1]
  if (kind === CONTROL) return kind
  return (kind === PROBE || kind === PROBE_ANSWER) && end - off >= PROBE_LEN ? kind : drop.UNKNOWN_PAYLOAD
}

export function write(buf: Uint8Array, off: number, kind: number): void {
  buf[off] = FIRST
  buf[off + 1] = kind
}

/** Of a probe and its answer: which round of probes it belongs to, unsigned. */
export function nonce(buf: Uint8Array, off: number): number {
  const o = off + NONCE
  return ((buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3]) >>> 0
}

/** Of a probe and its answer: bytes of the probe's packet, outer headers included. */
export function size(buf: Uint8Array, off: number): number {
  return (buf[off + SIZE] << 8) | buf[off + SIZE + 1]
}

/** Writes the PROBE_LEN bytes of a probe or an answer. */
export function writeProbe(buf: Uint8Array, off: number, kind: number, nonce: number, size: number): void {
  write(buf, off, kind)
  const o = off + NONCE
  buf[o] = nonce >>> 24
  buf[o + 1] = nonce >>> 16
  buf[o + 2] = nonce >>> 8
  buf[o + 3] = nonce
  buf[off + SIZE] = size >>> 8
  buf[off + SIZE + 1] = size
}
