// Hears of changes on the host (links, addresses, routes) in every namespace that matters, and has somebody look: soon after
// the first of them, and never so often that looking is most of what is done. What changed, the listener looks up: so nothing
// is lost with an event that is. Cold.
import { now as monotonic } from '../../host/clock.ts'
import { Monitor } from '../../host/netdev.ts'

/** Milliseconds in which changes are gathered. */
const SETTLE = 50
/** A look that took so long is followed by so many times as long without one, at most this (ms). */
const REST = 9
const REST_MAX = 800

export class HostWatch {
  private readonly monitors = new Map<string, Monitor>()
  private readonly look: () => Promise<void>
  private timer: NodeJS.Timeout | null = null
  /** When the timer rings, ms. */
  private due = Number.POSITIVE_INFINITY
  private restUntil = 0
  private looking = false
  private closed = false

  /** `look` never rejects. */
  constructor(look: () => Promise<void>) {
    this.look = look
  }

  /** Watches these namespaces and no others; null is our own. One that is gone has nothing to be watched. */
  watch(namespaces: readonly (string | null)[]): void {
    const wanted = new Set(namespaces.map((path) => path ?? ''))
    for (const [path, monitor] of this.monitors) {
      if (wanted.has(path)) continue
      monitor.close()
      this.monitors.delete(path)
    }
    for (const path of wanted) if (!this.monitors.has(path)) this.open(path)
  }

  /** A look within so many ms, whether something changes or not. */
  again(within: number): void {
    this.arm(monotonic() + within)
  }

  close(): void {
    this.closed = true
    if (this.timer) clearTimeout(this.timer)
    this.watch([])
  }

  /** What this path stands for may be another namespace than before: the next `watch` opens it anew. */
  forget(path: string | null): void {
    this.monitors.get(path ?? '')?.close()
    this.monitors.delete(path ?? '')
  }

  private open(path: string): void {
    let monitor: Monitor
    try {
      monitor = new Monitor(path === '' ? null : path)
    } catch (error) {
      if (path === '') throw error
      return
    }
    monitor.on('change', () => this.arm(monotonic() + SETTLE))
    this.monitors.set(path, monitor)
  }

  private arm(at: number): void {
    const due = Math.max(at, this.restUntil)
    if (this.closed || due >= this.due) return
    this.due = due
    if (this.timer) clearTimeout(this.timer)
    this.timer = this.looking ? null : setTimeout(() => void this.ring(), Math.max(0, due - monotonic()))
  }

  private async ring(): Promise<void> {
    this.timer = null
    this.due = Number.POSITIVE_INFINITY
    this.looking = true
    const begun = monotonic()
    await this.look()
    const now = monotonic()
    this.looking = false
    this.restUntil = now + Math.min(REST_MAX, (now - begun) * REST)
    const { due } = this
    this.due = Number.POSITIVE_INFINITY
    if (due !== Number.POSITIVE_INFINITY) this.arm(due)
  }
}
