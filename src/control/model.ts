// The configuration once parsed: frozen, complete, in the units the rest of the house uses. Nobody re-validates it.
// config.ts makes it from YAML or quick flags.

export type Switch = 'auto' | 'on' | 'off'

export interface Config {
  readonly node: string
  readonly underlay: UnderlayConfig
  readonly networks: readonly NetworkConfig[]
  readonly peers: readonly PeerConfig[]
  readonly metrics: { readonly host: string; readonly port: number } | null
  readonly offloads: { readonly tso: Switch; readonly uso: Switch; readonly udpGso: Switch; readonly udpGro: Switch }
}

export interface UnderlayConfig {
  /** At most one per family; empty: take them from `interface`. */
  readonly addresses: readonly string[]
  /** Whose address is followed; null together with no addresses: the interface of the default route. */
  readonly interface: string | null
  readonly vxlanPort: number
}

export interface NetworkConfig {
  readonly name: string
  readonly vni: number
  readonly device: 'tap' | 'tun'
  readonly interface: string
  readonly port: number
  /** CIDRs in canonical form. */
  readonly addresses: readonly string[]
  /** null: hashed from the VNI, the node's name and the underlay address. */
  readonly mac: string | null
  /** null: underlay MTU less overhead. */
  readonly mtu: number | null
  readonly security: 'plain'
  /** A name of `ip netns`, a path or a process id; null: the agent's own. */
  readonly netns: string | null
  readonly learning: boolean
  /** 0: learned entries never age. */
  readonly ageingSec: number
  readonly macLimit: number
  readonly flood: 'replicate' | 'off'
  /** 'peers', 'any', or canonical CIDRs without host bits, beside the peers. */
  readonly accept: 'peers' | 'any' | readonly string[]
  readonly innerVlan: 'drop' | 'keep'
  readonly ecn: 'copy' | 'off'
  /** 0..63, or 'inherit'. */
  readonly dscp: number | 'inherit'
  readonly udpChecksum: 'on' | 'off' | 'auto'
  readonly sourcePort: 'hash' | 'fixed'
  /** vtep: a peer's name, or an IP address. */
  readonly fdb: readonly { readonly mac: string; readonly vtep: string }[]
  readonly routes: boolean
  readonly sourceCheck: boolean
}

export interface PeerConfig {
  readonly name: string
  /** host: a canonical address, or a name in lower case; port null: the network's. */
  readonly endpoint: { readonly host: string; readonly port: number | null }
  /** The networks this peer is in, resolved: defaults applied, every name exists. */
  readonly networks: readonly PeerNetwork[]
}

export interface PeerNetwork {
  readonly network: string
  /** Layer 3 only; canonical CIDRs. */
  readonly allowedIps: readonly string[]
  /** Its VTEP's MAC in tun networks; null: learned. */
  readonly mac: string | null
}
