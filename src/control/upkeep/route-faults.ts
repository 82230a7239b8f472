// Which routes of a network are not there, and why, for `undesired`. Cold.
import * as netdev from '../../host/netdev.ts'
import * as routes from '../../host/routes.ts'
import type { Undesired } from '../api/api.ts'
import type { HostRoute } from './host-routes.ts'

/** So many with one reason are told one by one, more of them together. */
const SINGLE_MAX = 10
/** rtnetlink(7): those that people meet, as ip(8) calls them. */
const MAKERS: Readonly<Record<number, string>> = {
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'ra',
  16: 'dhcp',
  186: 'bgp',
}

interface Fault {
  readonly prefix: string
  readonly where: string
  readonly want: string
  /** A system call's code, or a sentence. */
  readonly code: string
  have: string
  readonly since: number
}

export class RouteFaults {
  private readonly all = new Map<string, Fault>()

  /** Since now (ms), or still, the route is not there. `code`: why, a system call's code or a sentence. */
  note(prefix: string, where: string, want: string, code: string, now: number): void {
    if (this.all.get(prefix)?.code === code) return
    const have = code === 'EEXIST' ? '' : code
    this.all.set(prefix, { prefix, where, want, code, have, since: Math.floor(now / 1000) })
  }

  clear(prefix: string): void {
    this.all.delete(prefix)
  }

  /** Looks up whose the routes are that stand where ours should. */
  nameOthers(netns: string | null): void {
    const nameless = [...this.all.values()].filter((f) => f.have === '')
    for (const family of [4, 6] as const) {
      const some = nameless.filter((f) => f.prefix.includes(':') === (family === 6))
      if (some.length === 0) continue
      const others = new Map(
        routes
          .list(family, netns)
          .filter(isInTheWay)
          .map((r) => [r.prefix, r]),
      )
      for (const f of some) f.have = otherText(others.get(f.prefix), netns)
    }
  }

  list(): Undesired[] {
    const byReason = new Map<string, Fault[]>()
    for (const f of this.all.values()) {
      const key = `${f.where} ${f.have}`
      byReason.set(key, [...(byReason.get(key) ?? []), f])
    }
    return [...byReason.values()].flatMap((some) => (some.length > SINGLE_MAX ? [together(some)] : some.map(single)))
  }
}

/** Where a route should go, as ip(8) says it. */
export function wayText(route: HostRoute, device: string | null): string {
  const via = route.via === null ? '' : `via ${route.via} `
  return `${via}dev ${device ?? 'none'}${route.onlink ? ' onlink' : ''}${route.mtu === null ? '' : ` mtu ${route.mtu}`}`
}

function isInTheWay(r: routes.KernelRoute): boolean {
  return r.metric === routes.usualMetric(r.prefix)
}

function otherText(r: routes.KernelRoute | undefined, netns: string | null): string {
  if (!r) return "somebody else's route"
  const maker = `proto ${r.protocol === routes.PROTOCOL ? 'vtepd' : (MAKERS[r.protocol] ?? r.protocol)}`
  if (r.kind === 'nowhere') return `somebody else's route: blackhole, unreachable or the like, ${maker}`
  const device = netdev.link(r.index, netns)?.name ?? `#${r.index}`
  return `somebody else's route: ${r.via === null ? '' : `via ${r.via} `}dev ${device} ${maker}`
}

function single({ prefix, where, want, have, since }: Fault): Undesired {
  return { what: `route ${prefix}`, where, want, have, since }
}

function together(some: readonly Fault[]): Undesired {
  const { prefix, where, want, have } = some[0]!
  const since = Math.min(...some.map((f) => f.since))
  return { what: `${some.length} routes (${prefix} for one)`, where, want, have, since }
}
