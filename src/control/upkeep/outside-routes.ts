// Which prefixes of peers become routes into layer 3 networks' devices: what is not in the device's own prefixes, and covers no far
// end. A packet to a far end would come back through the device, and be sealed again, and again. Where peers call from is known only
// once they do, so routes come and go with that. Cold.
import * as cidr from '../cidr.ts'
import type { NetworkConfig } from '../config/model.ts'
import type { PlacedPeer } from '../placed-peer.ts'
import { Seldom } from '../seldom.ts'

/** A network as this sees it: apply.ts Running. */
export interface Routed {
  readonly config: NetworkConfig
  readonly placed: readonly PlacedPeer[]
  /** Not null: its peers come from a store, and their routes are others' business. */
  readonly members: unknown
  readonly device: Device
}

interface Device {
  readonly netns: string | null
  setRoutes(prefixes: readonly string[], now: number): void
  changeRoutes(put: readonly string[], drop: readonly string[], now: number): void
}

export interface OutsideParts {
  readonly running: ReadonlyMap<string, Routed>
  /** Where a peer is; null: not known. */
  addressOf(p: PlacedPeer): string | null
  /** A prefix is no route, or is one again. */
  said(line: string): void
}

interface End {
  readonly name: string
  readonly text: string
  readonly address: cidr.Cidr
}

export class OutsideRoutes {
  private readonly p: OutsideParts
  /** By network and prefix: why it is no route. */
  private withheld = new Map<string, string>()
  /** What is led into a device so far. */
  private readonly led = new WeakMap<Device, ReadonlySet<string>>()
  private readonly failed = (error: unknown): void => this.p.said(`routes of peers: ${error}`)
  private readonly later = new Seldom(async () => this.follow(Date.now()), this.failed)

  constructor(parts: OutsideParts) {
    this.p = parts
  }

  /** A far end is somewhere else than before: `follow`, now or a little later. */
  moved(): void {
    void this.later.ask(performance.now()).catch(this.failed)
  }

  close(): void {
    this.later.close()
  }

  /** Makes the host's routes what peers and their places ask for. `now`: ms. */
  follow(now: number): void {
    const before = this.withheld
    this.withheld = new Map()
    const ends = this.ends()
    for (const r of this.p.running.values()) {
      if (r.members !== null) continue
      const wanted = r.config.device === 'tun' && r.config.routes ? this.wanted(r, ends) : []
      this.lead(r.device, new Set(wanted), now)
    }
    for (const [key, why] of this.withheld) if (before.get(key) !== why) this.p.said(`${key} is no route while ${why}`)
    for (const key of before.keys()) if (!this.withheld.has(key)) this.p.said(`${key} is held back no longer`)
  }

  // Of a hundred thousand routes few change.
  private lead(device: Device, next: ReadonlySet<string>, now: number): void {
    const before = this.led.get(device)
    this.led.set(device, next)
    if (!before) {
      device.setRoutes([...next], now)
      return
    }
    const put = [...next].filter((prefix) => !before.has(prefix))
    const drop = [...before].filter((prefix) => !next.has(prefix))
    if (put.length > 0 || drop.length > 0) device.changeRoutes(put, drop, now)
  }

  private wanted(r: Routed, ends: readonly End[]): string[] {
    const { name, addresses } = r.config
    const own = addresses.map((a) => cidr.network(cidr.parseCidr(a)!))
    // Routes of another namespace are not in the tunnels' way.
    const inTheWay = r.device.netns === null ? ends : []
    const prefixes = r.placed.flatMap((p) => p.peer.networks.filter((n) => n.network === name))
    return prefixes
      .flatMap((n) => n.allowedIps)
      .filter((text) => {
        const prefix = cidr.parseCidr(text)!
        if (own.some((o) => cidr.covers(o, prefix))) return false
        const end = inTheWay.find((e) => cidr.covers(prefix, e.address))
        if (end) this.withheld.set(`network ${name}: ${text}`, `peer ${end.name} is at ${end.text}`)
        return !end
      })
  }

  // All far ends, whichever network they are in.
  private ends(): End[] {
    const found = new Map<string, End>()
    for (const r of this.p.running.values()) {
      for (const p of r.placed) {
        const text = this.p.addressOf(p)
        const address = text === null ? null : cidr.parseAddress(text.split('%')[0]!)
        if (text !== null && address) found.set(text, { name: p.peer.name, text, address })
      }
    }
    return [...found.values()]
  }
}
