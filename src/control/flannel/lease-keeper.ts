// Our own lease: taken, kept, given back. Sans I/O: poll() says what to ask of the store next, one thing at a time, handle() hears
// what came of it; time and chance are arguments. Every write is made only if the key is as we know it, so that a lease is never taken
// from somebody by a late renewal. Read docs/flannel.md, "In the store", before editing. Cold.
//
//            ┌────────── taken by another, gone, does not fit any more ───────────┐
//            ▼                                                                    │
//        seeking ──write──▶ unconfirmed ──watch has come past it, no overlap──▶ held ──renewal, change, repair──▶ held
import { type Committed, NO_LEASE, type StoreError } from '../etcd/kv.ts'
import { keyOf, type Mark, parseKey, type Subnets } from './lease.ts'
import { type LeaseTable, leaseOf, type Row } from './lease-table.ts'
import type { Identity, Lease, StoreConfig } from './model.ts'
import { claimOf, type Desired, desiredOf, isSameValue } from './own-value.ts'
import { choose, fits, isWholeNetwork, overlaps, prefixesOf } from './subnets.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000
/** One after the other, before anybody hears of it. */
const FAILURES = 3
/** Between two tries when no subnet is free. */
const FULL_PAUSE_MS = 2000
/** Losers of a race do not meet again at once. */
const RACE_PAUSE_MS = 40
/** A lease that is lost or spoilt again this soon after is mended more slowly. */
const QUIET_MS = 120_000
const LONGEST_MEND_MS = 5000

export type Action =
  /** With a lease of so many seconds; null: with none. */
  | {
      readonly do: 'write'
      readonly key: string
      readonly expect: number
      readonly value: string
      readonly ttlSec: number | null
    }
  | { readonly do: 'remove'; readonly key: string; readonly expect: number }
  /** How long the lease still lives. */
  | { readonly do: 'ask'; readonly lease: string }

export type Outcome =
  | { readonly is: 'committed'; readonly committed: Committed; readonly ttlSec: number | null }
  | { readonly is: 'told'; readonly ttlSec: number | null }
  | { readonly is: 'failed'; readonly error: StoreError }

export interface Note {
  readonly level: 'warn' | 'info'
  readonly text: string
}

export interface KeeperOptions {
  readonly ttlSec: number
  /** Renewed when so much is left. */
  readonly marginSec: number
  /** Tells this run of the agent from all others. */
  readonly instance: string
  /** What we had before we were started. */
  readonly previous: Subnets | null
  /** 0 ≤ x < 1 */
  readonly random: () => number
}

interface Held {
  readonly key: string
  readonly subnets: Subnets
  createRevision: number
  modRevision: number
  etcdLease: string
  /** What is there, as far as it is as we want it. */
  value: string | null
  renewAt: number
  /** null: a reservation; undefined: not asked yet. */
  expiresAt: number | null | undefined
  isConfirmed: boolean
}

export class LeaseKeeper {
  private readonly options: KeeperOptions
  private readonly notes: Note[] = []
  private readonly said = new Set<string>()
  private config: StoreConfig | null = null
  private identity: Identity | null = null
  private desired: Desired | null = null
  private previous: Subnets | null
  private held: Held | null = null
  private pending: Action | null = null
  private notBefore = 0
  private pauseMs = FIRST_PAUSE_MS
  private failures = 0
  private races = 0
  private mends = 0
  private mendedAt = Number.NEGATIVE_INFINITY
  /** Why there is no lease, or none that can be kept; null: all is well. */
  trouble: string | null = null

  constructor(options: KeeperOptions) {
    this.options = options
    this.previous = options.previous
  }

  setConfig(config: StoreConfig): void {
    this.config = config
    this.desire()
  }

  setIdentity(identity: Identity): void {
    this.identity = identity
    this.desire()
  }

  /** Our lease; null: not yet, or not any more. `wall` and `now`: the same moment. */
  own(now: number, wall: number): Lease | null {
    const { held, desired } = this
    if (!held?.isConfirmed || !desired) return null
    const expires = typeof held.expiresAt === 'number' ? wall + held.expiresAt - now : held.expiresAt
    return { ...leaseOf(held.key, held.subnets, desired.parsed, expires), own: true }
  }

  /** Whether our lease stands in the store as it should. */
  get isPublished(): boolean {
    const { held, desired } = this
    return held?.isConfirmed === true && desired !== null && held.value === desired.value
  }

  /** To give our lease back; null: there is none, or it is reserved for us. */
  get release(): (Action & { do: 'remove' }) | null {
    const { held } = this
    return held && held.etcdLease !== NO_LEASE ? { do: 'remove', key: held.key, expect: held.modRevision } : null
  }

  /** What happened since the last call, for the log. */
  takeNotes(): Note[] {
    return this.notes.splice(0)
  }

