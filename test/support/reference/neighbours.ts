// src/overlay/neighbours.ts once more, plainly: a Map of objects, times that never go round. RFC 9161 §3.
const MINUTE = 600
const WINDOW = 1800
const MOVES = 5
const OVERRIDE = 0x20
const UNTOLD = -1
export const LEARNED = 1

interface Entry {
  mac: string
  vtep: number
  flags: number
  origin: number
  seen: number
  asked: boolean
  moves: number
  since: number
}

export class SlowNeighbours {
  private readonly entries = new Map<string, Entry>()
  private limit: number
  private ageing: number

  constructor(limit: number, ageing: number) {
    this.limit = limit
    this.ageing = ageing
  }

  get size(): number {
    return this.entries.size
  }

  /** What would be answered: the MAC, its VTEP and flags; null: nothing. */
  owner(ip: string, now: number): { mac: string; vtep: number; flags: number } | null {
    const e = this.entries.get(ip)
    if (!e || e.flags === UNTOLD) return null
    if (e.origin === LEARNED) {
      const contested = e.moves >= MOVES && now - e.since < WINDOW
      if (now - e.seen >= Math.min(this.ageing, MINUTE) || e.asked || contested) return null
    }
    return { mac: e.mac, vtep: e.vtep, flags: e.flags }
  }

  claim(ip: string, mac: string, vtep: number, flags: number, now: number): void {
    const e = this.entries.get(ip)
    if (!e) {
      if (this.size >= this.limit) return
      this.entries.set(ip, {
        ...{ mac, vtep, flags, origin: LEARNED, seen: now, asked: false },
        ...{ moves: 0, since: now },
      })
      return
    }
    if (e.origin !== LEARNED) return
    const stale = now - e.seen >= this.ageing
    if (e.mac !== mac && !stale) {
      if (flags !== UNTOLD && !(flags & OVERRIDE)) return
      if (now - e.since >= WINDOW) Object.assign(e, { since: now, moves: 0 })
      e.moves++
    }
    if (e.mac !== mac || flags !== UNTOLD) e.flags = flags
    Object.assign(e, { mac, vtep, seen: now, asked: false })
  }

  doubt(ip: string, mac: string): void {
    const e = this.entries.get(ip)
    if (e?.origin === LEARNED && e.mac !== mac) this.entries.delete(ip)
  }

  asked(ip: string): void {
    const e = this.entries.get(ip)
    if (e) e.asked = true
  }

  put(ip: string, mac: string, vtep: number, flags: number, origin: number): void {
    const had = this.entries.get(ip)
    if (had && had.origin > origin) return
    this.entries.set(ip, { mac, vtep, flags, origin, seen: 0, asked: false, moves: 0, since: 0 })
  }

  forgetVtep(vtep: number): void {
    for (const [ip, e] of this.entries) if (e.vtep === vtep) this.entries.delete(ip)
  }

  forgetOrigin(origin: number): void {
    for (const [ip, e] of this.entries) if (e.origin === origin) this.entries.delete(ip)
  }

  expire(now: number): void {
    for (const [ip, e] of this.entries) {
      if (e.origin === LEARNED && now - e.seen >= this.ageing) this.entries.delete(ip)
    }
  }

  configure(limit: number, ageing: number): void {
    this.limit = limit
    this.ageing = ageing
  }
}
