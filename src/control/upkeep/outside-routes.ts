// Which prefixes of peers become routes into a layer 3 network's device. Pure; cold.
import * as cidr from '../cidr.ts'
import type { NetworkConfig } from '../config/model.ts'
import type { PlacedPeer } from '../placed-peer.ts'

/** What is not in the device's own prefixes, and covers no peer's endpoint: packets to it would go round in circles. */
export function outsideRoutes(
  r: { readonly config: NetworkConfig; readonly placed: readonly PlacedPeer[] },
  addressOf: (p: PlacedPeer) => string | null,
): string[] {
  const own = r.config.addresses.map((a) => cidr.network(cidr.parseCidr(a)!))
  const ends = r.placed.flatMap((p) => {
    const address = addressOf(p)
    return address === null ? [] : [cidr.parseAddress(address.split('%')[0]!)!]
  })
  return r.placed
    .flatMap((p) => p.peer.networks.filter((n) => n.network === r.config.name).flatMap((n) => n.allowedIps))
    .filter((text) => {
      const c = cidr.parseCidr(text)!
      return !own.some((o) => cidr.covers(o, c)) && !ends.some((e) => cidr.covers(c, e))
    })
}