  /** When poll() is due even if nothing happens. */
  deadline(now: number): number {
    if (this.pending || !this.desired) return Number.POSITIVE_INFINITY
    if (now < this.notBefore) return this.notBefore
    return this.held ? this.held.renewAt : Number.POSITIVE_INFINITY
  }

  /** What to do next; null: nothing now. Its outcome has to be handed in before there is another. */
  poll(now: number, table: LeaseTable): Action | null {
    if (this.pending || !this.desired || table.revision === 0) return null
    this.recognise(now, table, this.desired)
    if (now >= this.notBefore) this.pending = this.next(now, table, this.desired)
    return this.pending
  }

  handle(now: number, outcome: Outcome, table: LeaseTable): void {
    const action = this.pending!
    this.pending = null
    if (outcome.is === 'failed') {
      // It may have been done all the same: then that one is ours.
      if (action.do === 'write' && !this.held) this.previous = parseKey(action.key)
      this.failed(now, outcome.error)
      return
    }
    this.pauseMs = FIRST_PAUSE_MS
    if (this.failures > 0) this.trouble = null
    this.failures = 0
    if (outcome.is === 'told') this.told(now, outcome.ttlSec)
    else this.committed(now, action, outcome, table)
  }

  private desire(): void {
    const { config, identity } = this
    if (!config || !identity) return
    const mark: Mark = { node: identity.node, instance: this.options.instance }
    const desired = desiredOf(config, identity, mark)
    this.trouble = typeof desired === 'string' ? desired : null
    this.desired = typeof desired === 'string' ? null : desired
    // What was not free, or not permitted, may be now.
    this.notBefore = 0
  }

  private next(now: number, table: LeaseTable, desired: Desired): Action | null {
    const { held } = this
    if (!held) return this.seek(now, table, desired)
    if (!fits(held.subnets, desired.config)) return this.giveUp(held, 'does not fit the network any more')
    if (!held.isConfirmed) {
      if (table.revision < held.modRevision) return null
      const older = olderOverlap(held, table, desired.config)
      if (older) return this.giveUp(held, `overlaps ${older}, which was there before`)
      held.isConfirmed = true
    }
    if (held.value !== desired.value || now >= held.renewAt) return this.write(held, desired)
    if (held.expiresAt === undefined) return { do: 'ask', lease: held.etcdLease }
    return null
  }

  // Ours from before, else what we had, else a free one.
  private seek(now: number, table: LeaseTable, desired: Desired): Action | null {
    const { previous } = this
    const ours: Row[] = []
    for (const row of table.rows.values()) {
      const claim = claimOf(row, desired, this.options.instance, previous)
      if (claim === 'ours') ours.push(row)
      if (claim === 'other')
        this.noteOnce(
          `${row.key} has our address, and is node ${row.mark?.node}'s: one of us is not reached; delete that key if the node is gone`,
        )
    }
    const had = previous && keyOf(previous)
    const fitting = ours.filter((row) => fits(row.subnets!, desired.config))
    const best = fitting.find((row) => row.key === had) ?? fitting[0]
    const { value } = desired
    if (best) {
      const ttlSec = best.etcdLease === NO_LEASE ? null : this.options.ttlSec
      return { do: 'write', key: best.key, expect: best.modRevision, value, ttlSec }
    }
    const misfit = ours[0]
    if (misfit) return { do: 'remove', key: misfit.key, expect: misfit.modRevision }
    const chosen = choose(desired.config, table.taken(desired.config), previous, this.options.random)
    if (!chosen) {
      const networks = [desired.config.ipv4?.network, desired.config.ipv6?.network].filter(Boolean).join(' and ')
      this.trouble = `no subnet of ${networks} is free`
      this.notBefore = now + FULL_PAUSE_MS
      return null
    }
    return { do: 'write', key: keyOf(chosen), expect: 0, value, ttlSec: this.options.ttlSec }
  }

  private write(held: Held, { value }: Desired): Action {
    const ttlSec = held.etcdLease === NO_LEASE ? null : this.options.ttlSec
    return { do: 'write', key: held.key, expect: held.modRevision, value, ttlSec }
  }

  private giveUp(held: Held, why: string): Action {
    this.note(`${held.key} ${why}: taking another subnet`)
    return { do: 'remove', key: held.key, expect: held.modRevision }
  }

  // What has become of our key: at once, also while we wait with whatever is to be done about it.
  private recognise(now: number, table: LeaseTable, desired: Desired): void {
    const { held } = this
    const row = held && table.get(held.key)
    if (!held || row?.modRevision === held.modRevision) return
    if (row && this.isStillOurs(now, row, desired, held)) return
    this.held = null
    this.notBefore = now
    if (row) return
    this.note(`our lease ${held.key} is gone from the store: taking it again`)
    this.previous = held.subnets
    this.mend(now)
  }

