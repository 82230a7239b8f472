// Copies of inner frames for `vtepd capture`, as they cross the walks: trains as the kernel handed them over, datagrams one by
// one. Off (the usual case) it costs one comparison a train. On, it allocates, and drops copies rather than hold up packets.
import type { Batch } from '../batch.ts'
import type { Network } from '../overlay/networks.ts'

/** Bytes of copies that may wait for the reader. */
const WAITING_MAX = 8 * 1024 * 1024

export class Capture {
  /** Bytes on their way to the reader; the mailbox subtracts what the reader has taken. */
  waiting = 0
  missed = 0
  private readonly sink: (network: number, frame: Uint8Array) => void

  constructor(sink: (network: number, frame: Uint8Array) => void) {
    this.sink = sink
  }

  frame(network: Network, b: Batch, i: number): void {
    this.bytes(network, b.bytes, b.off[i]!, b.off[i]! + b.len[i]!)
  }

  bytes(network: Network, bytes: Uint8Array, off: number, end: number): void {
    if (this.waiting + end - off > WAITING_MAX) {
      this.missed++
      return
    }
    this.waiting += end - off
    this.sink(network.id, bytes.slice(off, end))
  }
}
