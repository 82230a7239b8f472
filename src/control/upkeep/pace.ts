// How often one thing on the host is put back. Damage is mended at once; against somebody who undoes it again and again the
// agent neither gives up nor keeps the machine busy. Cold.

/** So many times in a row, then one more each so many ms. */
const BURST = 20
const REFILL = 200

export class Pace {
  private left = BURST
  private at = 0

  /** Whether it may be put back now (ms); that counts as once. */
  take(now: number): boolean {
    const more = Math.floor((now - this.at) / REFILL)
    // A clock that was set back begins anew.
    if (more !== 0) {
      this.left = Math.min(BURST, this.left + Math.max(0, more))
      this.at = now
    }
    if (this.left === 0) return false
    this.left--
    return true
  }
}
