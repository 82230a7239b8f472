// What clamping makes of a SYN, the plain way: arrays and slices, the whole checksum anew. Written from RFC 9293 §3.1–3.2 and
// RFC 6691. A wrong checksum stays wrong by as much as it was.
import { parse } from './packet.ts'

/** The frame (`l2`) or packet with a segment size that fits into an IP packet of `mtu` bytes. */
export function clamped(bytes: readonly number[], l2: boolean, mtu: number): number[] {
  const p = parse(bytes, l2)
  if (p === null || p.ethernet.length > 18 || p.later || p.protocol !== 6 || p.upper === null) return [...bytes]
  const segment = p.upper
  const header = ((segment[12] ?? 0) >> 4) << 2
  if (segment.length < 20 || header < 20 || header > segment.length || (segment[13]! & 2) === 0) return [...bytes]
  const at = mssOf(segment.slice(20, header))
  if (at === null) return [...bytes]
  const most = Math.max(48, mtu - (p.version === 4 ? 40 : 60))
  if (segment[22 + at]! * 256 + segment[23 + at]! <= most) return [...bytes]
  const after = segment.with(22 + at, most >> 8).with(23 + at, most & 0xff)
  const without = (s: readonly number[]): number => total(s.with(16, 0).with(17, 0))
  const sum = (total(segment) + 0xffff - (without(after) % 0xffff)) % 0xffff
  const start = p.ethernet.length + p.bytes.length - segment.length
  return bytes.map((byte, k) => after.with(16, sum >> 8).with(17, sum & 0xff)[k - start] ?? byte)
}

/** Position of the option of kind 2 among these; null: none, or nonsense before it. */
function mssOf(options: readonly number[], at = 0): number | null {
  const [kind, length] = options.slice(at)
  if (kind === undefined || kind === 0) return null
  if (kind === 1) return mssOf(options, at + 1)
  if (length === undefined || length < 2 || at + length > options.length) return null
  if (kind === 2) return length === 4 ? at : null
  return mssOf(options, at + length)
}

function total(bytes: readonly number[]): number {
  return bytes.reduce((sum, byte, k) => sum + (k % 2 === 0 ? byte * 256 : byte), 0)
}
