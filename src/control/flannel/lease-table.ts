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
  /** The store has lost it. Whoever it is of need not know, and is there still: it counts until it is written anew. */
  readonly isOrphan: boolean
}

/** Whatever the store has is older. */
const YOUNGEST = Number.MAX_SAFE_INTEGER

export class LeaseTable {
  private readonly directory: string
  private readonly byKey = new Map<string, Row>()
  // Keys that we removed and the watch has not told of yet → revision.
  private readonly buried = new Map<string, number>()
  private changed = new Set<string>()
  // Public address → keys.
  private readonly orphans = new Map<string, string[]>()
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

  /**
   * What was not in it is gone, unless it was written later. Answers how many have become orphans: a store that was put back to what
   * it was once has not heard that they left. `own`: the key that is no orphan, since we write it again ourselves.
   */
  replace({ revision, entries }: Listing, own: string | null = null): number {
    const isLost = revision < this.revision
    if (isLost) this.bereave(own)
    const there = new Set(entries.map((entry) => entry.key))
    for (const row of this.byKey.values()) {
      const isGone = row.modRevision <= revision && !there.has(this.directory + row.key)
      if (isGone && !row.isOrphan) this.remove(row.key, revision)
    }
    for (const entry of entries) this.put(entry)
    this.reached(revision)
    return isLost ? [...this.byKey.values()].filter(({ isOrphan }) => isOrphan).length : 0
  }

  /** They had the time to come back. */
  forgetOrphans(): void {
    for (const key of [...this.byKey.keys()]) this.forgetOrphan(key)
    this.orphans.clear()
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
    const row = rowOf(key, entry, before?.lease ?? null)
    this.byKey.set(key, row)
    if (this.orphans.size > 0) this.comeBack(row)
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

  private bereave(own: string | null): void {
    this.buried.clear()
    this.orphans.clear()
    this.revision = 0
    for (const row of [...this.byKey.values()]) {
      const { key, lease } = row
      this.changed.add(key)
      if (lease === null || key === own) {
        this.byKey.delete(key)
        continue
      }
      this.byKey.set(key, { ...row, createRevision: YOUNGEST, modRevision: 0, isOrphan: true })
      const address = addressOf(lease)
      this.orphans.set(address, [...(this.orphans.get(address) ?? []), key])
    }
  }

  // A host has one subnet: where it has another now, the old one is nobody's.
  private comeBack({ lease }: Row): void {
    if (lease === null) return
    for (const key of this.orphans.get(addressOf(lease)) ?? []) this.forgetOrphan(key)
    this.orphans.delete(addressOf(lease))
  }

  private forgetOrphan(key: string): void {
    if (!this.byKey.get(key)?.isOrphan) return
    this.byKey.delete(key)
    this.changed.add(key)
  }

  private reached(revision: number): void {
    if (revision > this.revision) this.revision = revision
    for (const [key, at] of this.buried) if (at <= this.revision) this.buried.delete(key)
  }
}

function rowOf(key: string, entry: Entry, before: Lease | null): Row {
  const { createRevision, modRevision } = entry
  const common = { key, createRevision, modRevision, etcdLease: entry.lease, isOrphan: false }
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

function addressOf({ publicIp, publicIpv6 }: Lease): string {
  return publicIp ?? publicIpv6 ?? ''
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
