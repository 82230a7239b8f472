// The leases of a network as the store told of them, and as we wrote ourselves: by key, each with the revisions that order them.
// What cannot be read stays in the table with its reason, and takes nothing else with it. Sans I/O. Cold.

import { cidrText } from '../cidr.ts'
import type { Entry, KeyEvent, Listing } from '../etcd/kv.ts'
import { NO_LEASE } from '../etcd/kv.ts'
import { GoJsonError } from './go-json.ts'
import { type LeaseValue, type Mark, parseKey, parseValue, type Subnets } from './lease.ts'
import type { Lease, StoreConfig } from './model.ts'
import { isWholeNetwork, PrefixIndex, prefixesOf } from './subnets.ts'

export interface Row {
  /** Without PREFIX/subnets/. */
  readonly key: string
  readonly createRevision: number
  readonly modRevision: number
  /** Of etcd. */
  readonly etcdLease: string
  /** null: the key is no lease's. */
  readonly subnets: Subnets | null
  /** null: key or value cannot be read; `fault` says why. */
  readonly lease: Lease | null
  readonly fault: string | null
  readonly mark: Mark | null
}

export class LeaseTable {
  private readonly directory: string
  private readonly byKey = new Map<string, Row>()
  // Keys that we removed and the watch has not told of yet → revision.
  private readonly buried = new Map<string, number>()
  private changed = new Set<string>()
  /** All up to this is known; 0: nothing is. */
  revision = 0

  /** `directory`: PREFIX/subnets/ */
  constructor(directory: string) {
    this.directory = directory
  }

  get rows(): ReadonlyMap<string, Row> {
    return this.byKey
  }

  get(key: string): Row | undefined {
    return this.byKey.get(key)
  }

  /** What was not in it is gone, unless it was written later. */
  replace({ revision, entries }: Listing): void {
    // A store that was put back to what it was once: nothing of ours is later than it.
    if (revision < this.revision) {
      for (const key of this.byKey.keys()) this.changed.add(key)
      this.byKey.clear()
      this.buried.clear()
      this.revision = 0
    }
    const there = new Set(entries.map((entry) => entry.key))
    for (const row of this.byKey.values()) {
      if (row.modRevision <= revision && !there.has(this.directory + row.key)) this.remove(row.key, revision)
    }
    for (const entry of entries) this.put(entry)
    this.reached(revision)
  }

  change(events: readonly KeyEvent[], revision: number): void {
    for (const { key, modRevision, entry } of events) {
      if (entry) this.put(entry)
      else this.remove(key.slice(this.directory.length), modRevision)
    }
    this.reached(revision)
  }

  /** What is said of a key late is passed over. */
  put(entry: Entry): void {
    const key = entry.key.slice(this.directory.length)
    const before = this.byKey.get(key)
    if (before && before.modRevision >= entry.modRevision) return
    if ((this.buried.get(key) ?? 0) >= entry.modRevision) return
    this.changed.add(key)
    this.byKey.set(key, rowOf(key, entry, before?.lease ?? null))
  }

  remove(key: string, revision: number): void {
    const before = this.byKey.get(key)
    if (before && before.modRevision > revision) return
    if (this.byKey.delete(key)) this.changed.add(key)
    if (revision > this.revision) this.buried.set(key, revision)
  }

  /** The keys of which something was said since the last call. */
  takeChanged(): ReadonlySet<string> {
    const { changed } = this
    this.changed = new Set()
    return changed
  }

  /** The subnets of a network that somebody has, whatever else is wrong with the lease. */
  taken(config: StoreConfig): PrefixIndex<Row> {
    const index = new PrefixIndex<Row>()
    for (const row of this.byKey.values()) {
      if (!row.subnets) continue
      for (const cidr of prefixesOf(row.subnets)) if (!isWholeNetwork(cidr, config)) index.add(cidr, row)
    }
    return index
  }

  private reached(revision: number): void {
    if (revision > this.revision) this.revision = revision
    for (const [key, at] of this.buried) if (at <= this.revision) this.buried.delete(key)
  }
}

function rowOf(key: string, entry: Entry, before: Lease | null): Row {
  const { createRevision, modRevision } = entry
  const common = { key, createRevision, modRevision, etcdLease: entry.lease }
  const subnets = parseKey(key)
  if (!subnets) return { ...common, subnets, lease: null, fault: 'the key is not that of a subnet', mark: null }
  try {
    const value = parseValue(entry.value)
    const lease = leaseOf(key, subnets, value, entry.lease === NO_LEASE ? null : undefined)
    return {
      ...common,
      subnets,
      lease: before && isSame(before, lease) ? before : lease,
      fault: null,
      mark: value.mark,
    }
  } catch (error) {
    if (!(error instanceof GoJsonError)) throw error
    return { ...common, subnets, lease: null, fault: error.message, mark: null }
  }
}

/** Somebody else's, with what key and value say. */
export function leaseOf(key: string, subnets: Subnets, value: LeaseValue, expires: Lease['expires']): Lease {
  const { mark, ...said } = value
  return {
    key,
    subnet: subnets.subnet && cidrText(subnets.subnet),
    subnet6: subnets.subnet6 && cidrText(subnets.subnet6),
    ...said,
    own: false,
    expires,
  }
}

function isSame(a: Lease, b: Lease): boolean {
  return (Object.keys(b) as (keyof Lease)[]).every((name) => a[name] === b[name])
}
