// A job that is asked for again and again and costs more the larger the network is: it is done at once when it has not been
// done lately, else once a little later, so that it never takes more than a share of the time. Cold.

/** The job rests so many times as long as it took. */
const REST = 20

export class Seldom {
  private readonly job: () => Promise<void>
  private readonly failed: (error: unknown) => void
  private timer: NodeJS.Timeout | null = null
  private due = 0

  /** `failed`: hears of what goes wrong when nobody waits for it. */
  constructor(job: () => Promise<void>, failed: (error: unknown) => void) {
    this.job = job
    this.failed = failed
  }

  /** Resolves when it is done, or will be later. Done in turn with itself by the caller. `now`: ms, monotonic. */
  async ask(now: number): Promise<void> {
    if (this.timer) return
    if (now >= this.due) return this.run(now)
    this.timer = setTimeout(() => {
      this.timer = null
      void this.run(performance.now()).catch(this.failed)
    }, this.due - now).unref()
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
  }

  private async run(began: number): Promise<void> {
    await this.job()
    const end = performance.now()
    this.due = end + (end - began) * REST
  }
}
