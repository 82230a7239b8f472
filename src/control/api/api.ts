// The shapes that cross the agent's socket, and what the agent offers behind it. docs/command-line.md describes the JSON.

import type { Security } from '../config/model.ts'
import type { Invited, InviteRequest } from '../join/invite.ts'
import type { Joined, JoinRequest } from '../join/join.ts'
import type { RepairCount } from '../upkeep/repairs.ts'

export interface NetworkStatus {
  name: string
  vni: number
  /** null, as the interface: the back end is routes of the host alone, and nothing is counted here. */
  device: 'tap' | 'tun' | null
  interface: string | null
  mac: string | null
  mtu: number
  security: Security
  address: string[]
  /** Number of attachments. */
  ports: number
  fdbEntries: number
  rxPackets: number
  rxBytes: number
  txPackets: number
  txBytes: number
  floodedPackets: number
}

export interface PeerStatus {
  name: string
  endpoint: string | null
  security: Security
  publicKey: string | null
  networks: string[]
  mtu: number | null
  lastHandshakeSeconds: number | null
  rxBytes: number
  txBytes: number
  /** static: plain, so that nothing is known of it · idle: no session · handshaking: one is asked for · up: there is one. */
  state: 'static' | 'idle' | 'handshaking' | 'up'
}

export interface Undesired {
  what: string
  where: string
  want: string
  have: string
  /** Seconds since the epoch. */
  since: number
}

export interface FirewallStatus {
  /** Who has the host's rules. none: nobody, since they are not needed or cannot be. */
  kind: 'nftables' | 'iptables' | 'iptables-legacy' | 'none' | 'off'
  /** How often they were put back. */
  repairs: number
}

export interface Status {
  schema: 1
  node: string
  version: string
  pid: number
  uptimeSeconds: number
  ready: boolean
  networks: NetworkStatus[]
  peers: PeerStatus[]
  drops: Record<string, number>
  /** tso, uso, udpGso, udpGro: 'on', 'off', or 'off: <why>'. */
  offloads: Record<string, string>
  undesired: Undesired[]
  firewall: FirewallStatus
  /** What was put back on the host since the agent started. */
  repairs: RepairCount[]
}

export interface FdbEntry {
  network: string
  vni: number
  mac: string
  vtep: string
  peer: string | null
  port: string | null
  origin: 'learned' | 'static' | 'control' | 'local'
  ageSeconds: number
}

/** A member of a flannel network as the store has it, and what became of it here. */
export interface LeaseRow {
  network: string
  subnet: string | null
  subnet6: string | null
  publicIp: string | null
  publicIpv6: string | null
  backend: string | null
  vtepMac: string | null
  publicKey: string | null
  own: boolean
  /** null: a reservation, which does not expire; or the store does not say. */
  expiresSeconds: number | null
  state: 'programmed' | 'refused' | 'ignored'
  /** When it is not programmed. */
  reason?: string
}

export interface NeighbourEntry {
  network: string
  ip: string
  mac: string
  /** local: it is on our own side. */
  origin: 'local' | 'learned' | 'control' | 'static'
  ageSeconds: number
}

/** Where packets to a prefix go. */
export interface RouteEntry {
  network: string
  prefix: string
  peer: string | null
  /** The peer's underlay address, or of a direct route the gateway; null: not known yet. */
  via: string | null
  /** By which they leave the host. */
  interface: string
  origin: 'static' | 'control'
  /** Whether the host has our route; null: it needs none, the device's own prefix holds it. */
  installed: boolean | null
}

/** One thing that is known of what was asked for. What does not apply is null. */
export interface Found {
  kind: 'device' | 'vtep' | 'station' | 'peer' | 'route' | 'neighbour' | 'port' | 'interface' | 'kernel-route'
  network: string | null
  vni: number | null
  device: string | null
  vtep: string | null
  peer: string | null
  mac: string | null
  ip: string | null
  prefix: string | null
  /** Next hop. */
  via: string | null
  bridge: string | null
  vethPeer: string | null
  /** Of the device, or of a veth's other end; null: the agent's own. */
  netns: string | null
  ageSeconds: number | null
  /** learned: from frames · static: configured · control · local: ours · kernel: the host's links and neighbours · route: its routes. */
  origin: FdbEntry['origin'] | 'kernel' | 'route'
}

export interface Profile {
  /** Of the data thread; inside its native calls (counted with VTEPD_PROFILE=1 only); of the whole process. */
  dataThreadCpuNs: number
  nativeCpuNs: number
  processCpuNs: number
}

/** An answer that is not 200: `status` is HTTP's, `message` says where and how to mend it; `faults` lists all of a file. */
export class ApiError extends Error {
  readonly status: number
  readonly faults: readonly string[]
  constructor(status: number, message: string, faults: readonly string[] = []) {
    super(message)
    this.status = status
    this.faults = faults
  }
}

/** What stands behind the socket; the agent implements it. Rejects with ApiError for the caller's mistakes. */
export interface AgentApi {
  status(): Status
  fdb(network?: string): Promise<FdbEntry[]>
  neighbours(network?: string): Promise<NeighbourEntry[]>
  fdbAdd(network: string, mac: string, vtep: string): Promise<void>
  fdbDel(network: string, mac: string): Promise<void>
  leases(network?: string): Promise<LeaseRow[]>
  routes(network?: string): RouteEntry[]
  where(what: string): Promise<Found[]>
  reload(): Promise<void>
  /** A token for another host. */
  invite(request: InviteRequest): Promise<Invited>
  /** Becomes a member of the network that a token invites to. */
  join(request: JoinRequest): Promise<Joined>
  /** Begins the end; resolves at once. `release`: what the store leased to us is given back. */
  stop(release?: boolean): void
  /** Calls `sink` with pcap bytes (header first) until the returned function is called. network undefined: all. */
  capture(network: string | undefined, sink: (chunk: Uint8Array) => void): () => void
  /** Prometheus text. */
  metrics(): Promise<string>
  ready(): boolean
  /** CPU time in nanoseconds, for `npm run bench`. */
  profile(): Profile
}
