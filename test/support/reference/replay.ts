// A replay window that is obviously right: it remembers every counter.
import { REJECT_AFTER_MESSAGES } from '../../../src/wireguard/constants.ts'
import { WINDOW } from '../../../src/wireguard/replay.ts'

export class SlowReplay {
  private readonly seen = new Set<number>()
  private highest = -1

  accept(counter: number): boolean {
    if (counter >= REJECT_AFTER_MESSAGES || this.seen.has(counter) || this.tooOld(counter)) return false
    this.seen.add(counter)
    this.highest = Math.max(this.highest, counter)
    return true
  }

  private tooOld(counter: number): boolean {
    return counter < this.highest - WINDOW
  }
}
