// How much broadcast, multicast and unknown unicast a network takes from its device: a token bucket that holds one second's
// worth. Time is an argument. Temperature: hot.

export class Storm {
  private rate = 0
  private tokens = 0
  private at = 0

  /** `rate`: packets per second, more than 0. The bucket is full at `now` (milliseconds). */
  constructor(rate: number, now: number) {
    this.rate = rate
    this.tokens = rate
    this.at = now
  }

  /** Another rate; what is in the bucket stays, as far as it fits. */
  configure(rate: number): void {
    this.rate = rate
    if (this.tokens > rate) this.tokens = rate
  }

  /**
   * Whether `n` packets may go now. A train that is larger than the bucket goes when that is full, and what follows pays for
   * it: else it would never go.
   */
  take(n: number, now: number): boolean {
    const { rate } = this
    const tokens = this.tokens + ((now - this.at) * rate) / 1000
    this.at = now
    this.tokens = tokens < rate ? tokens : rate
    if (this.tokens < (n < rate ? n : rate)) return false
    this.tokens -= n
    return true
  }
}
