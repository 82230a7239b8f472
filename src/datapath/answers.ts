// What the agent itself says into a network: "too big" (RFC 4459 §3.2: signal the source; RFC 1191, RFC 8201), and the answers
// of stations to ARP and neighbour discovery that it need not ask for (neighbour-talk.ts). Neither needs an address of ours:
// "too big" comes from the packet's own destination, as Linux's bridged tunnels do it, the others from the station asked for.
// A rate limit on "too big" holds per pair of hosts and never keeps back the first answer to one: without it a transfer would
// hang.
// Temperature: warm; a host that heeds the first answer sends no second packet here.
import { Batch, HEADROOM } from '../batch.ts'
import { NONE } from '../drop.ts'
import type { Link } from '../link.ts'
import type { Network } from '../overlay/networks.ts'
import * as arp from '../wire/arp.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as flow from '../wire/flow.ts'
import * as icmp from '../wire/icmp.ts'
import * as nd from '../wire/nd.ts'

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
    const at = this.place()
    const len = icmp.writeTooBig(this.batch.bytes, at, b.bytes, off, end, network.layer2, mtu)
    if (len === NONE) {
      // What is never answered must not use up the answers of what is.
      this.sent[hash & (PAIRS - 1)]!--
      return
    }
    this.add(network, at, len)
  }

  /** Answers the ARP request in the frame at `off`: its target has this MAC, and speaks with it. */
  arp(network: Network, b: Batch, off: number, hi: number, lo: number): void {
    const at = this.place()
    const { bytes } = this.batch
    this.writeFront(b, off, at, hi, lo, ethernet.ARP)
    arp.writeReply(bytes, at + ethernet.LEN, b.bytes, off + ethernet.LEN, hi, lo)
    this.add(network, at, ethernet.LEN + arp.LEN)
  }

  /** Answers the solicitation at `message` in the frame at `off` likewise. `flags`: nd.ROUTER | nd.OVERRIDE. */
  nd(network: Network, b: Batch, off: number, message: number, hi: number, lo: number, flags: number): void {
    const at = this.place()
    this.writeFront(b, off, at, hi, lo, ethernet.IPV6)
    const ip = off + ethernet.LEN
    nd.writeAdvertisement(this.batch.bytes, at + ethernet.LEN, b.bytes, ip, message, hi, lo, flags)
    this.add(network, at, ethernet.LEN + nd.ADVERTISEMENT_LEN)
  }

  /** Hands the answers to their devices. */
  flush(): void {
    if (this.batch.count === 0) return
    this.device.send(this.batch)
    this.batch.count = 0
  }

  // Back to who sent the frame at `off`.
  private writeFront(b: Batch, off: number, at: number, hi: number, lo: number, type: number): void {
    const dstHi = ethernet.srcHi(b.bytes, off)
    ethernet.write(this.batch.bytes, at, dstHi, ethernet.srcLo(b.bytes, off), hi, lo, type)
  }

  // Where the next answer begins.
  private place(): number {
    return this.batch.count * SLOT_LEN + HEADROOM
  }

  private add(network: Network, at: number, len: number): void {
    const { batch } = this
    const i = batch.count
    batch.off[i] = at
    batch.len[i] = len
    batch.link[i] = network.id
    batch.segment[i] = 0
    batch.count = i + 1
    if (batch.count === SLOTS) this.flush()
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
