// One network's routes on the host: what is wanted, what is there, and the difference made, in few system calls. Ours have a
// protocol number of their own (host/routes), so that those of a life before are known as ours. A route of somebody else is
// never taken; what takes the place that ours has had is replaced. Cold.
import * as netdev from '../../host/netdev.ts'
import * as routes from '../../host/routes.ts'
import type { Undesired } from '../api/api.ts'
import * as cidr from '../cidr.ts'
import { Pace } from './pace.ts'
import { RouteFaults, wayText } from './route-faults.ts'

/** A prefix and where to. */
export interface HostRoute {
  readonly prefix: string
  /** The gateway's address; null: all of the prefix is on the link. */
  readonly via: string | null
  /** By name; null: the network's own device. */
  readonly interface: string | null
  /** The gateway is on the link, whatever the host's addresses say. */
  readonly onlink: boolean
  /** Named by the route, bytes; null: none. */
  readonly mtu: number | null
}

/** Where the network lives; asked each time, since both may change. */
export interface Place {
  /** Name of its device; null: it has none. */
  device(): string | null
  netns(): string | null
}

/** What a look at the host has mended: for the log, and how many things. */
export interface Mended {
  readonly text: string
  readonly count: number
}

interface Wanted {
  route: HostRoute
  /** As it is in the kernel, as far as we know; null: it is not there. */
  way: routes.Way | null
  /** It has been there: what is in its place now is not to be there. */
  held: boolean
  /** Of putting it back; null: that was never needed. */
  pace: Pace | null
}

interface Step extends routes.Change {
  readonly wanted: Wanted | null
}

const NOTHING: readonly Step[] = []

export class HostRoutes {
  private readonly place: Place
  private readonly wanted = new Map<string, Wanted>()
  private readonly faults = new RouteFaults()
  private readonly links = new Map<string, netdev.LinkState | null>()
  private scope: readonly cidr.Cidr[] = []
  private begun = false

  constructor(place: Place) {
    this.place = place
  }

  /**
   * These and no others. `scope`: prefixes in which routes of our protocol by a gateway are this network's, whatever device they
   * leave by (those into its own device always are); what of a life before is there and no longer wanted is removed. Says what
   * that was.
   */
  set(all: readonly HostRoute[], scope: readonly string[], now: number): Mended[] {
    this.scope = scope.map((text) => cidr.parsePrefix(text)!)
    const next = new Set(all.map((r) => canonical(r.prefix)))
    const drop = [...this.wanted.keys()].filter((prefix) => !next.has(prefix))
    return this.change(all, drop, now)
  }

  /** Some more, or the same prefixes on other ways, and some less: costs what changes. */
  change(put: readonly HostRoute[], drop: readonly string[], now: number): Mended[] {
    this.links.clear()
    const steps: Step[] = []
    for (const text of drop) {
      const prefix = canonical(text)
      const w = this.wanted.get(prefix)
      this.wanted.delete(prefix)
      this.faults.clear(prefix)
      if (w?.way) steps.push({ verb: 'delete', prefix, way: w.way, wanted: null })
    }
    for (const route of put) {
      const w = this.want(route)
      if (w && this.begun) steps.push(...this.stepTo(w, now))
    }
    this.make(steps, now)
    return this.begun ? [] : this.check(now)
  }

  /** Compares with what the host has, and mends it. */
  check(now: number): Mended[] {
    if (this.begun && this.wanted.size === 0) return []
    this.links.clear()
    const mine = this.listMine()
    const steps: Step[] = []
    let back = 0
    for (const [prefix, w] of this.wanted) {
      const had = w.way !== null
      const next = this.compare(w, mine.get(prefix) ?? [], now)
      if (had && next.some((s) => s.verb !== 'delete')) back++
      steps.push(...next)
    }
    let stale = 0
    for (const [prefix, found] of mine) {
      if (this.wanted.has(prefix)) continue
      for (const r of found) steps.push({ verb: 'delete', prefix, way: r, metric: r.metric, wanted: null })
      stale += found.length
    }
    const example = steps.find((s) => s.wanted?.way)?.prefix
    this.make(steps, now)
    this.begun = true
    return [
      ...(back > 0 ? [{ count: back, text: `${counted(back, example!)} changed or removed: put back` }] : []),
      ...(stale > 0
        ? [{ count: stale, text: `${counted(stale, steps.at(-1)!.prefix)} no longer wanted: removed` }]
        : []),
    ]
  }

  /** The device is another one now: nothing of what went into it is there, and that is nobody's fault. */
  deviceGone(): void {
    for (const w of this.wanted.values()) if (w.route.interface === null) w.way = null
  }

  /** Takes all of them away, what of a life before is there as well. */
  clear(): void {
    this.change([], [...this.wanted.keys()], 0)
    this.begun = false
  }

  /** What is wanted, and whether it is there as far as we know. */
  *all(): Generator<{ readonly route: HostRoute; readonly isThere: boolean }> {
    for (const { route, way } of this.wanted.values()) yield { route, isThere: way !== null }
  }

  undesired(): Undesired[] {
    return this.faults.list()
  }

  // Null: it is wanted like that already.
  private want(route: HostRoute): Wanted | null {
    const prefix = canonical(route.prefix)
    const w = this.wanted.get(prefix)
    if (w && sameRoute(w.route, route)) return null
    if (w) {
      w.route = { ...route, prefix }
      return w
    }
    const added: Wanted = { route: { ...route, prefix }, way: null, held: false, pace: null }
    this.wanted.set(prefix, added)
    return added
  }

