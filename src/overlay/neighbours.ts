// Which MAC has an IP address in a layer 2 network, as ARP and neighbour discovery on both sides said, or the operator, or
// control. Read RFC 9161 §3 first: this is its proxy's table. What it answers must be true today: a binding ages, a doubtful
// one is not used, and the caller asks the FDB whether the station is still where it spoke.
// Open addressing, linear probing, load at most one half; twelve int32 a slot:
//   address (4 words, IPv4 mapped) | lo | hi and state << 16 | vtep | flags | seen | asked | moves | since (ticks of 100 ms)
// Entries move on removal (backward shift): a position holds until the next change. Temperature: hot (claim, owner).
import { NONE } from '../drop.ts'
import { capacityFor } from './capacity.ts'

const EMPTY = 0
/** Origins, and at the same time slot states: a higher one is not overridden by a lower. LEARNED ages and moves. */
export const LEARNED = 1
export const CONTROL = 2
export const STATIC = 3

/** In place of a VTEP: the station is on our own side. */
export const LOCAL = -1
/** In place of flags: said by a solicitation, which does not tell what an advertisement would (RFC 4861 §4.4). */
export const UNTOLD = -1
/** A flag: the binding takes the place of another (the O flag; ARP's always do). */
export const OVERRIDE = 0x20

const STRIDE = 12
const LO = 4
const HI_STATE = 5
const VTEP = 6
const FLAGS = 7
const SEEN = 8
const ASKED = 9
const MOVES = 10
const SINCE = 11

/**
 * Ticks in which an answer may be made of what an owner has said: about as long as a host believes it without asking again (RFC 4861
 * §6.3.2). An address that changes hands without a word is found as soon as without us.
 */
const FRESH = 600
/** RFC 9161 §3.7, with the numbers of RFC 7432 §15.1: so many changes of the MAC in so many ticks are a duplicate address. */
const DUPLICATE_MOVES = 5
const DUPLICATE_TICKS = 1800
/** Ticks between two mentions of duplicates. */
const MENTION = 600
const NEVER = Number.NEGATIVE_INFINITY
/** Slots that one sweep looks at. */
const SWEEP = 32768

/** Two stations that want one address: its words, and the MACs as 16 and 32 bits. */
export interface Duplicate {
  readonly words: readonly number[]
  readonly had: readonly [number, number]
  readonly claimed: readonly [number, number]
}

/** What `each` tells. */
export interface Binding {
  readonly words: readonly number[]
  readonly hi: number
  readonly lo: number
  readonly vtep: number
  readonly origin: number
  /** Ticks since it was last said. */
  readonly age: number
}

export class Neighbours {
  /** Number of bindings of every origin. */
  size = 0
  private limit: number
  private ageing: number
  private mask: number
  private table: Int32Array
  private swept = 0
  private readonly seed: number
  // The last duplicate since `takeDuplicate`: address, MAC that it had, MAC that claimed it.
  private readonly duplicate = new Int32Array(8)
  private duplicated = false
  private mentioned = NEVER

  /** `limit` learned bindings at most, that expire after `ageing` ticks. `seed`: 32 random bits. */
  constructor(limit: number, ageing: number, seed: number) {
    const capacity = capacityFor(limit)
    this.limit = limit
    this.ageing = ageing
    this.mask = capacity - 1
    this.table = new Int32Array(capacity * STRIDE)
    this.seed = seed
  }

  /**
   * Position of the binding of an address, when an answer may be made of it: it is fresh, all of it is known, its owner has not
   * left a question of another station's open, and no two stations want the address. Else NONE.
   */
  owner(a: number, b: number, c: number, d: number, tick: number): number {
    const at = this.slot(a, b, c, d)
    if (at < 0) return NONE
    const { table } = this
    if (table[at + FLAGS] === UNTOLD || this.overdue(at, tick)) return NONE
    if (table[at + HI_STATE]! >>> 16 !== LEARNED) return at
    if (((tick - table[at + SEEN]!) | 0) >= FRESH || table[at + ASKED] !== 0) return NONE
    return this.contested(at, tick) ? NONE : at
  }

  hi(at: number): number {
    return this.table[at + HI_STATE]! & 0xffff
  }

  lo(at: number): number {
    return this.table[at + LO]!
  }

  /** LOCAL: on our side. */
  vtep(at: number): number {
    return this.table[at + VTEP]!
  }

  /** As the last advertisement had them. */
  flags(at: number): number {
    return this.table[at + FLAGS]!
  }

