// What the path to one far end carries, found out by asking its agent: "does a packet of this size arrive?" RFC 8899 in spirit,
// and without ICMP. Sans-IO: time is an argument, what is to be done goes out through ProbeEffects. Sizes are bytes of whole
// packets, outer headers included, never fragmented.
//
//   idle       nothing under way, no deadline. What is known holds; until something is, the kernel's word does.
//   asking     `target` is asked for, in rounds, together with smaller sizes. It arrives: known. It does not, while smaller ones
//              of the same round do, three times: lost, and the largest that did arrive holds at once. Nothing at all arrives:
//              nothing is said about the path, and what held holds.
//   narrowing  the same question, halving the gap between the largest size that arrived and the smallest that did not
//
// Data that leaves begins a question, never a clock: an idle tunnel stays silent. Any data begins the first one, and after a
// while another for a path that was narrow; large packets ask once a second whether what is known still holds.
// Cold, but for `sent`, which compares two numbers once a batch.

/** What the kernel says of the path. */
export interface KernelPath {
  /** Bytes. */
  readonly mtu: number
  readonly v6: boolean
  /** The far end is somewhere else than before. */
  readonly moved: boolean
}

export interface ProbeEffects {
  /**
   * Send a probe of each of these sizes, smallest first: a datagram joins the one before it in one UDP_SEGMENT message only where
   * that is no shorter, and a hop loses such a message as a whole.
   */
  probe(tunnel: number, sizes: readonly number[], nonce: number): void
  /** From now on the path carries so much; 0: whatever the kernel says. */
  found(tunnel: number, mtu: number): void
}

export const NEVER = Number.POSITIVE_INFINITY

/** RFC 8899 §5.1.2 BASE_PLPMTU, as IPv6's smallest: where a search begins that the full size has failed. */
export const BASE = 1280
/** RFC 791: every IPv4 host takes that much. No path is believed to carry less. */
const FLOOR4 = 576
/** Arrives wherever anything does: a sign that the far end answers at all. Above the longest overhead with its nonce. */
const TINY = 128
/** Longest probe: a UDP datagram holds less than an IP packet. Who gets that through gets everything through. */
const LONGEST = 65_400
/** What links and tunnels commonly leave: asked for together when the full size is in doubt. */
const COMMON = [9000, 1500, 1492, 1480, 1460, 1440, 1420, 1400, 1360, 1320]
/** A search ends when it is right within so many bytes. */
const GRAIN = 8

/** Rounds in which a smaller size has to arrive and the target has not, until it is lost (RFC 8899 §5.1.2 MAX_PROBES) … */
const PROOFS = 3
/** … the same when only sizes below BASE do: large packets may suffer more from a queue than small ones. */
const WEAK_PROOFS = 6
/** Rounds without any answer until nobody is there; rounds at all. */
const SILENT_ROUNDS = 5
const MAX_ROUNDS = 12

/** Milliseconds: between large packets' questions; until a far end that never answered is asked again. */
export const CHECK = 1000
export const MUTE = 120_000
/** From the first finding that a path is narrow until the full size is tried again; then RFC 8899's PMTU_RAISE_TIMER. */
const RAISE = [10_000, 60_000, 600_000]
/** How long a round waits for the first answer, at least and (before backing off) at most. */
const WAIT_MIN = 100
const WAIT_MAX = 1000
/** How much later than a smaller probe the larger ones of its round may still arrive, beside a part of the round trip. */
const GRACE = 20
const GRACE_MAX = 250

