// Keeps the host as it should be: looks at every network's device and routes when something on the host has changed, puts
// back, follows, counts, and says it once. What cannot be put back is tried again. Cold.
import { now as monotonic } from '../../host/clock.ts'
import type { Log } from '../../log.ts'
import type { Undesired } from '../api/api.ts'
import type { Overlay, Running } from '../apply.ts'
import type { Config } from '../config/model.ts'
import { Faults, FaultTeller, keyOf } from './faults.ts'
import { HostWatch } from './host-watch.ts'
import { type Repair, Repairs } from './repairs.ts'

/** Milliseconds until what is not as it should be is looked at again without an event; doubled while nothing comes of it. */
const RETRY = 250
const RETRY_MAX = 16_000

export interface KeeperParts {
  /** Null: not yet, or no longer. */
  readonly overlay: () => Overlay | null
  readonly config: () => Config
  /** Changes of host and tables, one after the other. */
  readonly inTurn: (change: () => Promise<void>) => Promise<void>
  /** What else follows the host; before the devices. */
  readonly follow: () => Promise<void>
  /** And after them. */
  readonly after: () => Promise<void>
  readonly log: Log
}

export class Keeper {
  readonly repairs = new Repairs()
  private readonly p: KeeperParts
  private readonly hostWatch = new HostWatch(() => this.look())
  /** Of networks that could not be looked at. */
  private readonly faults = new Faults()
  private retry = RETRY
  private known: ReadonlyMap<string, Undesired> = new Map()
  private readonly teller = new FaultTeller()

  constructor(parts: KeeperParts) {
    this.p = parts
  }

  /** After networks came or went. */
  watch(): void {
    this.hostWatch.watch([null, ...this.running.map((r) => r.device.netns)])
  }

  close(): void {
    this.hostWatch.close()
  }

  /** Somebody deleted the device, and native has let go of it. */
  gone(r: Running): void {
    r.device.lost = true
    this.hostWatch.again(0)
  }

  /** Somebody else has put something of a network back: counted and said like all. */
  repaired({ name, vni }: { readonly name: string; readonly vni: number }, repair: Repair): void {
    const line = this.repairs.note({ name, vni }, repair, Date.now())
    if (line !== null) this.p.log.warn(`network ${name}: ${line}`)
    else this.p.log.debug(`network ${name}: ${repair.text}`)
  }

  undesired(): Undesired[] {
    return [...this.faults.list(), ...this.running.flatMap((r) => r.device.undesired())]
  }

  private get running(): readonly Running[] {
    return [...(this.p.overlay()?.running.values() ?? [])]
  }

  private look(): Promise<void> {
    return this.p.inTurn(() => this.check()).catch((error: unknown) => this.p.log.error(String(error)))
  }

  private async check(): Promise<void> {
    const overlay = this.p.overlay()
    if (!overlay) return
    await this.p.follow()
    const names = this.running.map(whatOf)
    for (const { what } of this.faults.list()) if (!names.includes(what)) this.faults.clear(what)
    for (const r of overlay.running.values()) await this.keepOne(overlay, r)
    this.tell()
    await overlay.tunnels.hostChanged()
    await this.p.after()
  }

  // What stops one look does not stop the others.
  private async keepOne(overlay: Overlay, r: Running): Promise<void> {
    const what = whatOf(r)
    try {
      await this.keep(overlay, r)
      this.faults.clear(what)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.faults.note(what, r.config.interface, 'compared with the host', `not: ${why}`, Date.now())
    }
  }

  private async keep(overlay: Overlay, r: Running): Promise<void> {
    const { device } = r
    if (device.lost && !(await this.remake(overlay, r))) return
    const { mtu, pad, mac } = device.state
    const { moved, followed, repairs } = device.check(Date.now())
    for (const line of followed) this.p.log.warn(`device ${r.config.interface}: ${line}`)
    for (const repair of repairs) this.repaired(r.config, repair)
    if (moved) this.rewatch(r)
    const { state } = device
    if (state.mtu !== mtu || state.pad !== pad || state.mac !== mac) await overlay.deviceChanged(r)
  }

  // False: it cannot be made now, and `undesired` says why.
  private async remake(overlay: Overlay, r: Running): Promise<boolean> {
    try {
      r.device.reopen(this.p.config().offloads, Date.now())
    } catch {
      return false
    }
    await overlay.deviceChanged(r)
    const text = `device ${r.config.interface} was deleted by somebody: made again`
    this.repaired(r.config, { reason: 'device', count: 1, text })
    this.rewatch(r)
    return true
  }

  private rewatch(r: Running): void {
    this.hostWatch.forget(r.device.netns)
    this.watch()
  }

  // What has become undesired, and what no longer is.
  private tell(): void {
    const { log } = this.p
    const now = new Map(this.undesired().map((u) => [keyOf(u), u]))
    const fresh = [...now.keys()].filter((key) => !this.known.has(key))
    const well = [...this.known.keys()].filter((key) => !now.has(key))
    this.teller.tell(
      fresh.map((key) => now.get(key)!),
      well,
      monotonic(),
      log,
    )
    this.retry = fresh.length > 0 || well.length > 0 ? RETRY : Math.min(this.retry * 2, RETRY_MAX)
    this.known = now
    if ([...now.values()].some((u) => u.what !== 'state')) this.hostWatch.again(this.retry)
  }
}

function whatOf(r: Running): string {
  return `network ${r.config.name}`
}
