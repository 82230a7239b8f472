// The forwarding database as a Map, for comparison with src/overlay/fdb.ts: one obvious line per rule.
import * as drop from '../../../src/drop.ts'
import { KNOWN, LEARNED, MOVED, NEW, STATIC, TICK } from '../../../src/overlay/fdb.ts'

interface Entry {
  vtep: number
  origin: number
  seen: number
}

export class SlowFdb {
  readonly entries = new Map<string, Entry>()
  limit: number
  ageing: number

  constructor(limit: number, ageing: number) {
    this.limit = limit
    this.ageing = ageing
  }

  find(hi: number, lo: number): number {
    return this.entries.get(key(hi, lo))?.vtep ?? drop.NONE
  }

  learn(hi: number, lo: number, vtep: number, tick: number): number {
    const entry = this.entries.get(key(hi, lo))
    if (!entry) {
      if (this.entries.size >= this.limit) return drop.MAC_LIMIT
      this.entries.set(key(hi, lo), { vtep, origin: LEARNED, seen: tick })
      return NEW
    }
    if (entry.vtep !== vtep && entry.origin === STATIC) return drop.STATIC_MAC
    const answer = entry.vtep === vtep ? KNOWN : MOVED
    Object.assign(entry, { vtep, seen: tick })
    return answer
  }

  put(hi: number, lo: number, vtep: number, tick: number): void {
    this.entries.set(key(hi, lo), { vtep, origin: STATIC, seen: tick })
  }

  forget(hi: number, lo: number): boolean {
    return this.entries.delete(key(hi, lo))
  }

  forgetLearned(hi: number, lo: number): void {
    if (this.entries.get(key(hi, lo))?.origin === LEARNED) this.entries.delete(key(hi, lo))
  }

  forgetVtep(vtep: number): void {
    this.removeWhere((e) => e.vtep === vtep)
  }

  forgetLearnedAll(): void {
    this.removeWhere((e) => e.origin === LEARNED)
  }

  /** Looks at everything. */
  expire(tick: number): void {
    this.removeWhere((e) => this.overdue(e, tick))
  }

  /** As text, sorted: `MAC vtep origin age`. */
  list(tick: number): string[] {
    return [...this.entries]
      .filter(([, e]) => !this.overdue(e, tick))
      .map(([mac, e]) => `${mac} ${e.vtep} ${e.origin} ${(tick - e.seen) * TICK}`)
      .sort()
  }

  private overdue(e: Entry, tick: number): boolean {
    return this.ageing > 0 && e.origin === LEARNED && tick - e.seen >= this.ageing
  }

  private removeWhere(gone: (e: Entry) => boolean): void {
    for (const [mac, e] of this.entries) if (gone(e)) this.entries.delete(mac)
  }
}

export function key(hi: number, lo: number): string {
  return `${hi}:${lo}`
}
