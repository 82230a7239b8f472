// What became of datagrams that were to be sent: what went out is counted, what did not has a reason, and a path that turned
// out too narrow is learned and answered inward. Both doors use it: the outbound walk and the side door. Temperature: hot.
import type { Batch } from '../batch.ts'
import { type Counters, TX_BYTES, TX_PACKETS, VTEP_TX_BYTES } from '../counters.ts'
import * as drop from '../drop.ts'
import type { Networks } from '../overlay/networks.ts'
import type { Vteps } from '../overlay/vteps.ts'
import type { Answers } from './answers.ts'
import { innerBytes, sealedBytes, wirePackets } from './segments.ts'

// errno(3) as native gives it.
const EMSGSIZE = -90
const ENOKEY = -126

export interface SettlementParts {
  readonly networks: Networks
  readonly vteps: Vteps
  readonly counters: Counters
  readonly answers: Answers
  /** Asks the kernel for the path MTU towards a VTEP and notes it in `vteps.mtu`. */
  learnMtu(vtep: number): void
  /** Messages with data left through a tunnel, one after the other; `bytes` of UDP payload, the longest slot `longest` of them. */
  sealedSent(tunnel: number, bytes: number, longest: number): void
  /** Such messages could not leave; `error`: -errno. */
  sealedFailed(tunnel: number, error: number): void
}

export class Settlement {
  private readonly p: SettlementParts
  // What has left through one tunnel and is not told yet: slots in a row mostly go to one.
  private tunnel: number = drop.NONE
  private bytes = 0
  private longest = 0

  constructor(parts: SettlementParts) {
    this.p = parts
  }

  /** After a send of which `failed` slots failed: each slot is a frame or a train of them. */
  settle(b: Batch, failed: number): void {
    for (let j = 0; j < b.count; j++) this.add(b, j, failed === 0 ? 0 : b.err[j]!)
    this.tell()
  }

  /** `error`: 0 or -errno. */
  settleOne(b: Batch, j: number, error: number): void {
    this.add(b, j, error)
    this.tell()
  }

  private add(b: Batch, j: number, error: number): void {
    if (error !== 0) {
      this.failed(b, j, error)
      return
    }
    const { counters } = this.p
    const network = this.p.networks.at(b.link[j]!)
    // Taken down while a socket was full: nobody asks for its counts any more.
    if (network === undefined) return
    const n = wirePackets(b, j)
    const bytes = innerBytes(b, j, n, network.front)
    counters.addNetwork(network.id, TX_PACKETS, n)
    counters.addNetwork(network.id, TX_BYTES, bytes)
    counters.addVtep(b.peer[j]!, VTEP_TX_BYTES, bytes)
    if (network.secure) this.sealed(b, j, n)
  }

  private sealed(b: Batch, j: number, packets: number): void {
    const { vteps } = this.p
    const vtep = b.peer[j]!
    const tunnel = vteps.tunnel[vtep]!
    if (tunnel === drop.NONE) return
    if (tunnel !== this.tunnel) this.tell()
    const bytes = sealedBytes(b, j, packets, vteps.pad[vtep]!)
    this.tunnel = tunnel
    this.bytes += bytes
    if (bytes > this.longest) this.longest = bytes
  }

  private tell(): void {
    if (this.tunnel === drop.NONE) return
    this.p.sealedSent(this.tunnel, this.bytes, this.longest)
    this.tunnel = drop.NONE
    this.bytes = 0
    this.longest = 0
  }

  // EMSGSIZE: the path has shrunk, or the kernel has just learned that it had (ip(7), IP_MTU_DISCOVER).
  private failed(b: Batch, j: number, error: number): void {
    const { counters, vteps, networks, answers } = this.p
    const packets = wirePackets(b, j)
    if (error !== EMSGSIZE) {
      const tunnel = vteps.tunnel[b.peer[j]!]!
      if (tunnel !== drop.NONE) this.p.sealedFailed(tunnel, error)
      counters.dropped(error === ENOKEY ? drop.NO_SESSION : drop.UDP_SEND_FAILED, packets)
      return
    }
    const vtep = b.peer[j]!
    this.p.learnMtu(vtep)
    counters.dropped(drop.TOO_BIG, packets)
    const network = networks.at(b.link[j]!)
    if (network === undefined || vteps.mtu[vtep] === 0) return
    const off = b.off[j]! + network.front
    answers.tooBig(network, b, off, b.off[j]! + b.len[j]!, vteps.mtu[vtep]! - vteps.overhead[vtep]!)
  }
}
