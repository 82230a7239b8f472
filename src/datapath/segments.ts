// How many wire packets and bytes a slot stands for: a train counts as its segments. Temperature: hot.
import type { Batch } from '../batch.ts'
import { HEADER_LEN, TAG_LEN } from '../wire/wireguard.ts'

const SEAL = HEADER_LEN + TAG_LEN

/** Wire packets in slot i. */
export function wirePackets(b: Batch, i: number): number {
  const segment = b.segment[i]!
  if (segment === 0) return 1
  return Math.ceil((b.len[i]! - b.header[i]!) / segment)
}

/** Bytes of a datagram's slot as the device counts them: what segments repeat counts for each, the `front` bytes of ours do not. */
export function innerBytes(b: Batch, j: number, packets: number, front: number): number {
  return b.len[j]! + (packets - 1) * b.header[j]! - packets * front
}

/** UDP payload bytes of a slot once sealed, filled up to multiples of 16 but not beyond `pad` (0: not at all). */
export function sealedBytes(b: Batch, j: number, packets: number, pad: number): number {
  const len = b.len[j]!
  if (packets === 1) return SEAL + padded(len, pad)
  const full = b.header[j]! + b.segment[j]!
  const last = len - (packets - 1) * b.segment[j]!
  return packets * SEAL + (packets - 1) * padded(full, pad) + padded(last, pad)
}

function padded(len: number, pad: number): number {
  if (len >= pad) return len
  return Math.min((len + 15) & ~15, pad)
}
