// What leaves beside the walk: handshake messages, keepalives, packets that waited for a session, and fragments. They wait here until the
// sockets have taken the walk's batch (native remembers one unfinished batch), then go out in the order they came. Cold; it
// may allocate.
import { ADDR_LEN, Batch, HEADROOM, KEEPALIVE, LOCAL_LEN, TAILROOM } from '../batch.ts'
import * as drop from '../drop.ts'
import { FULL, type Link } from '../link.ts'
import type { Settlement } from './settlement.ts'
import type { Staged } from './staging.ts'

const SLOTS = 64
/** A super-packet with room around it, four times. */
const SLAB = 4 * 68 * 1024
/** Handshake messages are small and few; noise.c marks them AF41 too. */
const HANDSHAKE_TOS = 0x88

export type Parcel =
  /** A message that is sealed already, or is not to be: through a tunnel, to where its far end is. */
  | { kind: 'message'; tunnel: number; bytes: Uint8Array; initiation: boolean }
  /** The same to an address that nobody has vouched for: a cookie. `pool`: by which socket; `local`: from where. */
  | { kind: 'answer'; bytes: Uint8Array; to: Uint8Array; local: Uint8Array; pool: number }
  | { kind: 'keepalive'; tunnel: number }
  /** Plaintext of our own for the far end's agent. */
  | { kind: 'probe'; tunnel: number; bytes: Uint8Array }
  /** A packet of a network. NONE: it goes in clear text. */
  | { kind: 'staged'; tunnel: number; one: Staged }

/** What the door asks of the tunnels. */
export interface DoorKeeper {
  /** Native's number for the endpoint of a tunnel. */
  endpoint(tunnel: number): number
  /** Gives slot j key and counters for `packets` messages; false: there is no session. */
  seal(tray: Batch, j: number, tunnel: number, packets: number): boolean
  /** `parcel` has no session after all. */
  refused(parcel: Parcel): void
  /** A message of `bytes` UDP payload left; null: it could not, error is -errno. */
  left(parcel: Parcel, bytes: number, error: number): void
}

export class SideDoor {
  readonly tray = new Batch(SLOTS, new Uint8Array(SLAB))
  private readonly keeper: DoorKeeper
  private readonly settlement: Settlement
  private queue: Parcel[] = []
  private inHand: Parcel[] = []

  constructor(keeper: DoorKeeper, settlement: Settlement) {
    this.keeper = keeper
    this.settlement = settlement
  }

  put(parcel: Parcel): void {
    this.queue.push(parcel)
  }

  get empty(): boolean {
    return this.queue.length === 0
  }

  /** Parcels that wait. */
  get length(): number {
    return this.queue.length
  }

  /** Sends what waits. False when a socket is full: call `resume` when it has drained. */
  flush(udp: Link): boolean {
    while (this.fill()) if (!this.settle(udp.send(this.tray))) return false
    return true
  }

  /** Goes on after `flush` or `resume` has answered false. */
  resume(udp: Link): boolean {
    return this.settle(udp.resume(this.tray)) && this.flush(udp)
  }

  // As many parcels as the tray holds; false when there are none.
  private fill(): boolean {
    const { tray } = this
    tray.count = 0
    this.inHand = []
    let at = 0
    let taken = 0
    for (const parcel of this.queue) {
      const size = HEADROOM + sizeOf(parcel) + TAILROOM
      if (tray.count === SLOTS || at + size > SLAB) break
      taken++
      if (!this.place(parcel, at + HEADROOM)) continue
      this.inHand.push(parcel)
      tray.count++
      at = (at + size + 63) & ~63
    }
    this.queue = this.queue.slice(taken)
    return tray.count > 0
  }

  // Writes the parcel into the next slot; false when it cannot go.
  private place(parcel: Parcel, off: number): boolean {
    const { tray, keeper } = this
    const j = tray.count
    this.clear(j, off)
    if (parcel.kind === 'answer') {
      this.write(j, parcel.bytes)
      tray.peer[j] = drop.NONE
      tray.link[j] = parcel.pool
      tray.addr.set(parcel.to, j * ADDR_LEN)
      tray.local.set(parcel.local, j * LOCAL_LEN)
      tray.tos[j] = HANDSHAKE_TOS
      return true
    }
    if (parcel.kind === 'staged' && parcel.tunnel === drop.NONE) {
      this.writeStaged(j, parcel.one)
      return true
    }
    tray.peer[j] = keeper.endpoint(parcel.tunnel)
    if (parcel.kind === 'message') {
      this.write(j, parcel.bytes)
      tray.tos[j] = HANDSHAKE_TOS
      return true
    }
    if (parcel.kind === 'keepalive') tray.kind[j] = KEEPALIVE
    else if (parcel.kind === 'probe') this.write(j, parcel.bytes)
    else this.writeStaged(j, parcel.one)
    const packets = parcel.kind === 'staged' ? parcel.one.packets : 1
    if (keeper.seal(tray, j, parcel.tunnel, packets)) return true
    keeper.refused(parcel)
    return false
  }

  private clear(j: number, off: number): void {
    const { tray } = this
    tray.off[j] = off
    for (const column of [
      tray.len,
      tray.link,
      tray.sum,
      tray.segment,
      tray.header,
      tray.l3,
      tray.kind,
      tray.port,
      tray.tos,
    ])
      column[j] = 0
    tray.key[j] = drop.NONE
    tray.local.fill(0, j * LOCAL_LEN, (j + 1) * LOCAL_LEN)
  }

  private write(j: number, bytes: Uint8Array): void {
    this.tray.bytes.set(bytes, this.tray.off[j]!)
    this.tray.len[j] = bytes.length
  }

  private writeStaged(j: number, one: Staged): void {
    const { tray } = this
    this.write(j, one.bytes)
    tray.peer[j] = one.vtep
    tray.link[j] = one.link
    tray.sum[j] = one.sum
    tray.segment[j] = one.segment
    tray.header[j] = one.header
    tray.l3[j] = one.l3
    tray.kind[j] = one.kind
    tray.tos[j] = one.tos
    tray.port[j] = one.port
  }

  private settle(failed: number): boolean {
    if (failed === FULL) return false
    const { tray } = this
    for (let j = 0; j < tray.count; j++) {
      const parcel = this.inHand[j]!
      const error = failed === 0 ? 0 : tray.err[j]!
      if (parcel.kind === 'staged') this.settlement.settleOne(tray, j, error)
      else this.keeper.left(parcel, tray.len[j]!, error)
    }
    return true
  }
}

function sizeOf(parcel: Parcel): number {
  if (parcel.kind === 'keepalive') return 0
  return parcel.kind === 'staged' ? parcel.one.bytes.length : parcel.bytes.length
}
