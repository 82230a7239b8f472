// The forwarding database of one network: MAC → VTEP id; learned, expiring. RFC 7348 §4.1.
// Open addressing, linear probing, load at most one half, four int32 a slot so that a probe is one cache line:
//   lo (32 bits of the MAC) | hi (16 bits) and state << 16 | vtep | seen (ticks of 100 ms)
// Entries move on removal (backward shift), so nothing may keep a slot's position. Temperature: hot (find, learn).
import * as drop from '../drop.ts'
import { capacityFor } from './capacity.ts'

const EMPTY = 0
/** Origins, and at the same time slot states. LEARNED expires and moves; the others stay until removed. */
export const LEARNED = 1
export const STATIC = 2

/** Answers of `learn` beside drop codes. */
export const KNOWN = 0
export const NEW = 1
export const MOVED = 2

/** Milliseconds in a tick. */
export const TICK = 100

const STRIDE = 4
const LO = 0
const HI_STATE = 1
const VTEP = 2
const SEEN = 3

/** Slots that one sweep looks at: about a tenth of a millisecond. */
const SWEEP = 65536

export class Fdb {
  /** Number of entries, static ones included. */
  size = 0
  private limit: number
  private ageing: number
  private mask: number
  private table: Int32Array
  private swept = 0
  private readonly seed: number

  /** `limit` entries at most; learned ones expire after `ageing` ticks (0: never). `seed`: 32 random bits. */
  constructor(limit: number, ageing: number, seed: number) {
    const capacity = capacityFor(limit)
    this.limit = limit
    this.ageing = ageing
    this.mask = capacity - 1
    this.table = new Int32Array(capacity * STRIDE)
    this.seed = seed
  }

  /** VTEP id for a MAC, or drop.NONE. An entry that is overdue but not swept yet still counts. */
  find(hi: number, lo: number): number {
    const i = this.slot(hi, lo)
    return i < 0 ? drop.NONE : this.table[i + VTEP]!
  }

  /**
   * Notes that `vtep` speaks for a station. KNOWN, NEW or MOVED; drop.MAC_LIMIT when the table is full and the station new;
   * drop.STATIC_MAC when a static entry holds it elsewhere.
   */
  learn(hi: number, lo: number, vtep: number, tick: number): number {
    const i = this.slot(hi, lo)
    const table = this.table
    if (i < 0) {
      if (this.size >= this.limit) return drop.MAC_LIMIT
      this.insert(-i - 1, hi, lo, vtep, LEARNED, tick)
      return NEW
    }
    if (table[i + VTEP] === vtep) {
      table[i + SEEN] = tick
      return KNOWN
    }
    if (table[i + HI_STATE]! >>> 16 !== LEARNED) return drop.STATIC_MAC
    table[i + VTEP] = vtep
    table[i + SEEN] = tick
    return MOVED
  }

  /** Adds or replaces a static entry. Static entries are the operator's: they count, but are not refused by the limit. */
  put(hi: number, lo: number, vtep: number, tick: number): void {
    let i = this.slot(hi, lo)
    if (i < 0) {
      if ((this.size + 1) * 2 > this.mask + 1) this.resize((this.mask + 1) * 2)
      i = -this.slot(hi, lo) - 1
      this.insert(i, hi, lo, vtep, STATIC, tick)
      return
    }
    this.table[i + HI_STATE] = hi | (STATIC << 16)
    this.table[i + VTEP] = vtep
    this.table[i + SEEN] = tick
  }

  /** Removes an entry of any origin; whether there was one. */
  forget(hi: number, lo: number): boolean {
    const i = this.slot(hi, lo)
    if (i < 0) return false
    this.remove(i / STRIDE)
    return true
  }

  /** A frame of this station came from our own side: what was learned about it elsewhere is out of date. */
  forgetLearned(hi: number, lo: number): void {
    const i = this.slot(hi, lo)
    if (i >= 0 && this.table[i + HI_STATE]! >>> 16 === LEARNED) this.remove(i / STRIDE)
  }

  /** Removes all entries of a VTEP. */
  forgetVtep(vtep: number): void {
    this.removeWhere((at) => this.table[at + VTEP] === vtep)
  }

