// One flannel network in the store, followed: its configuration, everybody's leases, and our own, kept. What cannot be read or
// reached leaves what was known before. The parts are sans I/O (lease-table.ts, lease-keeper.ts, verdict.ts); here they meet the
// store and the clock. Cold.
import { EventEmitter } from 'node:events'
import * as clock from '../../host/clock.ts'
import type { Log } from '../../log.ts'
import { type KeyEvent, type KvStore, type Listing, StoreError } from '../etcd/kv.ts'
import { ListWatch } from '../etcd/list-watch.ts'
import { GoJsonError } from './go-json.ts'
import type { Subnets } from './lease.ts'
import { type Action, LeaseKeeper, type Outcome } from './lease-keeper.ts'
import { LeaseTable } from './lease-table.ts'
import type { Follower, FollowerEvents, Identity, Lease, Membership, StoreConfig } from './model.ts'
import { Roster } from './roster.ts'
import { parseStoreConfig } from './store-config.ts'

/** Between two `change`s; the first of a burst is told at once. */
const GATHER_MS = 100
/** A server that fails is replaced by the next one in less; then nobody need hear of it. */
const TROUBLE_MS = 2000
/** How many leases are asked about at a time. */
const ASKED_AT_ONCE = 64
/** Two readings of two clocks are not taken at the same moment. */
const EXPIRY_NOISE_MS = 2000
const WAIT_MAX_MS = 2 ** 31 - 1
/** For a store that is away nobody waits at the end. */
const STOP_MS = 3000

export interface FollowerOptions {
  /** Its own: closed when it stops. */
  readonly store: KvStore
  readonly prefix: string
  readonly identity: Identity
  readonly leaseTtlSec: number
  readonly renewMarginSec: number
  /** Tells this run of the agent from all others: a few random characters. */
  readonly instance: string
  /** As subnet.env has it; null: nothing is known. */
  readonly previous: Subnets | null
  readonly log: Log
}

export class StoreFollower extends EventEmitter<FollowerEvents> implements Follower {
  private readonly options: FollowerOptions
  private readonly keeper: LeaseKeeper
  private readonly table: LeaseTable
  private readonly troubles = new Map<string, { text: string; timer: NodeJS.Timeout | null }>()
  private identity: Identity
  private config: StoreConfig | null = null
  private own: Lease | null = null
  private roster: Roster | null = null
  private follows: ListWatch[] = []
  private timer: NodeJS.Timeout | null = null
  private gathering: NodeJS.Timeout | null = null
  // Leases that the store has lost are forgotten then; `until`: wall clock, ms.
  private orphans: { readonly timer: NodeJS.Timeout; readonly until: number } | null = null
  private isChanged = false
  private work: Promise<void> | null = null
  private readonly waiting = new Set<(published: boolean) => void>()
  // Something happened while the keeper was at work.
  private isDue = false
  private said = ''
  // Each trouble since all was well: two that take turns are no news.
  private readonly known = new Set<string>()
  private isStopped = false
  current: Membership | null = null

  constructor(options: FollowerOptions) {
    super()
    this.options = options
    this.identity = options.identity
    const { leaseTtlSec: ttlSec, renewMarginSec: marginSec, instance, previous } = options
    this.keeper = new LeaseKeeper({ ttlSec, marginSec, instance, previous, random: Math.random })
    this.keeper.setIdentity(options.identity)
    this.table = new LeaseTable(`${options.prefix}/subnets/`)
  }

  start(): void {
    const { store, prefix } = this.options
    const heardConfig = (value: string | null): void => this.setConfig(value)
    const config = new ListWatch(
      store,
      { key: `${prefix}/config`, prefix: false },
      {
        listed: ({ entries }) => heardConfig(entries[0]?.value ?? null),
        changed: (events) => {
          const last = events.at(-1)
          if (last) heardConfig(last.entry?.value ?? null)
        },
        trouble: (why) => this.setTrouble('config', why?.message ?? null, TROUBLE_MS),
      },
    )
    const leases = new ListWatch(
      store,
      { key: `${prefix}/subnets/`, prefix: true },
      {
        listed: (listing: Listing) => {
          const orphans = this.table.replace(listing, this.own?.key ?? null)
          if (orphans > 0) this.bereaved(orphans)
          this.dirty()
        },
        changed: (events: readonly KeyEvent[], revision) => {
          this.table.change(events, revision)
          this.dirty()
        },
        trouble: (why) => this.setTrouble('leases', why?.message ?? null, TROUBLE_MS),
      },
    )
    this.follows = [config, leases]
  }

