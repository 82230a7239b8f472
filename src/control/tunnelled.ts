// The peers of a secure network that the configuration names, as the data thread is told of them: what is not as it was, so that one
// peer of a thousand costs what one peer costs. Cold.
import type { Far, Mailbox } from '../datapath/mailbox.ts'
import type { NetworkConfig, PeerConfig } from './config/model.ts'
import { farBehind } from './far.ts'
import type { PlacedPeer } from './placed-peer.ts'

export interface TunnelledParts {
  readonly mailbox: Mailbox
  /** The number of a peer's tunnel. */
  tunnel(publicKey: string): number
}

/**
 * Makes network `id` one of `peers`, after it was one of `before`. Answers their places in the same order. Static stations are not
 * touched: they are in none of these peers.
 */
export async function placeTunnelled(
  { id, config }: { readonly id: number; readonly config: NetworkConfig },
  before: readonly PlacedPeer[],
  peers: readonly PeerConfig[],
  p: TunnelledParts,
): Promise<PlacedPeer[]> {
  const had = new Map(before.map((one) => [one.peer.publicKey, one]))
  const placed = peers.map((peer): PlacedPeer => ({ peer, address: null, port: 0, vtep: -1 }))
  const fresh: PlacedPeer[] = []
  for (const one of placed) {
    const old = had.get(one.peer.publicKey)
    had.delete(one.peer.publicKey)
    if (old && old.vtep >= 0 && isSame(old.peer, one.peer, config.name)) one.vtep = old.vtep
    else fresh.push(one)
  }
  const gone = [...had.values()].flatMap(({ vtep }) => (vtep >= 0 ? [vtep] : []))
  if (fresh.length === 0 && gone.length === 0) return placed
  const ids = await p.mailbox.ask<number[]>({
    kind: 'change-peers',
    id,
    peers: fresh.map(({ peer }): Far => farBehind(p.tunnel(peer.publicKey!), peer, config)),
    gone,
  })
  fresh.forEach((one, k) => {
    one.vtep = ids[k]!
  })
  return placed
}

/** All peers of a secure network, to be told of together. */
export function tunnelledPeers(
  config: NetworkConfig,
  own: readonly PeerConfig[],
  tunnel: (publicKey: string) => number,
): { placed: PlacedPeer[]; peers: Far[] } {
  return {
    placed: own.map((peer) => ({ peer, address: null, port: 0, vtep: -1 })),
    peers: own.map((peer) => farBehind(tunnel(peer.publicKey!), peer, config)),
  }
}

// Whether nothing is different that the data thread knows of it.
function isSame(a: PeerConfig, b: PeerConfig, network: string): boolean {
  if (a === b) return true
  const [one, other] = [a, b].map((peer) => peer.networks.find((n) => n.network === network))
  if (!one || !other || one.mac !== other.mac || one.allowedIps.length !== other.allowedIps.length) return false
  return one.allowedIps.every((prefix, k) => prefix === other.allowedIps[k])
}
