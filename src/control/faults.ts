// What is not as it should be, as `status` tells it under `undesired`: each fault once, with the moment it began. Cold.
import type { Undesired } from './api.ts'

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
