// Puts single things on the host back as they should be: each at its pace, and what cannot be put back is a fault until it
// can. Cold.
import type { Undesired } from '../api/api.ts'
import { Faults } from './faults.ts'
import { Pace } from './pace.ts'
import type { Repair, RepairReason } from './repairs.ts'

/** What a thing should be that is missing. */
export const PRESENT = 'present'

export interface Mending {
  readonly reason: RepairReason
  /** The thing: 'MTU', 'address 10.42.0.1/24'. */
  readonly what: string
  readonly want: string
  readonly have: string
  /** May throw. */
  readonly mend: () => void
}

export class Mender {
  private readonly faults = new Faults()
  private readonly paces = new Map<string, Pace>()
  private readonly where: () => string

  /** `where`: what the things are of, for `undesired`. */
  constructor(where: () => string) {
    this.where = where
  }

  /** These and nothing else are not as they should be at `now` (ms). Answers what is again. */
  mend(all: readonly Mending[], now: number): Repair[] {
    for (const { what } of this.faults.list()) if (!all.some((m) => m.what === what)) this.faults.clear(what)
    return all.filter((m) => this.mended(m, now)).map(repair)
  }

  /** What could not be put back. */
  undesired(): Undesired[] {
    return this.faults.list()
  }

  private mended({ what, want, have, mend }: Mending, now: number): boolean {
    if (!this.paceOf(what).take(now)) {
      this.faults.note(what, this.where(), want, `${have}: somebody changes it again and again`, now)
      return false
    }
    try {
      mend()
      this.faults.clear(what)
      return true
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.faults.note(what, this.where(), want, `${have}, and cannot be put back: ${why}`, now)
      return false
    }
  }

  private paceOf(what: string): Pace {
    const pace = this.paces.get(what) ?? new Pace()
    this.paces.set(what, pace)
    return pace
  }
}

function repair({ reason, what, want, have }: Mending): Repair {
  return { reason, count: 1, text: `${what} was ${have}: put back${want === PRESENT ? '' : ` to ${want}`}` }
}
