// Who listens to which group behind which VTEP: what IGMP and MLD reports said, so that a stream goes to those alone. Read
// RFC 4541 §2.1 first. Its knowledge is partial by nature, and so everything unknown is flooded:
//   - a group that no peer is known to listen to goes to all of them; so does one that was forgotten
//   - VTEPs behind which a router or querier speaks get every group
//   - where a querier is heard, a VTEP is forgotten for a group when nobody behind it answers any more. Where none is, nobody
//     would ask it again: then a group is forgotten as a whole, when nobody has reported it for as long.
// Times are ticks of 100 ms, from RFC 3376 §8 and RFC 3810 §9. Temperature: hot (receivers), else warm: once a report.
import { NONE } from '../drop.ts'

/** Families, as an index. */
export const V4 = 0
export const V6 = 1

/** In place of a VTEP: our own side. */
export const LOCAL = -1

const TICKS = 10
/** Robustness 2 × query interval 125 s + response interval 10 s. */
const MEMBERSHIP = 260 * TICKS
const MEMBERSHIP_MAX = 3600 * TICKS
/** 2 × 125 s + 10 s / 2: how long a querier counts as there. */
const QUERIER = 255 * TICKS
/** After the last known listener behind a VTEP has left, the others have this long to say so (2 queries of 1 s, and one more). */
const LAST_MEMBER = 3 * TICKS
/** Groups remembered in one network. Further ones are flooded. */
const GROUPS = 4096
/** Listeners of a group remembered behind one VTEP. With more of them, nobody's leaving is taken at its word. */
const LISTENERS = 64
const NEVER = Number.NEGATIVE_INFINITY
const STRIDE = 5
const INDEX = 4

interface Member {
  /** Who reported, each a number; null: too many. */
  listeners: Set<number> | null
  until: number
  /** All known listeners have left, and a querier asks for others. */
  leaving: boolean
}

interface Group {
  readonly words: readonly number[]
  readonly family: number
  readonly members: Map<number, Member>
  heard: number
  receivers: Int32Array
}

export class Snoop {
  /** Number of groups that somebody listens to. */
  size = 0
  private readonly groups: (Group | undefined)[] = []
  private table = new Int32Array(64 * STRIDE)
  private mask = 63
  private flood: Int32Array
  /** By family: when the last query was heard, NEVER before; how long members count; routers by VTEP and until when. */
  private readonly queried: [number, number] = [NEVER, NEVER]
  private readonly membership: [number, number] = [MEMBERSHIP, MEMBERSHIP]
  private readonly routers: [Map<number, number>, Map<number, number>] = [new Map(), new Map()]
  private readonly seed: number

  /** `flood`: the VTEPs that get what is for all. `seed`: 32 random bits. */
  constructor(flood: Int32Array, seed: number) {
    this.flood = flood
    this.seed = seed
  }

  /** Who gets a frame for this group. */
  receivers(a: number, b: number, c: number, d: number): Int32Array {
    const at = this.slot(a, b, c, d)
    return this.table[at + INDEX] === 0 ? this.flood : this.groups[this.table[at + INDEX]! - 1]!.receivers
  }

  /** A station behind `vtep` listens to the group; `listener` is its number. */
  joined(a: number, b: number, c: number, d: number, vtep: number, listener: number, tick: number): void {
    if (!this.flood.includes(vtep)) return
    const group = this.find(a, b, c, d) ?? this.add([a, b, c, d], tick)
    if (!group) return
    const until = (tick + this.membership[group.family]!) | 0
    group.heard = tick
    const member = group.members.get(vtep)
    if (!member) {
      group.members.set(vtep, { listeners: new Set([listener]), until, leaving: false })
      this.aim(group)
      return
    }
    member.until = until
    member.leaving = false
    if (member.listeners && !member.listeners.has(listener)) {
      if (member.listeners.size < LISTENERS) member.listeners.add(listener)
      else member.listeners = null
    }
  }

  /** It does not any more. */
  left(a: number, b: number, c: number, d: number, vtep: number, listener: number, tick: number): void {
    const group = this.find(a, b, c, d)
    const member = group?.members.get(vtep)
    if (!group || !member?.listeners?.delete(listener) || member.listeners.size > 0) return
    // RFC 2236 §3: where there is a querier it asks whether somebody else is left, who may have kept silent until now.
    if (this.hasQuerier(group.family, tick)) {
      member.until = (tick + LAST_MEMBER) | 0
      member.leaving = true
    } else {
      group.members.delete(vtep)
      this.aim(group)
    }
  }

  /** A query came from behind `vtep` (LOCAL: from our side). `membershipSec`: as it says, 0: it does not. `named`: from an address. */
  query(family: number, vtep: number, membershipSec: number, named: boolean, tick: number): void {
    const told = Math.min(membershipSec * TICKS, MEMBERSHIP_MAX)
    this.queried[family as 0] = tick
    this.membership[family as 0] = told > MEMBERSHIP ? told : MEMBERSHIP
    // RFC 4541 §2.1.1 (1) c: a query from 0.0.0.0 is a switch's, and no router is there.
    if (named) this.router(family, vtep, tick)
  }

