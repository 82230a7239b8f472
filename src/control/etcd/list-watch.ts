// A range of keys, followed: listed, then watched from there, and listed anew when history is gone. Nothing is ever taken for empty
// because it could not be read. Cold.
import { type KeyEvent, type KvStore, type Listing, StoreError } from './kv.ts'
import type { WatchRange } from './watch.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5000

export interface Followed {
  /** All there is; what was said before and is not in it is gone. */
  listed(listing: Listing): void
  changed(events: readonly KeyEvent[], revision: number): void
  /** null: it goes well again. What was said last still holds as far as is known. */
  trouble(why: StoreError | null): void
}

export class ListWatch {
  private readonly store: KvStore
  private readonly range: WatchRange
  private readonly followed: Followed
  private watch: { close(): void } | null = null
  private timer: NodeJS.Timeout | null = null
  private pauseMs = FIRST_PAUSE_MS
  private isClosed = false

  constructor(store: KvStore, range: WatchRange, followed: Followed) {
    this.store = store
    this.range = range
    this.followed = followed
    void this.list()
  }

  close(): void {
    this.isClosed = true
    this.watch?.close()
    clearTimeout(this.timer ?? undefined)
  }

  private async list(): Promise<void> {
    const { key, prefix } = this.range
    let listing: Listing
    try {
      listing = await (prefix ? this.store.list(key) : this.store.get(key))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (this.isClosed) return
      this.followed.trouble(error)
      this.again()
      return
    }
    if (this.isClosed) return
    this.followed.listed(listing)
    if (this.isClosed) return
    this.watch = this.store.watch(this.range, listing.revision + 1, {
      changed: (events, revision) => this.followed.changed(events, revision),
      broken: (why) => this.followed.trouble(why),
      established: () => {
        this.pauseMs = FIRST_PAUSE_MS
        this.followed.trouble(null)
      },
      compacted: () => this.again(),
    })
  }

  private again(): void {
    if (this.isClosed) return
    this.watch?.close()
    this.watch = null
    this.timer = setTimeout(() => void this.list(), this.pauseMs)
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS)
  }
}
