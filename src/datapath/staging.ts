// Packets that wait for a session: copies, a bounded number of bytes and of packets for each tunnel; the oldest gives way. Cold:
// only the first packets to a far end come here.
import type { Batch } from '../batch.ts'
import { wirePackets } from './segments.ts'

/** Slots for one tunnel, as the kernel's WireGuard has it (MAX_STAGED_PACKETS), and bytes for all of them. */
const SLOTS_MAX = 128
const BYTES_MAX = 16 * 1024 * 1024

/** A datagram's slot, out of its batch. `packets`: wire packets. */
export interface Staged {
  readonly bytes: Uint8Array
  readonly packets: number
  readonly vtep: number
  readonly link: number
  readonly sum: number
  readonly segment: number
  readonly header: number
  readonly l3: number
  readonly kind: number
  readonly tos: number
  readonly port: number
}

export class Staging {
  private readonly waiting = new Map<number, Staged[]>()
  private bytes = 0
  private readonly dropped: (packets: number) => void

  /** `dropped` hears of packets that give way. */
  constructor(dropped: (packets: number) => void) {
    this.dropped = dropped
  }

  /** Takes a copy of slot j. */
  put(tunnel: number, b: Batch, j: number): void {
    this.add(tunnel, copyOf(b, j))
  }

  /** What waits for a tunnel, oldest first; nothing does any more. */
  take(tunnel: number): readonly Staged[] {
    const list = this.waiting.get(tunnel) ?? []
    this.waiting.delete(tunnel)
    for (const one of list) this.bytes -= one.bytes.length
    return list
  }

  /** Puts back what `take` gave. */
  add(tunnel: number, one: Staged): void {
    let list = this.waiting.get(tunnel)
    if (list === undefined) {
      list = []
      this.waiting.set(tunnel, list)
    }
    list.push(one)
    this.bytes += one.bytes.length
    while (list.length > SLOTS_MAX || (this.bytes > BYTES_MAX && list.length > 0)) {
      const oldest = list.shift()!
      this.bytes -= oldest.bytes.length
      this.dropped(oldest.packets)
    }
  }
}

/** A copy of slot j. */
export function copyOf(b: Batch, j: number): Staged {
  const off = b.off[j]!
  return {
    bytes: b.bytes.slice(off, off + b.len[j]!),
    packets: wirePackets(b, j),
    vtep: b.peer[j]!,
    link: b.link[j]!,
    sum: b.sum[j]!,
    segment: b.segment[j]!,
    header: b.header[j]!,
    l3: b.l3[j]!,
    kind: b.kind[j]!,
    tos: b.tos[j]!,
    port: b.port[j]!,
  }
}