  // Somebody else has written our key. false: it is theirs now.
  private isStillOurs(now: number, row: Row, desired: Desired, held: Held): boolean {
    held.modRevision = row.modRevision
    held.createRevision = row.createRevision
    held.etcdLease = row.etcdLease
    held.expiresAt = row.etcdLease === NO_LEASE ? null : undefined
    held.renewAt = Number.POSITIVE_INFINITY
    const { lease, mark } = row
    const { instance } = this.options
    if (lease && mark?.instance !== instance && claimOf(row, desired, instance, null) !== 'ours') {
      this.note(
        `our lease ${held.key} was taken by ${mark ? `node ${mark.node}, ` : ''}${lease.publicIp ?? lease.publicIpv6}`,
      )
      this.previous = null
      return false
    }
    if (mark && mark.node === desired.identity.node && mark.instance !== instance) {
      // It writes its own at every start and renewal; to write back would go on for ever.
      this.noteOnce(
        `another agent calls itself node ${mark.node} at our address and shares our lease ${held.key}; give each its own`,
      )
      held.value = desired.value
    } else if (lease && isSameValue(lease, desired.parsed)) {
      held.value = desired.value
    } else {
      this.note(`our lease ${held.key} was overwritten: writing it again`)
      held.value = null
      this.mend(now)
    }
    return true
  }

  // At once; ever more slowly when it does not last.
  private mend(now: number): void {
    this.mends = now - this.mendedAt < QUIET_MS ? this.mends + 1 : 0
    this.mendedAt = now
    if (this.mends > 0) this.notBefore = now + Math.min(FIRST_PAUSE_MS * 2 ** (this.mends - 1), LONGEST_MEND_MS)
  }

  private failed(now: number, error: StoreError): void {
    this.failures++
    if (error.kind === 'refused' || this.failures >= FAILURES) this.trouble = error.message
    this.notBefore = now + this.pauseMs * (0.5 + this.options.random() / 2)
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS)
  }

  private told(now: number, ttlSec: number | null): void {
    if (!this.held) return
    this.held.expiresAt = now + (ttlSec ?? 0) * 1000
    this.held.renewAt = now + Math.max(0, (ttlSec ?? 0) - this.options.marginSec) * 1000
  }

  private committed(
    now: number,
    action: Action,
    { committed, ttlSec }: Outcome & { is: 'committed' },
    table: LeaseTable,
  ): void {
    if (action.do === 'ask') return
    const { done, entry, revision } = committed
    if (entry) table.put(entry)
    else table.remove(action.key, revision)
    if (action.do === 'remove') {
      if (!done || this.held?.key !== action.key) return
      this.previous = this.held.subnets
      this.held = null
      return
    }
    if (done) {
      this.hold(now, table.get(action.key)!, action.value, ttlSec)
      return
    }
    // Whoever won is in the table now, and the next try goes by that.
    this.notBefore = now + this.options.random() * RACE_PAUSE_MS * Math.min(this.races++, 10)
  }

  private hold(now: number, row: Row, value: string, ttlSec: number | null): void {
    const { held } = this
    const { key, createRevision, modRevision, etcdLease } = row
    const isConfirmed = held?.key === key && held.createRevision === createRevision && held.isConfirmed
    const lives = ttlSec === null ? null : now + ttlSec * 1000
    // A lease that is not longer than the margin is renewed half way.
    const after = ttlSec === null ? Number.POSITIVE_INFINITY : ttlSec - this.options.marginSec
    const renewAt = now + (after > 0 ? after : (ttlSec ?? 0) / 2) * 1000
    this.held = {
      key,
      subnets: row.subnets!,
      createRevision,
      modRevision,
      etcdLease,
      value,
      renewAt,
      expiresAt: lives,
      isConfirmed,
    }
    this.races = 0
    this.trouble = null
    if (!isConfirmed) this.note(`our lease is ${key}${ttlSec === null ? ', reserved' : ''}`, 'info')
  }

  private note(text: string, level: Note['level'] = 'warn'): void {
    this.notes.push({ level, text })
  }

  private noteOnce(note: string): void {
    if (this.said.has(note)) return
    this.said.add(note)
    this.note(note)
  }
}

// Two that chose at once chose apart as keys, and yet in part the same: the younger gives way.
function olderOverlap(held: Held, table: LeaseTable, config: StoreConfig): string | null {
  const prefixes = prefixesOf(held.subnets)
  for (const row of table.rows.values()) {
    if (row.key === held.key || !row.subnets || row.createRevision > held.createRevision) continue
    const others = prefixesOf(row.subnets).filter((other) => !isWholeNetwork(other, config))
    if (prefixes.some((cidr) => others.some((other) => overlaps(cidr, other)))) return row.key
  }
  return null
}