  setIdentity(identity: Identity): void {
    this.identity = identity
    this.roster = null
    this.keeper.setIdentity(identity)
    this.dirty()
  }

  published(ms: number): Promise<boolean> {
    if (this.keeper.isPublished || this.isStopped) return Promise.resolve(this.keeper.isPublished)
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(false), ms)
      const end = (published: boolean): void => {
        clearTimeout(timer)
        this.waiting.delete(end)
        resolve(published)
      }
      this.waiting.add(end)
    })
  }

  async expiries(keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    const rows = keys.flatMap((key) => this.table.get(key) ?? [])
    const { until } = this.orphans ?? {}
    for (const { key, isOrphan } of rows) if (isOrphan && until !== undefined) found.set(key, until)
    const left = rows.filter((row) => !row.isOrphan && row.lease?.expires === undefined)
    const ask = async (): Promise<void> => {
      for (let row = left.pop(); row !== undefined; row = left.pop()) {
        const seconds = await this.options.store.timeToLive(row.etcdLease)
        if (seconds !== null) found.set(row.key, Date.now() + seconds * 1000)
      }
    }
    await Promise.allSettled(Array.from({ length: ASKED_AT_ONCE }, ask))
    return found
  }

  get instance(): string {
    return this.options.instance
  }

  async stop(release: boolean): Promise<boolean> {
    this.isStopped = true
    for (const end of this.waiting) end(false)
    for (const follow of this.follows) follow.close()
    for (const timer of [this.timer, this.gathering, this.orphans?.timer]) clearTimeout(timer ?? undefined)
    for (const name of [...this.troubles.keys()]) this.forget(name)
    await soon(this.work)
    const action = this.keeper.release
    const isGone = release && action !== null && (await this.giveBack(action))
    this.options.store.close()
    return isGone
  }

  private async giveBack(action: Action & { do: 'remove' }): Promise<boolean> {
    const { log, prefix } = this.options
    const outcome = await soon(this.perform(action))
    const isGone = outcome?.is === 'committed' && (outcome.committed.done || outcome.committed.entry === null)
    if (isGone) log.info(`${prefix}: our lease ${action.key} is given back`)
    else log.warn(`${prefix}: our lease ${action.key} could not be given back: it stays until it ends, or is deleted`)
    return isGone
  }

  // Members that know nothing of it do not write their leases again before they are due.
  private bereaved(count: number): void {
    const { leaseTtlSec, prefix, log } = this.options
    clearTimeout(this.orphans?.timer)
    const ms = leaseTtlSec * 1000
    const what = `the store has lost ${count === 1 ? "another member's lease" : `the leases of ${count} other members`}`
    log.warn(`${prefix}: ${what}: reached as before until it is there again, ${leaseTtlSec} s at most`)
    const timer = setTimeout(
      () => {
        this.orphans = null
        this.table.forgetOrphans()
        this.dirty()
      },
      Math.min(ms, WAIT_MAX_MS),
    )
    this.orphans = { timer, until: Date.now() + ms }
  }

  private setConfig(text: string | null): void {
    if (text === null) {
      const what = this.config ? 'is gone from the store: going on with what it was' : 'is not in the store yet'
      this.setTrouble('key', `${this.options.prefix}/config ${what}`, 0)
      return
    }
    try {
      const config = parseStoreConfig(text)
      this.setTrouble('key', null, 0)
      if (this.config && JSON.stringify(config) === JSON.stringify(this.config)) return
      this.config = config
      this.roster = null
      this.keeper.setConfig(config)
      this.dirty()
    } catch (error) {
      if (!(error instanceof GoJsonError)) throw error
      const rest = this.config ? '; going on with what it was' : ''
      this.setTrouble('key', `${this.options.prefix}/config: ${error.message}${rest}`, 0)
    }
  }

  // Something may have changed: our lease is looked after, and who listens is told.
  private dirty(): void {
    this.isChanged = true
    this.step()
    this.tell()
  }

  private step(): void {
    if (this.isStopped) return
    this.isDue = this.work !== null
    if (this.work) return
    this.work = this.steps().finally(() => {
      this.work = null
      if (this.isDue) this.step()
      else this.wait()
    })
  }

  private async steps(): Promise<void> {
    for (;;) {
      const action = this.isStopped ? null : this.keeper.poll(clock.now(), this.table)
      this.report()
      if (!action) return
      const outcome = await this.perform(action)
      this.keeper.handle(clock.now(), outcome, this.table)
      this.report()
      this.isChanged = true
      this.tell()
    }
  }

  private async perform(action: Action): Promise<Outcome> {
    const { store, prefix } = this.options
    try {
      if (action.do === 'ask') return { is: 'told', ttlSec: await store.timeToLive(action.lease) }
      const key = `${prefix}/subnets/${action.key}`
      const { expect } = action
      if (action.do === 'remove') {
        return { is: 'committed', committed: await store.commit({ key, expect, put: null }), ttlSec: null }
      }
      const { value, ttlSec } = action
      if (ttlSec !== null) this.emit('claim', key)
      const granted = ttlSec === null ? null : await store.grant(ttlSec)
      const committed = await store.commit({ key, expect, put: { value, lease: granted?.lease ?? '0' } })
      // Nobody waits for that; a lease without keys ends by itself.
      if (!committed.done && granted) store.revoke(granted.lease).catch(() => {})
      return { is: 'committed', committed, ttlSec: granted?.ttlSec ?? null }
    } catch (error) {
      if (error instanceof StoreError) return { is: 'failed', error }
      throw error
    }
  }

  private wait(): void {
    clearTimeout(this.timer ?? undefined)
    if (this.isStopped) return
    const due = this.keeper.deadline(clock.now()) - clock.now()
    if (due !== Number.POSITIVE_INFINITY)
      this.timer = setTimeout(() => this.step(), Math.min(Math.max(0, due), WAIT_MAX_MS))
  }

  private report(): void {
    for (const { level, text } of this.keeper.takeNotes()) this.options.log[level](`${this.options.prefix}: ${text}`)
    this.setTrouble('own', this.keeper.trouble, 0)
    if (this.keeper.isPublished) for (const end of this.waiting) end(true)
  }

  private tell(): void {
    if (this.gathering || !this.isChanged || this.isStopped) return
    this.gathering = setTimeout(() => {
      this.gathering = null
      this.tell()
    }, GATHER_MS)
    this.isChanged = false
    const membership = this.membership()
    if (!membership || (this.current && isSame(membership, this.current))) return
    this.current = membership
    this.emit('change', membership)
  }

  private membership(): Membership | null {
    const { config, identity } = this
    if (!config || this.table.revision === 0) return null
    const own = this.keeper.own(clock.now(), Date.now())
    // Until there is another, the last one stands: what others send there still comes here.
    if (own && !(this.own && isSameLease(own, this.own))) {
      this.own = own
      this.roster = null
    }
    if (!this.own) return null
    this.roster ??= new Roster(config, identity, this.own)
    return { config, own: this.own, ...this.roster.update(this.table, this.table.takeChanged()) }
  }

  // `after`: ms for which it may last without anybody hearing of it.
  private setTrouble(name: string, text: string | null, after: number): void {
    if (text === null) {
      if (this.troubles.has(name)) {
        this.forget(name)
        this.sayTrouble()
      }
      return
    }
    const before = this.troubles.get(name)
    if (before) {
      before.text = text
      if (!before.timer) this.sayTrouble()
      return
    }
    const trouble = { text, timer: null as NodeJS.Timeout | null }
    this.troubles.set(name, trouble)
    if (after === 0) {
      this.sayTrouble()
      return
    }
    trouble.timer = setTimeout(() => {
      trouble.timer = null
      this.sayTrouble()
    }, after)
  }

  private forget(name: string): void {
    clearTimeout(this.troubles.get(name)?.timer ?? undefined)
    this.troubles.delete(name)
  }

  private sayTrouble(): void {
    const texts = [...this.troubles.values()].filter(({ timer }) => !timer).map(({ text }) => text)
    const text = [...new Set(texts)].join('; ')
    if (text === this.said) return
    this.said = text
    const news = [...new Set(texts)].filter((one) => !this.known.has(one))
    for (const one of news) this.known.add(one)
    if (text !== '') {
      this.emit('trouble', text, news)
      return
    }
    this.known.clear()
    this.emit('well')
  }
}

// undefined: not so soon.
async function soon<T>(work: Promise<T> | null): Promise<T | null | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STOP_MS)
  })
  const done = await Promise.race([work, late])
  clearTimeout(timer)
  return done
}

function isSameLease(a: Lease, b: Lease): boolean {
  const { expires: endA, ...restA } = a
  const { expires: endB, ...restB } = b
  const isNear = typeof endA === 'number' && typeof endB === 'number' && Math.abs(endA - endB) < EXPIRY_NOISE_MS
  return (isNear || endA === endB) && JSON.stringify(restA) === JSON.stringify(restB)
}

function isSame(a: Membership, b: Membership): boolean {
  return a.config === b.config && a.own === b.own && a.members === b.members && a.ignored === b.ignored
}
