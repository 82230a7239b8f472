// Where a batch comes from or goes to: the devices, the UDP sockets, the test wire, a fault injector that owns a Link.
import type { Batch } from './batch.ts'

/** What `send` and `resume` answer when the far side is full: nothing is lost, call `resume` when it has drained. */
export const FULL = -1

export interface Link {
  /** Fills `b` from slot 0, sets and returns b.count; 0 when dry. The bytes are the caller's until the next receive. */
  receive(b: Batch): number
  /** Takes slots 0..b.count-1; afterwards b.err[i] says how each fared (0 or -errno). Returns how many failed, or FULL. */
  send(b: Batch): number
  /** Goes on with a batch that `send` answered FULL for. */
  resume(b: Batch): number
}
