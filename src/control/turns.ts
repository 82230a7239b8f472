// Changes that must not meet: each begins when the one before has ended, well or not. Cold.

export class Turns {
  private last: Promise<unknown> = Promise.resolve()

  /** Resolves, or rejects, as the change does. */
  take<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.last.then(change)
    this.last = turn.catch(() => {})
    return turn
  }
}
