// What the agent tells the service manager (sd_notify(3)), in order. A manager that does not listen is no reason to stop carrying
// packets, and one that is slow holds up nobody. Cold.
import { notify } from '../host/notify.ts'
import type { Log } from '../log.ts'

/** Milliseconds until one that had no room is told again. */
const AGAIN = 100

export class ServiceManager {
  private readonly log: Pick<Log, 'warn'>
  private readonly send: (state: string) => boolean
  private untold: string[] = []
  private timer: NodeJS.Timeout | null = null

  /** `send`: false when there is no room now. */
  constructor(log: Pick<Log, 'warn'>, send: (state: string) => boolean = notify) {
    this.log = log
    this.send = send
  }

  /** A state that it must hear of: told again until it has room. */
  tell(state: string): void {
    this.untold.push(state)
    if (this.timer === null) this.tellUntold()
  }

  /** A sign of life: said now or not at all. */
  beat(state: string): void {
    if (this.timer === null) this.take(state)
  }

  private tellUntold(): void {
    this.timer = null
    while (this.untold.length > 0 && this.take(this.untold[0]!)) this.untold.shift()
    if (this.untold.length > 0) this.timer = setTimeout(() => this.tellUntold(), AGAIN).unref()
  }

  // Whether that is done with.
  private take(state: string): boolean {
    try {
      return this.send(state)
    } catch (error) {
      this.log.warn(`cannot tell the service manager ${state.split('\n')[0]}: ${(error as Error).message}`)
      return true
    }
  }
}
