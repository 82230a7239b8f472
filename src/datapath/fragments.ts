// An IPv4 packet without DF that is too big for the path to its VTEP, cut into fragments that fit (RFC 791 §3.2; RFC 4459 §3.4, the
// inner packet: what is around it is never cut, RFC 7348 §4.3). Its sender may never heed an answer: one that asks for no path MTU
// (IP_PMTUDISC_OMIT) sends the same again, and groups get none. Temperature: warm; it allocates, as the side door does, by which
// fragments leave.
import { type Batch, SINGLE } from '../batch.ts'
import { NONE } from '../drop.ts'
import * as checksum from '../wire/checksum.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as fragment from '../wire/fragment.ts'
import * as ipv4 from '../wire/ipv4.ts'
import type { Staged } from './staging.ts'

/** What is the same for all fragments of a packet. */
export type Common = Pick<Staged, 'vtep' | 'link' | 'tos' | 'port'>

/**
 * Datagrams of at most `room` bytes for the frame (`layer2`) or packet in slot i, each begun by the bytes from `front` on that stand
 * before its packet. null: it is a train, is no IPv4, or must not be cut.
 */
export function cut(b: Batch, i: number, front: number, room: number, layer2: boolean, all: Common): Staged[] | null {
  if (b.segment[i] !== 0) return null
  const off = b.off[i]!
  const end = off + b.len[i]!
  const ip = layer2 ? off + ethernet.headerLen(b.bytes, off, end) : off
  if (layer2 && ((b.bytes[ip - 2]! << 8) | b.bytes[ip - 1]!) !== ethernet.IPV4) return null
  if (ipv4.check(b.bytes, ip, end) !== 0) return null
  const head = ip - front
  const step = fragment.step(b.bytes, ip, room - head)
  if (step === NONE) return null
  // What Ethernet has filled up is no part of the packet.
  const whole = b.bytes.slice(front, ip + ipv4.totalLen(b.bytes, ip))
  if (b.sum[i] !== 0) finishChecksum(whole, off - front, b.sum[i]!)
  const payload = whole.length - head - ipv4.headerLen(whole, head)
  const pieces: Staged[] = []
  for (let from = 0; from < payload; from += step) {
    const bytes = new Uint8Array(room)
    bytes.set(whole.subarray(0, head))
    const len = head + fragment.write(bytes, head, whole, head, from, step)
    pieces.push({
      ...all,
      bytes: bytes.subarray(0, len),
      packets: 1,
      sum: 0,
      segment: 0,
      header: 0,
      l3: head,
      kind: SINGLE,
    })
  }
  return pieces
}

// The device leaves checksums to us; a fragment has no room for that. `sum`: where it starts << 16 | where it goes, from `off`.
function finishChecksum(buf: Uint8Array, off: number, sum: number): void {
  const start = off + (sum >>> 16)
  const at = start + (sum & 0xffff)
  if (at + 2 > buf.length) return
  // 0 would say that there is none (RFC 768); for TCP the two are the same.
  const value = checksum.finish(checksum.sum(buf, start, buf.length, 0)) || 0xffff
  buf[at] = value >>> 8
  buf[at + 1] = value
}
