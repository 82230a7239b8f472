// src/overlay/snoop.ts once more, plainly: what was heard, and who gets a group worked out anew every time. IPv4 alone.
const SEC = 10
const QUERIER = 255 * SEC
const MEMBERSHIP = 260 * SEC
const LISTENERS = 64

interface Member {
  listeners: Set<number> | null
  until: number
  leaving: boolean
}

export class SlowSnoop {
  private flood: number[]
  private groups = new Map<string, { heard: number; members: Map<number, Member> }>()
  private readonly routers = new Map<number, number>()
  private queried = Number.NEGATIVE_INFINITY

  constructor(flood: number[]) {
    this.flood = flood
  }

  receivers(group: string): number[] {
    const members = this.groups.get(group)?.members
    return members ? this.flood.filter((v) => members.has(v) || this.routers.has(v)) : this.flood
  }

  joined(group: string, vtep: number, listener: number, now: number): void {
    if (!this.flood.includes(vtep)) return
    const g = this.groups.get(group) ?? { heard: now, members: new Map<number, Member>() }
    this.groups.set(group, g)
    g.heard = now
    const m = g.members.get(vtep) ?? { listeners: new Set(), until: 0, leaving: false }
    g.members.set(vtep, m)
    m.until = now + MEMBERSHIP
    m.leaving = false
    m.listeners?.add(listener)
    if (m.listeners && m.listeners.size > LISTENERS) m.listeners = null
  }

  left(group: string, vtep: number, listener: number, now: number): void {
    const m = this.groups.get(group)?.members.get(vtep)
    if (!m?.listeners?.delete(listener) || m.listeners.size > 0) return
    if (this.hasQuerier(now)) Object.assign(m, { until: now + 3 * SEC, leaving: true })
    else this.groups.get(group)!.members.delete(vtep)
    this.tidy()
  }

  query(vtep: number, now: number): void {
    this.queried = now
    this.routers.set(vtep, now + QUERIER)
  }

  setFlood(flood: number[]): void {
    this.flood = flood
    for (const { members } of this.groups.values()) {
      for (const v of members.keys()) if (!flood.includes(v)) members.delete(v)
    }
    for (const v of this.routers.keys()) if (v !== -1 && !flood.includes(v)) this.routers.delete(v)
    this.tidy()
  }

  expire(now: number): void {
    for (const [v, until] of this.routers) if (now >= until) this.routers.delete(v)
    for (const { heard, members } of this.groups.values()) {
      const asked = this.hasQuerier(now)
      for (const [v, m] of members) {
        if ((!asked && now - heard >= MEMBERSHIP) || (now >= m.until && (asked || m.leaving))) members.delete(v)
      }
    }
    this.tidy()
  }

  private hasQuerier(now: number): boolean {
    return now - this.queried < QUERIER
  }

  private tidy(): void {
    for (const [name, { members }] of this.groups) if (members.size === 0) this.groups.delete(name)
  }
}