export class PathProbe {
  readonly tunnel: number
  /** When `expire` is due, milliseconds. */
  deadline = NEVER
  private readonly effects: ProbeEffects
  /** From when on data, and large packets, begin a question. */
  private anyAt = 0
  private largeAt = 0
  /** The kernel's path MTU; 0: it has no route. */
  private ceiling = 0
  private floor = FLOOR4
  /** Less than the kernel says; 0: as much. */
  private limit = 0
  /** Something has arrived where the far end is now. */
  private known = false
  private raises = 0
  private raiseAt = 0
  /** Round trip, smoothed; 0: not known. */
  private rtt = 0
  private nonce = 0
  // The question. target 0: none. above, below: a gap that is being narrowed; above 0: none.
  private target = 0
  private above = 0
  private below = 0
  // Its rounds: the first one's nonce, when each began; bits by round: in which something smaller arrived, something of use as a
  // proof, in which many sizes were asked for, in which the target was not even sent. And the largest size that arrived.
  private first = 0
  private readonly began: number[] = []
  private heard = 0
  private proofs = 0
  private ladders = 0
  private unsentIn = 0
  private best = 0

  constructor(tunnel: number, effects: ProbeEffects) {
    this.tunnel = tunnel
    this.effects = effects
    this.forget()
  }

  /** Data left; `large`: enough of it that a narrow path might matter. */
  sent(large: boolean, now: number): void {
    if (now < this.anyAt && (!large || now < this.largeAt)) return
    if (this.ceiling === 0) return
    if (now >= this.anyAt) this.ask(this.full, now)
    else this.ask(this.limit === 0 ? this.full : this.limit, now)
  }

  /**
   * The kernel's word. When the far end has moved, and when the kernel's word rises, nothing is known any more: what `found` has
   * said is void.
   */
  setCeiling({ mtu, v6, moved }: KernelPath, now: number): void {
    const fresh = moved || mtu > this.ceiling
    this.ceiling = mtu
    this.floor = Math.min(v6 ? BASE : FLOOR4, mtu)
    if (fresh) {
      this.forget()
      return
    }
    if (this.limit >= this.full) this.limit = 0
    if (this.target > this.full || this.above > this.full) this.ask(this.full, now)
  }

  /** A new session: whoever answers may have learned to. */
  begun(): void {
    if (!this.known && this.target === 0) this.anyAt = 0
  }

  /** A probe of `size` has arrived there. */
  answered(nonce: number, size: number, now: number): void {
    const round = (nonce - this.first) >>> 0
    if (this.target === 0 || round >= this.began.length || size > this.target) return
    const took = now - this.began[round]!
    this.rtt += this.rtt === 0 ? took : (took - this.rtt) / 4
    if (size === this.target) {
      this.arrived(now)
      return
    }
    this.best = Math.max(this.best, size)
    const bit = 1 << round
    if ((this.unsentIn & bit) !== 0) return
    this.heard |= bit
    if (size < this.proving || (this.proofs & bit) !== 0) return
    this.proofs |= bit
    this.deadline = Math.min(this.deadline, now + Math.min(GRACE_MAX, GRACE + this.rtt / 4))
  }

  /** A probe of `size` did not leave: its round proves nothing. */
  unsent(nonce: number, size: number): void {
    const round = (nonce - this.first) >>> 0
    if (size === this.target && round < this.began.length) this.unsentIn |= 1 << round
  }

  /** Does what is due. */
  expire(now: number): void {
    if (now < this.deadline) return
    const rounds = this.began.length
    const proven = count(this.proofs) >= PROOFS || count(this.heard) >= WEAK_PROOFS
    // Not before somebody has said what else arrives: otherwise the next step would be a guess.
    if (proven && (this.above !== 0 || (this.heard & this.ladders) !== 0)) this.lost(now)
    else if (rounds >= MAX_ROUNDS || (this.heard === 0 && rounds >= SILENT_ROUNDS)) this.silent(now)
    else this.round(now)
  }

  /** What may be asked for at most. */
  private get full(): number {
    return Math.min(this.ceiling, LONGEST)
  }

  /** From which size on an answer proves that the target should have arrived as well. */
  private get proving(): number {
    if (this.above !== 0) return this.below
    return this.target > BASE ? BASE : NEVER
  }

  private forget(): void {
    this.limit = 0
    this.known = false
    this.raises = 0
    this.rtt = 0
    this.target = 0
    this.above = 0
    this.deadline = NEVER
    this.anyAt = 0
    this.largeAt = 0
  }