  private stepTo(w: Wanted, now: number): Step[] {
    const { prefix } = w.route
    const way = this.wayOf(w, now)
    if (!way) {
      const old = w.way
      w.way = null
      return old ? [{ verb: 'delete', prefix, way: old, wanted: null }] : []
    }
    return [{ verb: w.way ? 'replace' : 'add', prefix, way, wanted: w }]
  }

  // `found`: what of ours the prefix has.
  private compare(w: Wanted, found: readonly routes.KernelRoute[], now: number): readonly Step[] {
    const { prefix } = w.route
    const way = this.wayOf(w, now)
    if (!way) {
      w.way = null
      return NOTHING
    }
    // As it nearly always is.
    if (found.length === 1 && routes.isThis(found[0]!, way)) {
      this.isThere(w, way)
      return NOTHING
    }
    const usual = found.filter((r) => r.metric === routes.usualMetric(prefix))
    const steps: Step[] = found
      .filter((r) => !usual.includes(r))
      .map((r) => ({ verb: 'delete', prefix, way: r, metric: r.metric, wanted: null }))
    if (usual.some((r) => routes.isThis(r, way))) {
      this.isThere(w, way)
    } else if (w.held && !paced(w, now)) {
      this.fault(w.route, 'somebody removes or replaces it again and again', now)
    } else {
      steps.push({ verb: usual.length > 0 ? 'replace' : 'add', prefix, way, wanted: w })
    }
    return steps
  }

  private isThere(w: Wanted, way: routes.Way): void {
    w.way = way
    w.held = true
    this.faults.clear(w.route.prefix)
  }

  // Null, and noted why: the device is not there, or down.
  private wayOf({ route }: Wanted, now: number): routes.Way | null {
    const name = route.interface ?? this.place.device()
    const link = name === null ? null : this.link(name)
    if (link?.up) return { index: link.index, via: route.via, onlink: route.onlink, mtu: route.mtu }
    // That our own device is missing or down is told with it.
    if (route.interface === null) this.faults.clear(route.prefix)
    else this.fault(route, link ? `${name} is down` : `there is no ${name}`, now)
    return null
  }

  private link(name: string): netdev.LinkState | null {
    if (!this.links.has(name)) this.links.set(name, netdev.link(name, this.place.netns()))
    return this.links.get(name)!
  }

  private listMine(): Map<string, routes.KernelRoute[]> {
    const device = this.place.device()
    const own = device === null ? null : this.link(device)
    const mine = new Map<string, routes.KernelRoute[]>()
    for (const family of [4, 6] as const) {
      for (const r of routes.list(family, this.place.netns(), routes.PROTOCOL)) {
        if (r.index !== own?.index && !this.isWithin(r) && !this.isWanted(r)) continue
        const known = mine.get(r.prefix)
        if (known) known.push(r)
        else mine.set(r.prefix, [r])
      }
    }
    return mine
  }

  // Those without a gateway go into a device of ours, and are of that device's network.
  private isWithin({ prefix, via }: routes.KernelRoute): boolean {
    if (this.scope.length === 0 || via === null) return false
    const c = cidr.parseCidr(prefix)!
    return this.scope.some((s) => cidr.covers(s, c))
  }

  // Where we have put it, or want it.
  private isWanted(r: routes.KernelRoute): boolean {
    const w = this.wanted.get(r.prefix)
    if (!w) return false
    const name = w.route.interface ?? this.place.device()
    const index = name === null ? undefined : this.link(name)?.index
    return (w.way !== null && routes.isThis(r, w.way)) || (index === r.index && r.via === w.route.via)
  }

  private make(steps: readonly Step[], now: number): void {
    if (steps.length === 0) return
    const again: Step[] = []
    for (const [i, code] of routes.change(steps, this.place.netns()).entries()) {
      const step = steps[i]!
      // Ours was there, and somebody has put his own in its place.
      if (code === 'EEXIST' && step.wanted?.held) again.push({ ...step, verb: 'replace' })
      else this.settle(step, code, now)
    }
    for (const [i, code] of routes.change(again, this.place.netns()).entries()) this.settle(again[i]!, code, now)
    this.faults.nameOthers(this.place.netns())
  }

  private settle({ wanted, way }: Step, code: string | null, now: number): void {
    if (!wanted) return
    if (code === null) {
      this.isThere(wanted, way)
    } else {
      wanted.way = null
      this.fault(wanted.route, code, now)
    }
  }

  private fault(route: HostRoute, code: string, now: number): void {
    const device = route.interface ?? this.place.device()
    this.faults.note(route.prefix, device ?? '', wayText(route, device), code, now)
  }
}

function paced(w: Wanted, now: number): boolean {
  w.pace ??= new Pace()
  return w.pace.take(now)
}

function counted(n: number, example: string): string {
  return n === 1 ? `route ${example}` : `${n} routes (${example} for one)`
}

function canonical(prefix: string): string {
  return cidr.cidrText(cidr.network(cidr.parseCidr(prefix)!))
}

function sameRoute(a: HostRoute, b: HostRoute): boolean {
  return a.via === b.via && a.interface === b.interface && a.onlink === b.onlink && a.mtu === b.mtu
}
