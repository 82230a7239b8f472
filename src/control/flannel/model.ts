// What the rest of the agent knows of a flannel network: its configuration in the store, the leases of its members, and a
// membership that follows both and holds our own lease. membership.ts is the real one. Cold.
import type { EventEmitter } from 'node:events'

/** How members reach each other: `Backend` of the store's configuration key. Ports and MTUs as written; null: not written. */
export type Backend =
  | {
      readonly type: 'vxlan'
      readonly vni: number
      /** UDP; 8472 when the key names none. */
      readonly port: number
      /** Of the outer packet, bytes; null: the underlay interface's. */
      readonly mtu: number | null
      /** A member on our own link is reached by a plain route. */
      readonly directRouting: boolean
    }
  | { readonly type: 'host-gw' }
  /** Raw IP in UDP, from and to this port. */
  | { readonly type: 'udp'; readonly port: number }
  | {
      readonly type: 'wireguard'
      /** Where members hear that say nothing else in their leases. */
      readonly port: number
      /** separate: flanneld has a tunnel for each family, with one key. Else one for both, over the family that it names. */
      readonly mode: 'separate' | 'auto' | 'ipv4' | 'ipv6'
      readonly mtu: number | null
      /** Base64; null: none. */
      readonly psk: string | null
      readonly keepaliveSec: number
    }

/** The key PREFIX/config, with its defaults filled in. Prefixes are canonical CIDRs, subnets canonical addresses. */
export interface StoreConfig {
  readonly ipv4: Range | null
  readonly ipv6: Range | null
  readonly backend: Backend
}

export interface Range {
  /** The whole network: 10.5.0.0/16. */
  readonly network: string
  readonly subnetLength: number
  /** First and last subnet that is given out, as addresses. */
  readonly subnetMin: string
  readonly subnetMax: string
}

/** One member's lease as the store has it. */
export interface Lease {
  /** The key without PREFIX/subnets/. */
  readonly key: string
  /** Canonical CIDRs: 10.5.34.0/24. */
  readonly subnet: string | null
  readonly subnet6: string | null
  readonly publicIp: string | null
  readonly publicIpv6: string | null
  /** As written; null: the udp back end writes none. */
  readonly backendType: string | null
  readonly vtepMac: string | null
  readonly vtepMac6: string | null
  /** Canonical base64. */
  readonly publicKey: string | null
  /** WireGuard's port; null: not written. */
  readonly wireguardPort: number | null
  readonly own: boolean
  /** Wall clock, ms; null: a reservation, which does not expire; undefined: not known, see Follower.expiries. */
  readonly expires: number | null | undefined
}

/** A lease that nobody is reached by, and why. */
export interface Ignored {
  readonly key: string
  /** What could be read of it. */
  readonly lease: Lease | null
  /** refused: it could be used, and our configuration forbids it. */
  readonly state: 'refused' | 'ignored'
  readonly reason: string
}

/** Everything at one moment. Replaced whole, never changed. */
export interface Membership {
  readonly config: StoreConfig
  readonly own: Lease
  /** Usable members, by key; own excluded. A lease object is the same as before when nothing in it changed. */
  readonly members: ReadonlyMap<string, Lease>
  readonly ignored: readonly Ignored[]
}

/** What we write into our lease. */
export interface Identity {
  readonly node: string
  readonly publicIp: string | null
  readonly publicIpv6: string | null
  /** By family of the underlay; the tun device has none of its own, so these are made up, and stay. */
  readonly vtepMac: string
  readonly vtepMac6: string
  /** null: no private key. */
  readonly publicKey: string | null
  readonly wireguardPort: number
  /** A secure network publishes its key, and refuses members without one. */
  readonly secure: boolean
}

export interface FollowerEvents {
  /** Whenever it differs, first when our lease is held and the first full list is read. */
  change: [Membership]
  /** Before a lease is written: its whole key. */
  claim: [string]
  /** The store is away, or what it says is no use: all that is wrong now, and what of it was not said since `well`. */
  trouble: [text: string, news: readonly string[]]
  /** It is over. */
  well: []
}

/** Follows one network in the store. In trouble what was last known goes on. */
export interface Follower extends EventEmitter<FollowerEvents> {
  start(): void
  /** Tells this run of the agent from all others, in what it writes. */
  readonly instance: string
  /** Addresses or key of ours changed: the lease keeps its subnet. */
  setIdentity(identity: Identity): void
  readonly current: Membership | null
  /** Resolves to true once the store has our lease as `setIdentity` said last; to false after `ms`, and when it stops. */
  published(ms: number): Promise<boolean>
  /** When leases expire, wall clock, by key: asked of the store one by one, for people. Those it does not tell are left out. */
  expiries(keys: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Ends the watch; the lease stays, as flanneld leaves it. `release`: it is given back, unless reserved. Resolves to whether it was. */
  stop(release: boolean): Promise<boolean>
}
