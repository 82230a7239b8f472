// Members that are reached without a tunnel: who is on a link of ours, and the host's routes to their subnets. Cold.
import * as netdev from '../../host/netdev.ts'
import * as routes from '../../host/routes.ts'
import type { Undesired } from '../api/api.ts'
import { type Cidr, covers, parseAddress, parseCidr } from '../cidr.ts'
import { type HostRoute, HostRoutes, type Mended } from '../upkeep/host-routes.ts'
import type { DirectRoute } from './desired.ts'

/** One of them, and whether the host has it. */
export interface OnHost {
  readonly network: string
  readonly route: HostRoute
  readonly isThere: boolean
}

/** The host's routes of all flannel networks that leave by its own interfaces. */
export class DirectRoutes {
  private readonly all = new Map<string, HostRoutes>()

  /** Those of a network, and no others: what a life before has left within `scope` (prefixes) goes. */
  set(network: string, list: readonly DirectRoute[], scope: readonly string[], now: number): void {
    const own = this.all.get(network) ?? new HostRoutes({ device: () => null, netns: () => null })
    this.all.set(network, own)
    own.set(
      list.map((route) => ({ ...route, onlink: true, mtu: null })),
      scope,
      now,
    )
  }

  clear(network: string): void {
    this.all.get(network)?.clear()
    this.all.delete(network)
  }

  list(): OnHost[] {
    return [...this.all].flatMap(([network, own]) => [...own.all()].map((one) => ({ network, ...one })))
  }

  /** Compares with what the host has, and mends it. */
  check(now: number): { network: string; mended: Mended }[] {
    return [...this.all].flatMap(([network, own]) => own.check(now).map((mended) => ({ network, mended })))
  }

  undesired(): Undesired[] {
    return [...this.all.values()].flatMap((own) => own.undesired())
  }
}

/** By which interface an address is reached without a gateway, as the host's routes are now; null: there is one, or no way. */
export function linkFinder(): (address: string) => string | null {
  const known: { to: Cidr; index: number; isDirect: boolean; metric: number }[] = []
  for (const family of [4, 6] as const) {
    for (const r of routes.list(family, null)) {
      if (r.protocol === routes.PROTOCOL || r.kind === 'nowhere') continue
      const isDirect = r.via === null && r.kind === 'one'
      known.push({ to: parseCidr(r.prefix)!, index: r.index, isDirect, metric: r.metric })
    }
  }
  // The longest prefix wins, then the lowest metric.
  known.sort((a, b) => b.to.length - a.to.length || a.metric - b.metric)
  const names = new Map<number, string | null>()
  const nameOf = (index: number): string | null => {
    if (!names.has(index)) names.set(index, netdev.link(index, null)?.name ?? null)
    return names.get(index)!
  }
  return (address) => {
    const one = parseAddress(address)!
    const route = known.find(({ to }) => covers(to, one))
    return route?.isDirect ? nameOf(route.index) : null
  }
}
