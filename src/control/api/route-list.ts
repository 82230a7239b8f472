// `vtepd routes`: which prefix goes to which peer, and whether the host sends it our way. Cold.

import { type Overlay, placedIn, type Running } from '../apply.ts'
import * as cidr from '../cidr.ts'
import type { OnHost } from '../flannel/direct.ts'
import { nameOf } from '../flannel/lease.ts'
import type { PlacedPeer } from '../placed-peer.ts'
import type { RouteEntry } from './api.ts'

/** Of layer 3 networks, or of one; the others have stations, not prefixes. `direct`: routes that leave without a tunnel. */
export function listRoutes(overlay: Overlay, direct: readonly OnHost[], network?: string): RouteEntry[] {
  const isMeant = (name: string): boolean => network === undefined || name === network
  const of = [...overlay.running.values()].filter((r) => r.config.device === 'tun' && isMeant(r.config.name))
  return [...of.flatMap((r) => tunnelled(overlay, r)), ...direct.filter((one) => isMeant(one.network)).map(directly)]
}

/** The prefixes that a network's tunnel to a peer carries, without host bits. */
export function prefixesOf(r: Running, { peer }: PlacedPeer): cidr.Cidr[] {
  const place = peer.networks.find((n) => n.network === r.config.name)
  return place && !place.direct ? place.allowedIps.map((text) => cidr.network(cidr.parseCidr(text)!)) : []
}

/** Who named a network's peers. */
export function originOf(r: Running): 'static' | 'control' {
  return r.members === null ? 'static' : 'control'
}

function tunnelled(overlay: Overlay, r: Running): RouteEntry[] {
  const onHost = new Map([...r.device.routes.all()].map((h) => [h.route.prefix, h.isThere]))
  const common = { network: r.config.name, interface: r.config.interface, origin: originOf(r) }
  return placedIn(r).flatMap((p) =>
    prefixesOf(r, p).map((c): RouteEntry => {
      const prefix = cidr.cidrText(c)
      const at = { peer: p.peer.name, via: overlay.addressOf(p) }
      return { ...common, ...at, prefix, installed: onHost.get(prefix) ?? null }
    }),
  )
}

function directly({ network, route, isThere }: OnHost): RouteEntry {
  const { prefix, via } = route
  return {
    network,
    prefix,
    peer: nameOf(prefix),
    via,
    interface: route.interface ?? '',
    origin: 'control',
    installed: isThere,
  }
}