  private ask(target: number, now: number): void {
    this.above = 0
    this.below = 0
    this.question(target, now)
  }

  private question(target: number, now: number): void {
    this.target = target
    this.anyAt = NEVER
    this.largeAt = NEVER
    this.began.length = 0
    this.heard = 0
    this.proofs = 0
    this.ladders = 0
    this.unsentIn = 0
    this.best = 0
    // Nothing smaller would be believed.
    if (target <= this.floor) this.arrived(now)
    else this.round(now)
  }

  private round(now: number): void {
    const sizes = this.sizes()
    this.nonce = (this.nonce + 1) >>> 0
    if (this.began.length === 0) this.first = this.nonce
    // Rounds in vain wait longer and longer; where only the target is missing, not beyond a moment.
    const vain = this.began.length - count(this.proofs)
    this.began.push(now)
    const wait = Math.min(WAIT_MAX, Math.max(WAIT_MIN, 2 * this.rtt + 50))
    this.deadline = now + wait * 2 ** Math.min(vain, this.heard === 0 ? 4 : 2)
    this.effects.probe(this.tunnel, sizes, this.nonce)
  }

  private sizes(): readonly number[] {
    const { target } = this
    if (this.above !== 0) return [this.below, target]
    // Mostly it arrives, as it did the last time.
    if (this.known && this.began.length === 0) return [target]
    if (this.heard === 0) return target > BASE ? [TINY, BASE, target] : [TINY, target]
    this.ladders |= 1 << this.began.length
    return this.ladder()
  }

  /** The target and what else the path may carry; the floor only as long as BASE has not arrived. */
  private ladder(): number[] {
    const low = this.proofs !== 0 ? BASE : this.floor
    const steps = [this.target, ...COMMON, this.limit, BASE, low].filter((size) => size >= low && size <= this.target)
    return [TINY, ...new Set(steps.sort((a, b) => a - b))]
  }

  private arrived(now: number): void {
    this.known = true
    if (this.above !== 0) {
      this.below = this.target
      this.narrow(now)
      return
    }
    this.say(this.target === this.full ? 0 : this.target)
    if (this.limit === 0) this.raises = 0
    this.settle(now)
  }

  private lost(now: number): void {
    this.known = true
    if (this.above !== 0) {
      this.above = this.target
      this.narrow(now)
      return
    }
    const carries = Math.max(this.best, this.floor)
    const more = this.ladder().filter((size) => size > carries)
    // Not the first time that it is tried again: less and less often.
    this.raises = carries === this.limit ? Math.min(this.raises + 1, RAISE.length - 1) : 0
    this.raiseAt = now + RAISE[this.raises]!
    this.say(carries)
    this.below = carries
    this.above = Math.min(...more)
    // Where not even the floor has arrived there is nothing to compare with.
    if (this.best < carries) this.settle(now)
    else this.narrow(now)
  }

  private narrow(now: number): void {
    const { above, below } = this
    if (above - below > GRAIN) {
      this.question((above + below) >>> 1, now)
      return
    }
    this.say(below)
    this.settle(now)
  }

  private silent(now: number): void {
    if (this.above !== 0) this.say(this.below)
    if (this.limit !== 0 && now >= this.raiseAt) this.raiseAt = now + RAISE[0]!
    const mute = !this.known && this.heard === 0
    this.settle(now)
    if (mute) this.largeAt = now + MUTE
  }

  private settle(now: number): void {
    this.target = 0
    this.above = 0
    this.deadline = NEVER
    this.anyAt = this.limit === 0 ? NEVER : this.raiseAt
    this.largeAt = now + CHECK
  }

  private say(limit: number): void {
    if (limit === this.limit) return
    this.limit = limit
    this.effects.found(this.tunnel, limit)
  }
}

function count(bits: number): number {
  let n = 0
  for (let left = bits; left !== 0; left &= left - 1) n++
  return n
}