  /** A station behind `vtep` (LOCAL: on our side) says that the address is its own. */
  claim(
    a: number,
    b: number,
    c: number,
    d: number,
    hi: number,
    lo: number,
    vtep: number,
    flags: number,
    tick: number,
  ): void {
    const at = this.slot(a, b, c, d)
    if (at < 0) {
      if (this.size < this.limit) this.insert(-at - 1, a, b, c, d, hi, lo, vtep, flags, LEARNED, tick)
      return
    }
    const { table } = this
    const same = table[at + LO] === lo && (table[at + HI_STATE]! & 0xffff) === hi
    if (table[at + HI_STATE]! >>> 16 !== LEARNED) {
      if (!same) this.note(at, hi, lo)
      return
    }
    if (!same) {
      const stale = this.overdue(at, tick)
      // RFC 4861 §7.2.5: without the O flag it stands beside what is known, as an anycast address does.
      if (!stale && flags >= 0 && (flags & OVERRIDE) === 0) return
      if (!stale) this.moved(at, hi, lo, tick)
      table[at + LO] = lo
      table[at + HI_STATE] = hi | (LEARNED << 16)
      table[at + FLAGS] = flags
    }
    if (flags !== UNTOLD) table[at + FLAGS] = flags
    table[at + VTEP] = vtep
    table[at + SEEN] = tick
    table[at + ASKED] = 0
  }

  /** Somebody speaks for the address with a MAC that is not the speaker's: a learned binding to another MAC is not sure any more. */
  doubt(a: number, b: number, c: number, d: number, hi: number, lo: number): void {
    const at = this.slot(a, b, c, d)
    if (at < 0 || this.table[at + HI_STATE]! >>> 16 !== LEARNED) return
    if (this.table[at + LO] !== lo || (this.table[at + HI_STATE]! & 0xffff) !== hi) this.remove(at / STRIDE)
  }

  /** The owner is asked whether it is there (RFC 4861 §7.3): until it says so, nobody says it for it. */
  asked(a: number, b: number, c: number, d: number, tick: number): void {
    const at = this.slot(a, b, c, d)
    // 0 says that nobody has asked.
    if (at >= 0 && this.table[at + ASKED] === 0) this.table[at + ASKED] = tick === 0 ? 1 : tick
  }

  /** Adds or replaces a binding of the operator's or of control's. They are not refused by the limit. */
  put(words: readonly number[], hi: number, lo: number, vtep: number, flags: number, origin: number): void {
    const [a, b, c, d] = words as [number, number, number, number]
    const at = this.slot(a, b, c, d)
    if (at >= 0) {
      if (this.table[at + HI_STATE]! >>> 16 > origin) return
      this.remove(at / STRIDE)
    }
    if ((this.size + 1) * 2 > this.mask + 1) this.resize((this.mask + 1) * 2)
    this.insert(-this.slot(a, b, c, d) - 1, a, b, c, d, hi, lo, vtep, flags, origin, 0)
  }

  /** Removes a learned binding: its station is not where it spoke. */
  forgetLearned(at: number): void {
    if (this.table[at + HI_STATE]! >>> 16 === LEARNED) this.remove(at / STRIDE)
  }

  /** Removes all bindings of a VTEP. */
  forgetVtep(vtep: number): void {
    this.removeWhere((at) => this.table[at + VTEP] === vtep)
  }

  /** Removes all bindings of an origin. */
  forgetOrigin(origin: number): void {
    this.removeWhere((at) => this.table[at + HI_STATE]! >>> 16 === origin)
  }

  /** Looks at a share of the table and removes what is overdue; call once a second. */
  expire(tick: number): void {
    if (this.size === 0) return
    const slots = this.mask + 1
    const n = slots < SWEEP ? slots : SWEEP
    for (let k = 0; k < n; k++) {
      const i = this.swept & this.mask
      // Removal pulls a later entry into this slot, which then wants a look itself.
      if (this.overdue(i * STRIDE, tick)) this.remove(i)
      else this.swept++
    }
  }

  /** New limits; bindings stay. Cold. */
  configure(limit: number, ageing: number): void {
    this.limit = limit
    this.ageing = ageing
    const capacity = capacityFor(Math.max(limit, this.size))
    if (capacity > this.mask + 1) this.resize(capacity)
  }

  /** The last duplicate address that was not told of, at most one a minute, or null. Cold. */
  takeDuplicate(tick: number): Duplicate | null {
    if (!this.duplicated || this.isMentioned(tick)) return null
    this.duplicated = false
    this.mentioned = tick
    const [a, b, c, d, hadHi, hadLo, hi, lo] = this.duplicate
    return { words: [a!, b!, c!, d!], had: [hadHi!, hadLo!], claimed: [hi!, lo!] }
  }

