// etcd (version 3) as a KvStore. One connection at a time, for calls and watches alike; when it fails in any way the next server is
// tried. Calls have deadlines; a connection that has gone silent is noticed by HTTP/2's pings. A call that was lost on its way may
// have been done all the same: who commits must recognise its own work. Cold.
import { type Change, type Committed, type KvStore, type Listing, StoreError, type WatchEvents } from './kv.ts'
import { type Credentials, Link, TIMING, type Timing } from './link.ts'
import { entryOf, type RawEntry, rangeEnd } from './raw.ts'
import { storeErrorOf } from './status.ts'
import { type Links, Watch, type WatchRange } from './watch.ts'

export interface EtcdOptions {
  /** http(s)://host:port */
  readonly endpoints: readonly string[]
  /** Read anew for every connection: certificates are renewed on disk. May throw. */
  readonly credentials: () => Credentials
  readonly timing?: Timing
  /** Which endpoint is tried first; default: by chance, so that many hosts are spread over all. */
  readonly first?: number
}

interface RangeAnswer {
  readonly header: { readonly revision: string }
  readonly kvs: readonly RawEntry[]
}

interface TxnAnswer {
  readonly header: { readonly revision: string }
  readonly succeeded: boolean
  readonly responses: readonly { readonly response_range?: RangeAnswer | null }[]
}

export class Etcd implements KvStore, Links {
  private readonly options: EtcdOptions
  private readonly timing: Timing
  private readonly watches = new Set<Watch>()
  private opening: Promise<Link> | null = null
  private link: Link | null = null
  private turn: number
  private isClosed = false

  constructor(options: EtcdOptions) {
    this.options = options
    this.timing = options.timing ?? TIMING
    this.turn = options.first ?? Math.floor(Math.random() * options.endpoints.length)
  }

  get callMs(): number {
    return this.timing.callMs
  }

  get(key: string): Promise<Listing> {
    return this.range({ key: Buffer.from(key) }, false)
  }

  list(prefix: string): Promise<Listing> {
    return this.range({ key: Buffer.from(prefix), range_end: rangeEnd(prefix) }, true)
  }

  watch(range: WatchRange, from: number, events: WatchEvents): { close(): void } {
    const watch = new Watch(this, range, from, events)
    this.watches.add(watch)
    return {
      close: () => {
        this.watches.delete(watch)
        watch.close()
      },
    }
  }

  async commit({ key, expect, put }: Change): Promise<Committed> {
    const name = Buffer.from(key)
    const read = { request_range: { key: name } }
    const write = put
      ? { request_put: { key: name, value: Buffer.from(put.value), lease: put.lease } }
      : { request_delete_range: { key: name } }
    const { header, succeeded, responses } = await this.call<TxnAnswer>('KV', 'txn', {
      compare: [{ key: name, target: 'Mod', result: 'Equal', mod_revision: String(expect) }],
      success: [write, read],
      failure: [read],
    })
    const kv = responses.at(-1)?.response_range?.kvs[0]
    return { done: succeeded, revision: Number(header.revision), entry: kv ? entryOf(kv) : null }
  }

  async grant(ttlSec: number): Promise<{ lease: string; ttlSec: number }> {
    const { ID, TTL } = await this.call<{ ID: string; TTL: string }>('Lease', 'leaseGrant', { TTL: String(ttlSec) })
    return { lease: ID, ttlSec: Number(TTL) }
  }

  async revoke(lease: string): Promise<void> {
    try {
      await this.call('Lease', 'leaseRevoke', { ID: lease })
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'missing')) throw error
    }
  }

  async timeToLive(lease: string): Promise<number | null> {
    try {
      const { TTL } = await this.call<{ TTL: string }>('Lease', 'leaseTimeToLive', { ID: lease })
      const left = Number(TTL)
      return left < 0 ? null : left
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'missing') return null
      throw error
    }
  }

  close(): void {
    this.isClosed = true
    for (const watch of this.watches) watch.close()
    this.watches.clear()
    this.link?.close()
    this.link = null
  }

  /** The connection, made if there is none. */
  connect(): Promise<Link> {
    if (this.isClosed) return Promise.reject(closed())
    if (this.link) return Promise.resolve(this.link)
    this.opening ??= this.open().finally(() => {
      this.opening = null
    })
    return this.opening
  }

  drop(link: Link): void {
    if (this.link !== link) return
    this.link = null
    this.turn++
    link.close()
  }

  private async open(): Promise<Link> {
    const { endpoints, credentials } = this.options
    const endpoint = endpoints[this.turn % endpoints.length]!
    try {
      const link = await Link.to(endpoint, credentials(), this.timing)
      if (this.isClosed) throw closed()
      this.link = link
      return link
    } catch (error) {
      throw storeErrorOf(error, endpoint)
    }
  }

  private async range(payload: object, long: boolean): Promise<Listing> {
    const { header, kvs } = await this.call<RangeAnswer>('KV', 'range', payload, long)
    return { revision: Number(header.revision), entries: kvs.map(entryOf) }
  }

  // Each server once, and at least two tries: a connection may be found broken only when it is used.
  private async call<T>(service: 'KV' | 'Lease', method: string, payload: object, long = false): Promise<T> {
    const tries = Math.max(2, this.options.endpoints.length)
    for (let i = 1; ; i++) {
      const link = await this.connect()
      try {
        return await link.call<T>(service, method, payload, long)
      } catch (error) {
        const failure = storeErrorOf(error, link.endpoint)
        if (this.isClosed) throw closed()
        if (failure.kind === 'away' || link.isShut) this.drop(link)
        if (failure.kind !== 'away' || i >= tries) throw failure
      }
    }
  }
}

function closed(): StoreError {
  return new StoreError('away', 'the store is closed')
}
