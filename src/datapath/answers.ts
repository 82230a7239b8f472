// What the agent itself says into a network: "too big" (RFC 4459 §3.2: signal the source; RFC 1191, RFC 8201). The answer
// needs no address of ours: it comes from the packet's own destination, as Linux's bridged tunnels do it.
// A rate limit holds per pair of hosts and never keeps back the first answer to one: without it a transfer would hang.
// Temperature: warm; a host that heeds the first answer sends no second packet here.
import { Batch, HEADROOM } from '../batch.ts'
import { NONE } from '../drop.ts'
import type { Link } from '../link.ts'
import type { Network } from '../overlay/networks.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as flow from '../wire/flow.ts'
import * as icmp from '../wire/icmp.ts'

const SLOTS = 32
const SLOT_LEN = HEADROOM + 1536
/** Pairs of hosts that are remembered; a newer pair takes the place of one with the same hash. */
const PAIRS = 4096
/** Milliseconds in which one pair gets BURST answers. */
const WINDOW = 1000
const BURST = 10

export class Answers {
  private readonly batch = new Batch(SLOTS, new Uint8Array(SLOTS * SLOT_LEN))
  private readonly device: Link
  private readonly seed: number
  // Of each pair: its hash, when its window began, answers since.
  private readonly pair = new Int32Array(PAIRS)
  private readonly since = new Float64Array(PAIRS).fill(Number.NEGATIVE_INFINITY)
  private readonly sent = new Int32Array(PAIRS)
  private now = 0

  /** `device`: where frames for devices go; `seed`: 32 random bits. */
  constructor(device: Link, seed: number) {
    this.device = device
    this.seed = seed
  }

  /** The batch that holds the answers, for the native side to attach. */
  get tray(): Batch {
    return this.batch
  }

  begin(now: number): void {
    this.now = now
  }

  /** Tells the sender of the frame or packet in [off, end) that a datagram of ours may have `room` bytes. */
  tooBig(network: Network, b: Batch, off: number, end: number, room: number): void {
    const hash = flow.hosts(b.bytes, off, end, network.layer2, this.seed)
    if (!this.allowed(hash)) return
    const mtu = room - network.front - (network.layer2 ? ethernet.headerLen(b.bytes, off, end) : 0)
    const i = this.batch.count
    const at = i * SLOT_LEN + HEADROOM
    const len = icmp.writeTooBig(this.batch.bytes, at, b.bytes, off, end, network.layer2, mtu)
    if (len === NONE) {
      // What is never answered must not use up the answers of what is.
      this.sent[hash & (PAIRS - 1)]!--
      return
    }
    this.batch.off[i] = at
    this.batch.len[i] = len
    this.batch.link[i] = network.id
    this.batch.segment[i] = 0
    this.batch.count = i + 1
    if (this.batch.count === SLOTS) this.flush()
  }

  /** Hands the answers to their devices. */
  flush(): void {
    if (this.batch.count === 0) return
    this.device.send(this.batch)
    this.batch.count = 0
  }

  private allowed(hash: number): boolean {
    const k = hash & (PAIRS - 1)
    if (this.pair[k] !== (hash | 0) || this.now - this.since[k]! >= WINDOW) {
      this.pair[k] = hash
      this.since[k] = this.now
      this.sent[k] = 1
      return true
    }
    this.sent[k]!++
    return this.sent[k]! <= BURST
  }
}