  /** A router speaks behind `vtep`: it gets every group. */
  router(family: number, vtep: number, tick: number): void {
    const routers = this.routers[family as 0]
    const isNew = !routers.has(vtep)
    routers.set(vtep, (tick + QUERIER) | 0)
    if (isNew) this.aimAll()
  }

  /**
   * Whether a report that other listeners would take for their own (IGMPv1, v2, MLDv1) is kept from our side: RFC 4541 §2.1.1 (1).
   * A querier asks, so that they would be asked for nothing; no router on our side wants to hear it.
   */
  withholds(family: number, tick: number): boolean {
    return this.hasQuerier(family, tick) && !this.routers[family as 0].has(LOCAL)
  }

  /** Who is flooded to has changed. */
  setFlood(flood: Int32Array): void {
    this.flood = flood
    for (const group of this.groups) {
      if (!group) continue
      for (const vtep of group.members.keys()) if (!flood.includes(vtep)) group.members.delete(vtep)
    }
    for (const routers of this.routers) {
      for (const vtep of routers.keys()) if (vtep !== LOCAL && !flood.includes(vtep)) routers.delete(vtep)
    }
    this.aimAll()
  }

  /** Forgets who has not been heard for long; call once a second. */
  expire(tick: number): void {
    let changed = false
    for (const routers of this.routers) {
      for (const [vtep, until] of routers) if (((tick - until) | 0) >= 0) changed = routers.delete(vtep) || changed
    }
    for (const group of this.groups) {
      if (!group) continue
      const asked = this.hasQuerier(group.family, tick)
      const forgotten = !asked && ((tick - group.heard) | 0) >= this.membership[group.family]!
      for (const [vtep, member] of group.members) {
        const overdue = ((tick - member.until) | 0) >= 0 && (asked || member.leaving)
        if (forgotten || overdue) changed = group.members.delete(vtep) || changed
      }
    }
    if (changed) this.aimAll()
  }

  private hasQuerier(family: number, tick: number): boolean {
    const at = this.queried[family]!
    return at !== NEVER && ((tick - at) | 0) < QUERIER
  }

  private aimAll(): void {
    for (const group of this.groups) if (group) this.aim(group)
  }

  // Whom the group's frames go to. Without members it is flooded, and forgotten.
  private aim(group: Group): void {
    if (group.members.size === 0) {
      this.remove(group)
      return
    }
    const routers = this.routers[group.family as 0]
    group.receivers = this.flood.filter((vtep) => group.members.has(vtep) || routers.has(vtep))
  }

  private find(a: number, b: number, c: number, d: number): Group | undefined {
    const index = this.table[this.slot(a, b, c, d) + INDEX]!
    return index === 0 ? undefined : this.groups[index - 1]
  }

  private add(words: [number, number, number, number], tick: number): Group | undefined {
    if (this.size >= GROUPS) return undefined
    const family = words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? V4 : V6
    const group = { words, family, members: new Map(), heard: tick, receivers: this.flood }
    const free = this.groups.indexOf(undefined)
    const index = free === NONE ? this.groups.length : free
    this.groups[index] = group
    this.size++
    if (this.size * 2 > this.mask + 1) this.rebuild((this.mask + 1) * 2)
    else this.place(words, index)
    return group
  }

  private remove(group: Group): void {
    const [a, b, c, d] = group.words as [number, number, number, number]
    const at = this.slot(a, b, c, d)
    this.groups[this.table[at + INDEX]! - 1] = undefined
    this.size--
    this.unlink(at / STRIDE)
  }

  // Backward shift deletion, as in fdb.ts.
  private unlink(i: number): void {
    const { table, mask } = this
    let hole = i
    let j = i
    for (;;) {
      j = (j + 1) & mask
      const at = j * STRIDE
      if (table[at + INDEX] === 0) break
      const home = this.hash(table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!) & mask
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table.copyWithin(hole * STRIDE, at, at + STRIDE)
        hole = j
      }
    }
    table.fill(0, hole * STRIDE, hole * STRIDE + STRIDE)
  }

  private rebuild(capacity: number): void {
    this.table = new Int32Array(capacity * STRIDE)
    this.mask = capacity - 1
    this.groups.forEach((group, index) => {
      if (group) this.place(group.words, index)
    })
  }

  private place(words: readonly number[], index: number): void {
    const [a, b, c, d] = words as [number, number, number, number]
    this.table.set([a, b, c, d, index + 1], this.slot(a, b, c, d))
  }

  // Where the group is in the table, or the free place where it belongs.
  private slot(a: number, b: number, c: number, d: number): number {
    const { table, mask } = this
    let i = this.hash(a, b, c, d) & mask
    for (;;) {
      const at = i * STRIDE
      if (table[at + INDEX] === 0) return at
      if (table[at + 3] === d && table[at + 2] === c && table[at + 1] === b && table[at] === a) return at
      i = (i + 1) & mask
    }
  }

  private hash(a: number, b: number, c: number, d: number): number {
    let h = Math.imul(d ^ this.seed, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15) ^ c, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13) ^ b, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 16) ^ a, 0x27d4eb2f)
    return h ^ (h >>> 15)
  }
}
