// What the agent asks of a key-value store with revisions, as etcd is one; etcd.ts is the real one. A call is answered, or
// rejected with a StoreError, within its deadline. Cold.

export interface Entry {
  readonly key: string
  readonly value: string
  /** Of the store when the key was made, and when it was last written. Revisions are whole numbers below 2^53. */
  readonly createRevision: number
  readonly modRevision: number
  /** Of etcd, 64 bits as text; NO_LEASE: the key stays. */
  readonly lease: string
}

export const NO_LEASE = '0'

/** All there was at one revision. */
export interface Listing {
  readonly revision: number
  readonly entries: readonly Entry[]
}

/** A key was written, or is gone. */
export type KeyEvent =
  | { readonly key: string; readonly modRevision: number; readonly entry: Entry }
  | { readonly key: string; readonly modRevision: number; readonly entry: null }

/** What a watch says. It resumes by itself, without a gap, until it is closed or `compacted`. */
export interface WatchEvents {
  /** In the order of revisions, each once; `revision`: all up to it has been said. */
  changed(events: readonly KeyEvent[], revision: number): void
  /** History that was needed is gone, or is another now: list again, and watch from there. The watch has ended. */
  compacted(): void
  /** The watch is broken, for the first time or again; it is tried again. */
  broken(why: StoreError): void
  /** It stands. */
  established(): void
}

/** One write, if the key is as expected. */
export interface Change {
  readonly key: string
  /** Its modRevision; 0: there is no such key. */
  readonly expect: number
  /** null: remove it. */
  readonly put: { readonly value: string; readonly lease: string } | null
}

export interface Committed {
  /** false: the key is not as expected, and nothing was written. */
  readonly done: boolean
  readonly revision: number
  /** What is there now. */
  readonly entry: Entry | null
}

export interface KvStore {
  /** One key, in at most one entry. */
  get(key: string): Promise<Listing>
  /** All keys that begin so, in one read. */
  list(prefix: string): Promise<Listing>
  /** From a revision on, that included. `prefix`: of all keys that begin so. */
  watch(range: { readonly key: string; readonly prefix: boolean }, from: number, events: WatchEvents): { close(): void }
  commit(change: Change): Promise<Committed>
  /** A new lease, of at least so many seconds. */
  grant(ttlSec: number): Promise<{ readonly lease: string; readonly ttlSec: number }>
  /** Keys of the lease go with it. One that is gone already is none. */
  revoke(lease: string): Promise<void>
  /** Seconds left; null: there is no such lease any more. */
  timeToLive(lease: string): Promise<number | null>
  close(): void
}

/**
 * away: nobody answers, or nobody who leads; try again. refused: it does not let us, and trying again needs another
 * configuration. compacted, missing: what was asked for is gone.
 */
export type StoreErrorKind = 'away' | 'refused' | 'compacted' | 'missing'

export class StoreError extends Error {
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string) {
    super(message)
    this.name = 'StoreError'
    this.kind = kind
  }
}
