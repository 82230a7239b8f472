// Under load, how many handshakes one source may ask for (WG §5.3): a token bucket each, 20 a second, 5 at once. Bounded; a
// source is forgotten when its bucket is full again anyway. Cold.
import { neighbourhood } from './source.ts'

/** ms of credit that one handshake costs, and that a bucket holds. */
const COST = 1000 / 20
const FULL = 5 * COST
/** A source is forgotten after so long without a word, in ms; no less than FULL. */
const IDLE = 1000
/** Sources at one time; more are refused until some have gone. */
export const CAPACITY = 8192

interface Bucket {
  credit: number
  seen: number
}

export class RateLimit {
  private readonly buckets = new Map<string, Bucket>()
  private swept = 0

  /** Whether the source (a sockaddr) may have one more handshake now. */
  allow(from: Uint8Array, now: number): boolean {
    if (now - this.swept >= IDLE) this.sweep(now)
    const key = neighbourhood(from)
    const bucket = this.buckets.get(key)
    if (!bucket) {
      if (this.buckets.size >= CAPACITY) return false
      this.buckets.set(key, { credit: FULL - COST, seen: now })
      return true
    }
    bucket.credit = Math.min(FULL, bucket.credit + now - bucket.seen)
    bucket.seen = now
    if (bucket.credit < COST) return false
    bucket.credit -= COST
    return true
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.buckets.size
  }

  private sweep(now: number): void {
    this.swept = now
    for (const [key, bucket] of this.buckets) if (now - bucket.seen >= IDLE) this.buckets.delete(key)
  }
}
