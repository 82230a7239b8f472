// The walk's first half for what is sealed: WireGuard messages in, plaintext out, in place. Every datagram of a train is looked
// at on its own:
//   1 cut the slot, sort by type     wire/wireguard; handshakes go aside, at most as many as control can take
//   2 find the session               wireguard/peers, by the index that the message names
//   3 open all that is sealed        native, one call for the batch
//   4 replay                         wireguard/replay, only after the tag was right (WG §5.4.6)
//   5 once for each session          roaming, timers (tunnels.heard)
// What is left in `opened` is authentic, new and not empty; `peer` is the tunnel. Its columns lie over the messages' slab.
// Temperature: hot.
import type { Batch } from '../batch.ts'
import { type Counters, TUNNEL_RX_BYTES } from '../counters.ts'
import * as drop from '../drop.ts'
import * as wireguard from '../wire/wireguard.ts'
import type { Peers } from '../wireguard/peers.ts'
import type { Session } from '../wireguard/session.ts'
import { SEALED } from './mailbox.ts'

const SEAL = wireguard.HEADER_LEN + wireguard.TAG_LEN

export interface UnsealParts {
  readonly peers: Peers
  readonly counters: Counters
  /** Columns over the same slab as the messages'. */
  readonly opened: Batch
  /** Port of each receiving socket, by socket id; SEALED: WireGuard's. */
  readonly ports: Int32Array
  /** Opens in place what has a key: engine.open. Answers how many failed; b.err says which. */
  open(b: Batch): number
  /** A message of another type than data, [off, end) of slot m. */
  handshake(messages: Batch, m: number, off: number, end: number): void
  /** Authentic messages came; the newest of this session in slot m. `data`: not only keepalives. */
  heard(session: Session, data: boolean, messages: Batch, m: number): void
}

export class Unseal {
  private readonly p: UnsealParts
  private messages: Batch
  private at = 0
  private cut = 0
  private now = 0
  /** By slot of `opened`: its session, and the message that it came in. */
  private readonly session: (Session | undefined)[]
  private readonly source: Uint32Array
  /** Sessions that authentic messages came on in this step. */
  private readonly touched: (Session | undefined)[]
  private readonly touchedData: Uint8Array
  private readonly touchedSlot: Uint32Array
  private touchedCount = 0

  constructor(parts: UnsealParts) {
    this.p = parts
    this.messages = parts.opened
    const { slots } = parts.opened
    this.session = new Array(slots).fill(undefined)
    this.source = new Uint32Array(slots)
    this.touched = new Array(slots).fill(undefined)
    this.touchedData = new Uint8Array(slots)
    this.touchedSlot = new Uint32Array(slots)
  }

  /** Starts with a batch that the sockets have filled; slots of plain sockets are passed over. */
  begin(messages: Batch, now: number): void {
    this.messages = messages
    this.at = 0
    this.cut = 0
    this.now = now
  }

  /** Fills `opened`; false when there was nothing left to fill it with. */
  step(): boolean {
    const { messages } = this
    const { opened, ports } = this.p
    opened.count = 0
    while (this.at < messages.count) {
      if (opened.count === opened.slots) break
      if (ports[messages.link[this.at]!] === SEALED && !this.takeSlot(this.at)) break
      this.at++
      this.cut = 0
    }
    if (opened.count === 0) return false
    this.openAll()
    return true
  }

  // All datagrams of slot m; false when `opened` is full.
  private takeSlot(m: number): boolean {
    const { messages } = this
    const { opened, counters } = this.p
    const start = messages.off[m]!
    const end = start + messages.len[m]!
    const size = messages.segment[m]!
    const step = size === 0 || size > end - start ? end - start : size
    // UDP lets a datagram be empty.
    if (step === 0) {
      counters.addDatagrams(1)
      counters.dropped(drop.NOT_WIREGUARD, 1)
      return true
    }
    if (this.cut === 0) counters.addDatagrams(Math.ceil((end - start) / step))
    for (let off = start + this.cut; off < end; off += step) {
      if (opened.count === opened.slots) {
        this.cut = off - start
        return false
      }
      this.take(m, off, off + step < end ? off + step : end)
    }
    return true
  }

  private take(m: number, off: number, end: number): void {
    const { messages } = this
    const { counters, opened, peers } = this.p
    const { bytes } = messages
    const type = wireguard.check(bytes, off, end)
    if (type < 0) {
      counters.dropped(type, 1)
      return
    }
    if (type !== wireguard.TRANSPORT) {
      this.p.handshake(messages, m, off, end)
      return
    }
    const session = peers.find(wireguard.receiver(bytes, off), this.now)
    const counter = wireguard.counter(bytes, off)
    if (session === undefined || counter < 0) {
      counters.dropped(session === undefined ? drop.UNKNOWN_PEER : drop.REPLAY, 1)
      return
    }
    const k = opened.count
    opened.count = k + 1
    opened.off[k] = off
    opened.len[k] = end - off
    opened.key[k] = session.receiveKey
    opened.ctr[k] = counter
    opened.peer[k] = session.peer
    opened.link[k] = messages.link[m]!
    opened.tos[k] = messages.tos[m]!
    this.session[k] = session
    this.source[k] = m
  }

  // Steps 3 to 5. Slots that come to nothing, keepalives among them, get length 0.
  private openAll(): void {
    const { opened, counters } = this.p
    const failed = this.p.open(opened)
    this.touchedCount = 0
    let last: Session | undefined
    let mark = 0
    for (let k = 0; k < opened.count; k++) {
      const session = this.session[k]!
      this.session[k] = undefined
      opened.key[k] = drop.NONE
      const sealed = opened.len[k]!
      opened.len[k] = 0
      if (failed !== 0 && opened.err[k] !== 0) {
        counters.dropped(drop.BAD_TAG, 1)
        continue
      }
      if (!session.replay.accept(opened.ctr[k]!)) {
        counters.dropped(drop.REPLAY, 1)
        continue
      }
      if (session !== last) {
        last = session
        mark = this.touch(session)
      }
      this.touchedSlot[mark] = this.source[k]!
      counters.addTunnel(session.peer, TUNNEL_RX_BYTES, sealed)
      if (sealed === SEAL) {
        counters.addControl(1)
        continue
      }
      this.touchedData[mark] = 1
      opened.off[k] = opened.off[k]! + wireguard.HEADER_LEN
      opened.len[k] = sealed - SEAL
    }
    for (let t = 0; t < this.touchedCount; t++) {
      this.p.heard(this.touched[t]!, this.touchedData[t] === 1, this.messages, this.touchedSlot[t]!)
      this.touched[t] = undefined
    }
  }

  // Position of a session among those of this step. Few: one a peer, and trains come from one.
  private touch(session: Session): number {
    for (let t = 0; t < this.touchedCount; t++) if (this.touched[t] === session) return t
    const t = this.touchedCount
    this.touchedCount = t + 1
    this.touched[t] = session
    this.touchedData[t] = 0
    return t
  }
}