  /** Calls `visit` for every binding that is not overdue. Cold. */
  each(tick: number, visit: (binding: Binding) => void): void {
    const { table } = this
    for (let at = 0; at < table.length; at += STRIDE) {
      const origin = table[at + HI_STATE]! >>> 16
      if (origin === EMPTY || this.overdue(at, tick)) continue
      const words = [table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!]
      const age = origin === LEARNED ? (tick - table[at + SEEN]!) | 0 : 0
      visit({ words, hi: this.hi(at), lo: this.lo(at), vtep: this.vtep(at), origin, age })
    }
  }

  // The binding at `at` goes to another MAC: once too often, and two stations want the address.
  private moved(at: number, hi: number, lo: number, tick: number): void {
    const { table } = this
    if (((tick - table[at + SINCE]!) | 0) >= DUPLICATE_TICKS) {
      table[at + SINCE] = tick
      table[at + MOVES] = 0
    }
    table[at + MOVES]!++
    if (table[at + MOVES]! >= DUPLICATE_MOVES) this.note(at, hi, lo)
  }

  private isMentioned(tick: number): boolean {
    return this.mentioned !== NEVER && ((tick - this.mentioned) | 0) < MENTION
  }

  private contested(at: number, tick: number): boolean {
    if (this.table[at + MOVES]! < DUPLICATE_MOVES) return false
    return ((tick - this.table[at + SINCE]!) | 0) < DUPLICATE_TICKS
  }

  private note(at: number, hi: number, lo: number): void {
    const { table, duplicate } = this
    for (let k = 0; k < 4; k++) duplicate[k] = table[at + k]!
    duplicate[4] = table[at + HI_STATE]! & 0xffff
    duplicate[5] = table[at + LO]!
    duplicate[6] = hi
    duplicate[7] = lo
    this.duplicated = true
  }

  private overdue(at: number, tick: number): boolean {
    if (this.table[at + HI_STATE]! >>> 16 !== LEARNED) return false
    return ((tick - this.table[at + SEEN]!) | 0) >= this.ageing
  }

  // Position of an address in the table, or -1 - the free position where it belongs.
  private slot(a: number, b: number, c: number, d: number): number {
    const { table, mask } = this
    let i = hash(a, b, c, d, this.seed) & mask
    for (;;) {
      const at = i * STRIDE
      if (table[at + HI_STATE]! >>> 16 === EMPTY) return -1 - at
      if (table[at + 3] === d && table[at + 2] === c && table[at + 1] === b && table[at] === a) return at
      i = (i + 1) & mask
    }
  }

  private insert(
    at: number,
    a: number,
    b: number,
    c: number,
    d: number,
    hi: number,
    lo: number,
    vtep: number,
    flags: number,
    state: number,
    tick: number,
  ): void {
    const { table } = this
    table[at] = a
    table[at + 1] = b
    table[at + 2] = c
    table[at + 3] = d
    table[at + LO] = lo
    table[at + HI_STATE] = hi | (state << 16)
    table[at + VTEP] = vtep
    table[at + FLAGS] = flags
    table[at + SEEN] = tick
    table[at + ASKED] = 0
    table[at + MOVES] = 0
    table[at + SINCE] = tick
    this.size++
  }

  // Frees slot i and pulls back what had to step past it, as in fdb.ts.
  private remove(i: number): void {
    const { table, mask } = this
    let hole = i
    let j = i
    for (;;) {
      j = (j + 1) & mask
      const at = j * STRIDE
      if (table[at + HI_STATE]! >>> 16 === EMPTY) break
      const home = hash(table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!, this.seed) & mask
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table.copyWithin(hole * STRIDE, at, at + STRIDE)
        hole = j
      }
    }
    table.fill(0, hole * STRIDE, hole * STRIDE + STRIDE)
    this.size--
  }

  private removeWhere(gone: (at: number) => boolean): void {
    // Two rounds: an entry that removal carries over the table's end into its beginning is met in the second.
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i <= this.mask; ) {
        const at = i * STRIDE
        if (this.table[at + HI_STATE]! >>> 16 !== EMPTY && gone(at)) this.remove(i)
        else i++
      }
    }
  }

  private resize(capacity: number): void {
    const old = this.table
    this.table = new Int32Array(capacity * STRIDE)
    this.mask = capacity - 1
    this.swept = 0
    for (let from = 0; from < old.length; from += STRIDE) {
      if (old[from + HI_STATE]! >>> 16 === EMPTY) continue
      const to = -1 - this.slot(old[from]!, old[from + 1]!, old[from + 2]!, old[from + 3]!)
      this.table.set(old.subarray(from, from + STRIDE), to)
    }
  }
}

function hash(a: number, b: number, c: number, d: number, seed: number): number {
  let h = Math.imul(d ^ seed, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15) ^ c, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ b, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16) ^ a, 0x27d4eb2f)
  return h ^ (h >>> 15)
}
