// A store in memory that orders, compares, leases and forgets as etcd does, with its own clock, for agents that are sans I/O.
import type { Change, Committed, Entry, KeyEvent, Listing } from '../../src/control/etcd/kv.ts'
import { NO_LEASE } from '../../src/control/etcd/kv.ts'

export class MemoryStore {
  readonly history: KeyEvent[] = []
  private readonly entries = new Map<string, Entry>()
  private readonly leases = new Map<string, number>()
  private now = 0
  private lastLease = 0
  revision = 1
  /** Writes so far. */
  writes = 0

  list(prefix: string): Listing {
    return { revision: this.revision, entries: [...this.entries.values()].filter(({ key }) => key.startsWith(prefix)) }
  }

  get(key: string): Entry | null {
    return this.entries.get(key) ?? null
  }

  grant(ttlSec: number): string {
    const lease = String(++this.lastLease)
    this.leases.set(lease, this.now + ttlSec * 1000)
    return lease
  }

  timeToLive(lease: string): number | null {
    const end = this.leases.get(lease)
    return end === undefined ? null : Math.floor((end - this.now) / 1000)
  }

  commit({ key, expect, put }: Change): Committed {
    const entry = this.get(key)
    const done = (entry?.modRevision ?? 0) === expect
    if (done && put) this.put(key, put.value, put.lease)
    else if (done) this.remove(key)
    return { done, revision: this.revision, entry: this.get(key) }
  }

  /** Blindly, as flanneld and etcdctl do. */
  put(key: string, value: string, lease: string = NO_LEASE): void {
    const modRevision = ++this.revision
    const createRevision = this.entries.get(key)?.createRevision ?? modRevision
    const entry = { key, value, createRevision, modRevision, lease }
    this.entries.set(key, entry)
    this.history.push({ key, modRevision, entry })
    this.writes++
  }

  remove(key: string): void {
    if (!this.entries.delete(key)) return
    this.history.push({ key, modRevision: ++this.revision, entry: null })
  }

  /** Leases whose time has come end, and their keys with them. */
  advance(now: number): void {
    this.now = now
    for (const [lease, end] of this.leases) {
      if (end > now) continue
      this.leases.delete(lease)
      for (const entry of [...this.entries.values()]) if (entry.lease === lease) this.remove(entry.key)
    }
  }
}
