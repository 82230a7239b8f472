// One watch, over as many streams as it takes: resumed after the last event that was said, on the next server when one fails.
// A stream that is not confirmed in time is as good as broken. Cold.
import { type KeyEvent, StoreError, type WatchEvents } from './kv.ts'
import type { Duplex, Link } from './link.ts'
import { entryOf, type RawEntry, rangeEnd } from './raw.ts'
import { storeErrorOf } from './status.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

export interface WatchRange {
  readonly key: string
  readonly prefix: boolean
}

/** Where streams come from. */
export interface Links {
  connect(): Promise<Link>
  /** It failed: the next connect() goes elsewhere. */
  drop(link: Link): void
  readonly callMs: number
}

interface Answer {
  readonly header: { readonly revision: string }
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: string
  readonly cancel_reason?: string
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: RawEntry }[]
}

export class Watch {
  private readonly links: Links
  private readonly range: WatchRange
  private readonly events: WatchEvents
  private next: number
  private pauseMs = FIRST_PAUSE_MS
  private timer: NodeJS.Timeout | null = null
  private current: { readonly link: Link; stream: Duplex | null; readonly dropped: () => void } | null = null
  private isClosed = false

  constructor(links: Links, range: WatchRange, from: number, events: WatchEvents) {
    this.links = links
    this.range = range
    this.next = from
    this.events = events
    void this.open()
  }

  close(): void {
    this.isClosed = true
    this.leave()
  }

  private async open(): Promise<void> {
    this.timer = null
    let link: Link | null = null
    try {
      link = await this.links.connect()
      if (this.isClosed) return
      const attempt = { link, stream: null as Duplex | null, dropped: () => this.fail(link!, null) }
      this.current = attempt
      const stream = await link.stream(attempt.dropped)
      if (this.current !== attempt) {
        stream.on('error', () => {})
        stream.cancel()
        return
      }
      attempt.stream = stream
      this.listen(attempt.link, stream)
    } catch (error) {
      this.fail(link, storeErrorOf(error, link?.endpoint ?? 'etcd'))
    }
  }

  private listen(link: Link, stream: Duplex): void {
    const isOurs = (): boolean => this.current?.stream === stream
    const over = (error: Error): void => {
      if (isOurs()) this.fail(link, storeErrorOf(error, link.endpoint))
    }
    stream.on('error', over)
    stream.on('end', () => over(new StoreError('away', `${link.endpoint}: the watch ended`)))
    stream.on('data', (answer: Answer) => {
      if (isOurs()) this.heard(link, stream, answer)
    })
    const { key, prefix } = this.range
    stream.write({
      create_request: {
        key: Buffer.from(key),
        ...(prefix ? { range_end: rangeEnd(key) } : {}),
        start_revision: String(this.next),
        progress_notify: true,
      },
    })
    const late = new StoreError('away', `${link.endpoint}: no answer in time`)
    this.timer = setTimeout(() => this.fail(link, late), this.links.callMs)
  }

  private heard(link: Link, stream: Duplex, answer: Answer): void {
    if (answer.canceled) {
      if (answer.compact_revision !== '0') this.end()
      else this.fail(link, storeErrorOf({ message: answer.cancel_reason || 'the watch was cancelled' }, link.endpoint))
      return
    }
    if (answer.created) {
      if (Number(answer.header.revision) < this.next - 1) void this.ask(link, stream)
      else this.establish()
      return
    }
    const events = answer.events.map(eventOf)
    // A server that catches up names in its header a revision that it has not told of yet.
    const revision = events.at(-1)?.modRevision ?? Number(answer.header.revision)
    if (revision < this.next - 1) return
    this.next = revision + 1
    this.events.changed(events, revision)
  }

  private end(): void {
    this.close()
    this.events.compacted()
  }

  private establish(): void {
    clearTimeout(this.timer ?? undefined)
    this.timer = null
    this.pauseMs = FIRST_PAUSE_MS
    this.events.established()
  }

  // The server knows less than we: it has just come back, and is behind the others, whom a read asks too; or the store was put back
  // to what it was once, and what we know of it is of another time.
  private async ask(link: Link, stream: Duplex): Promise<void> {
    const isOurs = (): boolean => this.current?.stream === stream
    try {
      const read = { key: Buffer.from(this.range.key), count_only: true }
      const { header } = await link.call<Pick<Answer, 'header'>>('KV', 'range', read)
      if (!isOurs()) return
      if (Number(header.revision) >= this.next - 1) this.establish()
      else this.end()
    } catch (error) {
      if (isOurs()) this.fail(link, storeErrorOf(error, link.endpoint))
    }
  }

  // `error`: null when another has seen it first.
  private fail(link: Link | null, error: StoreError | null): void {
    if (this.isClosed) return
    this.leave()
    if (error && link && (error.kind === 'away' || link.isShut)) this.links.drop(link)
    if (error?.kind === 'compacted') {
      this.end()
      return
    }
    this.events.broken(error ?? new StoreError('away', `${link?.endpoint}: connection lost`))
    if (this.isClosed) return
    const pause = this.pauseMs * (0.5 + Math.random() / 2)
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS)
    this.timer = setTimeout(() => void this.open(), pause)
  }

  private leave(): void {
    clearTimeout(this.timer ?? undefined)
    this.timer = null
    const attempt = this.current
    this.current = null
    attempt?.link.leave(attempt.dropped)
    attempt?.stream?.cancel()
  }
}

function eventOf({ type, kv }: Answer['events'][number]): KeyEvent {
  const entry = entryOf(kv)
  return { key: entry.key, modRevision: entry.modRevision, entry: type === 'Put' ? entry : null }
}
