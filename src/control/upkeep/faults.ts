// What is not as it should be, as `status` tells it under `undesired`: each fault once, with the moment it began; and what the
// log hears of it. Cold.
import type { Log } from '../../log.ts'
import type { Undesired } from '../api/api.ts'

/** Milliseconds for which a fault is silent after it was said, and how many are said at once. */
const SILENCE = 60_000
const SAID_MAX = 5

export class Faults {
  private readonly all = new Map<string, Undesired>()

  /** Still, or from now (ms): `what` of `where` is `have` and should be `want`. */
  note(what: string, where: string, want: string, have: string, now: number): void {
    const before = this.all.get(what)
    const since = before?.have === have ? before.since : Math.floor(now / 1000)
    this.all.set(what, { what, where, want, have, since })
  }

  /** `what` is as it should be. */
  clear(what: string): void {
    this.all.delete(what)
  }

  list(): Undesired[] {
    return [...this.all.values()]
  }
}

/** Says faults once, and their end, at most once a minute each. */
export class FaultTeller {
  /** When each was said, ms; and which have not ended since. */
  private readonly saidAt = new Map<string, number>()
  private readonly open = new Set<string>()

  /** `fresh` have begun, `well` ended, by `where what`. `state` is told by whoever sees a device go up and down. */
  tell(fresh: readonly Undesired[], well: readonly string[], now: number, log: Log): void {
    for (const [key, at] of this.saidAt) if (now - at >= SILENCE) this.saidAt.delete(key)
    for (const key of well) if (this.open.delete(key)) log.info(`${key} is as it should be again`)
    const news = fresh.filter((u) => u.what !== 'state' && !this.saidAt.has(keyOf(u)))
    for (const u of news.slice(0, SAID_MAX)) {
      log.warn(`${u.where}: ${u.what}: want ${u.want}, have ${u.have}`)
      this.open.add(keyOf(u))
    }
    for (const u of news) this.saidAt.set(keyOf(u), now)
    if (news.length > SAID_MAX) log.warn(`${news.length - SAID_MAX} more are not as they should be: vtepd status`)
  }
}

/** What a fault is known by from look to look. */
export function keyOf({ where, what }: Undesired): string {
  return `${where} ${what}`
}
