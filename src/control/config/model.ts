// The configuration once parsed: frozen, complete, in the units the rest of the house uses. Nobody re-validates it.
// config.ts makes it from YAML or quick flags.

import type { Secret } from '../secret.ts'
import type { PortMapping } from './port-mapping.ts'

export type Switch = 'auto' | 'on' | 'off'
export type Security = 'plain' | 'secure'

export interface Config {
  readonly node: string
  /** null: no `privateKeyFile`, and so no secure network. */
  readonly privateKey: Secret | null
  /** Its public half, canonical base64. */
  readonly publicKey: string | null
  readonly underlay: UnderlayConfig
  readonly networks: readonly NetworkConfig[]
  /** Networks of `type: flannel`: what of them the file says. */
  readonly flannels: readonly FlannelConfig[]
  readonly peers: readonly PeerConfig[]
  readonly rules: RulesConfig
  /** The store of flannel networks; null: none. */
  readonly etcd: EtcdConfig | null
  readonly metrics: { readonly host: string; readonly port: number } | null
  readonly offloads: { readonly tso: Switch; readonly uso: Switch; readonly udpGso: Switch; readonly udpGro: Switch }
}

/** What the host's firewall does for the networks. */
export interface RulesConfig {
  readonly firewall: 'auto' | 'nftables' | 'iptables' | 'off'
  readonly masquerade: boolean
  readonly forward: boolean
  readonly notrack: boolean
  readonly ports: readonly PortMapping[]
  /** Somebody wrote that there be rules; else `forward` is the only one, and nobody misses it where it cannot be. */
  readonly asked: boolean
}

export interface EtcdConfig {
  /** http(s)://host:port, at least one. */
  readonly endpoints: readonly string[]
  /** Of networks that have none of their own; begins with a slash and ends with none. */
  readonly prefix: string
  readonly leaseTtlSec: number
  /** Less than leaseTtlSec. */
  readonly renewMarginSec: number
  /** Absolute; null: the system's authorities. */
  readonly caFile: string | null
  /** Both or none. */
  readonly certFile: string | null
  readonly keyFile: string | null
  /** Both or none; the file is read for every connection. */
  readonly username: string | null
  readonly passwordFile: string | null
}

export interface UnderlayConfig {
  /** At most one per family; empty: take them from `interface`. */
  readonly addresses: readonly string[]
  /** Whose address is followed; null together with no addresses: the interface of the default route. */
  readonly interface: string | null
  /** Of plain networks without a port of their own. */
  readonly vxlanPort: number
  /** Of all secure networks; opened when there is one. */
  readonly wireguardPort: number
}

export interface NetworkConfig {
  readonly name: string
  readonly vni: number
  readonly device: 'tap' | 'tun'
  readonly interface: string
  /** UDP port of a plain network. A secure one has `underlay.wireguardPort`, and this is not opened for it. */
  readonly port: number
  /** CIDRs in canonical form. */
  readonly addresses: readonly string[]
  /** null: hashed from the VNI and the node's public key, or without a key from its name and underlay address. */
  readonly mac: string | null
  /** null: underlay MTU less overhead. */
  readonly mtu: number | null
  readonly security: Security
  /** A name of `ip netns`, a path or a process id; null: the agent's own. */
  readonly netns: string | null
  readonly learning: boolean
  /** 0: learned entries never age. */
  readonly ageingSec: number
  readonly macLimit: number
  /** A group: plain tap networks only; an IPv4 or IPv6 address, canonical. interface null: that of the underlay's address. */
  readonly flood: 'replicate' | 'off' | { readonly group: string; readonly interface: string | null }
  /** Packets per second that may be flooded; 0: no limit. */
  readonly stormLimit: number
  readonly suppressArp: boolean
  /** Plain networks only: 'peers', 'any', or canonical CIDRs without host bits, beside the peers. */
  readonly accept: 'peers' | 'any' | readonly string[]
  readonly innerVlan: 'drop' | 'keep'
  /** TCP SYNs offer no larger segments than the path carries. */
  readonly mssClamp: boolean
  readonly ecn: 'copy' | 'off'
  /** 0..63, or 'inherit'. */
  readonly dscp: number | 'inherit'
  readonly udpChecksum: 'on' | 'off' | 'auto'
  readonly sourcePort: 'hash' | 'fixed'
  /** vtep: a peer's name or, in plain networks, an IP address. addresses: of the station, canonical. */
  readonly fdb: readonly { readonly mac: string; readonly vtep: string; readonly addresses: readonly string[] }[]
  readonly routes: boolean
  readonly sourceCheck: boolean
  /** Plain layer 3 only: IP packets stand in UDP as they are, without VXLAN. */
  readonly bare?: boolean
  /** Secure: where members that know of no other port send to. It is heard beside `underlay.wireguardPort`. */
  readonly stockPort?: number
  /** Who sets the device down finds it up again. */
  readonly keptUp?: boolean
}

/** A network whose VNI, port, back end, address and members come from the store. It is layer 3. */
export interface FlannelConfig
  extends Omit<NetworkConfig, 'vni' | 'device' | 'interface' | 'port' | 'addresses' | 'accept' | 'fdb'> {
  /** null: vt and the VNI that the store gives. */
  readonly interface: string | null
  /** Where it is in the store; null: at the store's usual place. */
  readonly prefix: string | null
  /** null: subnet.env in the runtime directory. */
  readonly subnetFile: string | null
}

export interface PeerConfig {
  readonly name: string
  /**
   * host: a canonical address, or a name in lower case. port: of WireGuard when the peer has a publicKey, else of VXLAN; null:
   * our own wireguardPort, or the network's. null: the peer has a publicKey and calls us.
   */
  readonly endpoint: { readonly host: string; readonly port: number | null } | null
  /** Canonical base64; null: in plain networks only. No two peers have one, and it is not ours. */
  readonly publicKey: string | null
  readonly presharedKey: Secret | null
  /** 0: none. */
  readonly keepaliveSec: number
  readonly type: 'vtepd' | 'wireguard'
  /** The networks this peer is in, resolved: defaults applied, every name exists. */
  readonly networks: readonly PeerNetwork[]
}

export interface PeerNetwork {
  readonly network: string
  /** Layer 3 only; canonical CIDRs. */
  readonly allowedIps: readonly string[]
  /** Its VTEP's MAC in plain tun networks; null: learned. */
  readonly mac: string | null
  /** Flannel: the host itself leads there without the tunnel, out of which it is heard all the same. */
  readonly direct?: boolean
}