  /** Removes all learned entries: learning was switched off. Cold. */
  forgetLearnedAll(): void {
    this.removeWhere((at) => this.table[at + HI_STATE]! >>> 16 === LEARNED)
  }

  /** Looks at a share of the table and removes what is overdue; call once a second. */
  expire(tick: number): void {
    if (this.ageing === 0 || this.size === 0) return
    const slots = this.mask + 1
    const n = slots < SWEEP ? slots : SWEEP
    for (let k = 0; k < n; k++) {
      const i = this.swept & this.mask
      // Removal pulls a later entry into this slot, which then wants a look itself.
      if (this.overdue(i * STRIDE, tick)) this.remove(i)
      else this.swept++
    }
  }

  /** New limits; entries stay. Cold. */
  configure(limit: number, ageing: number): void {
    this.limit = limit
    this.ageing = ageing
    const capacity = capacityFor(Math.max(limit, this.size))
    if (capacity > this.mask + 1) this.resize(capacity)
  }

  /** Calls `visit` for every entry that is not overdue. Cold. */
  each(tick: number, visit: (hi: number, lo: number, vtep: number, origin: number, ageMs: number) => void): void {
    for (let at = 0; at < this.table.length; at += STRIDE) {
      const state = this.table[at + HI_STATE]! >>> 16
      if (state === EMPTY || this.overdue(at, tick)) continue
      const age = ((tick - this.table[at + SEEN]!) | 0) * TICK
      visit(this.table[at + HI_STATE]! & 0xffff, this.table[at + LO]!, this.table[at + VTEP]!, state, age)
    }
  }

  private overdue(at: number, tick: number): boolean {
    if (this.ageing === 0 || this.table[at + HI_STATE]! >>> 16 !== LEARNED) return false
    return ((tick - this.table[at + SEEN]!) | 0) >= this.ageing
  }

  // Position of a MAC in the table, or -1 - the free position where it belongs.
  private slot(hi: number, lo: number): number {
    const table = this.table
    const mask = this.mask
    let i = hash(hi, lo, this.seed) & mask
    for (;;) {
      const at = i * STRIDE
      const state = table[at + HI_STATE]!
      if (state === EMPTY) return -1 - at
      if (table[at + LO] === lo && (state & 0xffff) === hi) return at
      i = (i + 1) & mask
    }
  }

  private insert(at: number, hi: number, lo: number, vtep: number, state: number, tick: number): void {
    const table = this.table
    table[at + LO] = lo
    table[at + HI_STATE] = hi | (state << 16)
    table[at + VTEP] = vtep
    table[at + SEEN] = tick
    this.size++
  }

  // Frees slot i and pulls back what had to step past it, so that a search never meets a false end.
  private remove(i: number): void {
    const table = this.table
    const mask = this.mask
    let hole = i
    let j = i
    for (;;) {
      j = (j + 1) & mask
      const at = j * STRIDE
      if (table[at + HI_STATE] === EMPTY) break
      const home = hash(table[at + HI_STATE]! & 0xffff, table[at + LO]!, this.seed) & mask
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
        if (this.table[at + HI_STATE] !== EMPTY && gone(at)) this.remove(i)
        else i++
      }
    }
  }

  private resize(capacity: number): void {
    const old = this.table
    this.table = new Int32Array(capacity * STRIDE)
    this.mask = capacity - 1
    this.size = 0
    this.swept = 0
    for (let at = 0; at < old.length; at += STRIDE) {
      const state = old[at + HI_STATE]!
      if (state === EMPTY) continue
      const hi = state & 0xffff
      const to = -1 - this.slot(hi, old[at + LO]!)
      this.insert(to, hi, old[at + LO]!, old[at + VTEP]!, state >>> 16, old[at + SEEN]!)
    }
  }
}

function hash(hi: number, lo: number, seed: number): number {
  let h = Math.imul(lo ^ seed, 0x9e3779b1)
  h ^= h >>> 15
  h = Math.imul(h ^ hi, 0x85ebca6b)
  return h ^ (h >>> 13)
}
