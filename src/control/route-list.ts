// `vtepd routes`: which prefix goes to which peer, and whether the host sends it our way. Cold.
import type { RouteEntry } from './api.ts'
import { type Overlay, placedIn, type Running } from './apply.ts'
import * as cidr from './cidr.ts'
import type { PlacedPeer } from './placed-peer.ts'

/** Of layer 3 networks; the others have stations, not prefixes. */
export function listRoutes(overlay: Overlay, of: readonly Running[]): RouteEntry[] {
  return of.flatMap((r) => (r.config.device === 'tun' ? routesOf(overlay, r) : []))
}

/** The prefixes that lie behind a peer in a network, without host bits. */
export function prefixesOf(r: Running, { peer }: PlacedPeer): cidr.Cidr[] {
  const place = peer.networks.find((n) => n.network === r.config.name)
  return (place?.allowedIps ?? []).map((text) => cidr.network(cidr.parseCidr(text)!))
}

function routesOf(overlay: Overlay, r: Running): RouteEntry[] {
  const onHost = new Map([...r.device.routes.all()].map((h) => [h.route.prefix, h]))
  const tunnelled = placedIn(r).flatMap((p) =>
    prefixesOf(r, p).map((c): RouteEntry => {
      const prefix = cidr.cidrText(c)
      const host = onHost.get(prefix)
      return {
        network: r.config.name,
        prefix,
        peer: p.peer.name,
        via: overlay.addressOf(p),
        interface: r.config.interface,
        origin: r.members ? 'control' : 'static',
        installed: host?.isThere ?? null,
      }
    }),
  )
  const direct = [...onHost.values()].filter(({ route }) => route.interface !== null)
  return [
    ...tunnelled.filter((t) => !direct.some(({ route }) => route.prefix === t.prefix)),
    ...direct.map(({ route, isThere }): RouteEntry => {
      const peer = placedIn(r).find((p) => overlay.addressOf(p) === route.via)?.peer.name ?? null
      const { prefix, via } = route
      const common = { network: r.config.name, prefix, peer, via, interface: route.interface! }
      return { ...common, origin: 'control', installed: isThere }
    }),
  ]
}
