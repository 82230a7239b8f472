// IPv4 fragments of a packet whose sender allows them, RFC 791 §3.2; RFC 1812 §5.2.6 and RFC 6864 §4 for what a router leaves as it
// is. A fragment may be cut again. Temperature: warm: packets that a path does not carry whole.
import { NONE } from '../drop.ts'
import * as checksum from './checksum.ts'
import * as ipv4 from './ipv4.ts'

/** An offset counts in units of so many bytes. */
const UNIT = 8
const LAST = 0xffff
const MF = 0x20
const FRAGMENT = 6
const CHECKSUM = 10
const TOTAL = 2

/** Options: end of the list, nothing, and the bit of those that every fragment has. */
const END = 0
const NOTHING = 1
const COPIED = 0x80

/**
 * Bytes of payload in each fragment of at most `mtu` bytes of the packet at `ip` that `ipv4.check` has passed; NONE: it must not be
 * cut (DF), its header's checksum is wrong, it ends behind the last byte that a packet may have, or no byte fits.
 */
export function step(buf: Uint8Array, ip: number, mtu: number): number {
  const header = ipv4.headerLen(buf, ip)
  if (ipv4.hasDf(buf, ip) || checksum.finish(checksum.sum(buf, ip, ip + header, 0)) !== 0) return NONE
  if (ipv4.fragmentOffset(buf, ip) + ipv4.totalLen(buf, ip) - header > LAST) return NONE
  const bytes = (mtu - header) & -UNIT
  return bytes < UNIT ? NONE : bytes
}

/**
 * Writes at `at` the fragment whose payload begins `from` bytes behind the header of the packet at `ip`, with at most `step` bytes
 * of it. Returns its length.
 */
export function write(out: Uint8Array, at: number, buf: Uint8Array, ip: number, from: number, step: number): number {
  const header = ipv4.headerLen(buf, ip)
  const payload = ipv4.totalLen(buf, ip) - header
  const to = Math.min(from + step, payload)
  const len = header + to - from
  out.set(buf.subarray(ip, ip + header), at)
  out.set(buf.subarray(ip + header + from, ip + header + to), at + header)
  if (from > 0) dropOptions(out, at + ipv4.LEN, at + header)
  out[at + TOTAL] = len >>> 8
  out[at + TOTAL + 1] = len
  const place = (ipv4.fragmentOffset(buf, ip) + from) / UNIT
  const more = to < payload ? MF : buf[ip + FRAGMENT]! & MF
  out[at + FRAGMENT] = more | (place >>> 8)
  out[at + FRAGMENT + 1] = place
  out[at + CHECKSUM] = 0
  out[at + CHECKSUM + 1] = 0
  const sum = checksum.finish(checksum.sum(out, at, at + header, 0))
  out[at + CHECKSUM] = sum >>> 8
  out[at + CHECKSUM + 1] = sum
  return len
}

// Nothing in place of the options that only the first fragment has, as Linux does (ip_options_fragment): headers stay as long.
function dropOptions(buf: Uint8Array, off: number, end: number): void {
  let at = off
  while (at < end && buf[at] !== END) {
    const len = buf[at] === NOTHING ? 1 : at + 1 < end ? buf[at + 1]! : 0
    if (len < 1 || (len < 2 && buf[at] !== NOTHING) || at + len > end) return
    if ((buf[at]! & COPIED) === 0) buf.fill(NOTHING, at, at + len)
    at += len
  }
}
