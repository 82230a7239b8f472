// Endpoints that are names, looked up again and again: in plain networks nothing else tells that a peer has moved. Cold.
import { isIP } from 'node:net'
import { Resolver } from './resolve.ts'
import type { LocalAddress } from './upkeep/underlay.ts'

/** Milliseconds: names are looked up again, and sooner while one has no address. */
const AGAIN = 60_000
const SOON = 5_000

export interface NamesParts {
  /** Of all peers that are sent to. */
  hosts(): readonly string[]
  underlay(): readonly LocalAddress[]
  /** Whether every name has an address. */
  complete(): boolean
  /** Some have others than before. */
  changed(): Promise<void>
  readonly log: { warn(line: string): void; error(line: string): void }
}

export class Names {
  readonly resolver = new Resolver()
  private readonly p: NamesParts
  private timer: NodeJS.Timeout | null = null

  constructor(parts: NamesParts) {
    this.p = parts
  }

  /** Resolves to whether an address changed. */
  lookUp(hosts: readonly string[] = this.p.hosts()): Promise<boolean> {
    return this.resolver.refresh(hosts, this.p.underlay(), (host, why) => this.p.log.warn(`endpoint ${host}: ${why}`))
  }

  /** Looks them up from time to time, if there are any. */
  watch(): void {
    this.close()
    if (this.p.hosts().every((host) => isIP(host) !== 0)) return
    const again = async (): Promise<void> => {
      if (await this.lookUp()) await this.p.changed()
      this.watch()
    }
    const failed = (error: unknown): void => this.p.log.error(String(error))
    this.timer = setTimeout(() => void again().catch(failed), this.p.complete() ? AGAIN : SOON)
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
  }
}
