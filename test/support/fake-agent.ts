// An AgentApi without devices, for what stands in front of the agent: the socket, the metrics, the commands. It answers from
// plain fields and notes what it was asked.
import {
  type AgentApi,
  ApiError,
  type FdbEntry,
  type Found,
  type LeaseRow,
  type NeighbourEntry,
  type NetworkStatus,
  type Profile,
  type RouteEntry,
  type Status,
} from '../../src/control/api/api.ts'
import { Metrics } from '../../src/control/api/metrics.ts'
import { fileHeader, LINKTYPE_ETHERNET } from '../../src/control/api/pcap.ts'
import type { Invited, InviteRequest } from '../../src/control/join/invite.ts'
import type { Joined, JoinRequest } from '../../src/control/join/join.ts'

/** Seconds since the epoch, as the fake's clock has them. */
export const EPOCH = 1_700_000_000

export const NETWORK: NetworkStatus = {
  name: 'blue',
  vni: 42,
  device: 'tap',
  interface: 'vt42',
  mac: '02:00:5e:10:00:01',
  mtu: 1450,
  security: 'plain',
  address: ['10.42.0.1/24', 'fd00:42::1/64'],
  ports: 0,
  fdbEntries: 2,
  rxPackets: 1234,
  rxBytes: 1_500_000,
  txPackets: 7,
  txBytes: 700,
  floodedPackets: 3,
}

export const STATUS: Status = {
  schema: 1,
  node: 'host-a',
  version: '0.1.0',
  pid: 4711,
  uptimeSeconds: 3725,
  ready: true,
  networks: [NETWORK, { ...NETWORK, name: 'red', vni: 43, interface: 'vt43', rxPackets: 0, rxBytes: 0 }],
  peers: [
    {
      name: 'host-b',
      endpoint: '198.18.0.2:4789',
      security: 'plain',
      publicKey: null,
      networks: ['blue', 'red'],
      mtu: 1500,
      lastHandshakeSeconds: null,
      rxBytes: 1_500_000,
      txBytes: 700,
      state: 'static',
    },
  ],
  drops: { truncated: 0, 'too-big': 5, 'split-horizon': 12 },
  offloads: { tso: 'on', uso: 'off: the kernel lacks it', udpGso: 'on', udpGro: 'on' },
  undesired: [],
  firewall: { kind: 'nftables', repairs: 0 },
  repairs: [{ network: 'blue', vni: 42, reason: 'route', count: 3 }],
}

export const ENTRY: FdbEntry = {
  network: 'blue',
  vni: 42,
  mac: '02:00:00:00:00:09',
  vtep: '198.18.0.2',
  peer: 'host-b',
  port: null,
  origin: 'learned',
  ageSeconds: 75,
}

export const LEASE: LeaseRow = {
  network: 'pods',
  subnet: '10.42.34.0/24',
  subnet6: null,
  publicIp: '198.18.0.2',
  publicIpv6: null,
  backend: 'vxlan',
  vtepMac: '02:00:00:00:00:02',
  publicKey: null,
  own: false,
  expiresSeconds: 86_000,
  state: 'refused',
  reason: 'it has no PublicKey, and the network is secure',
}

export const NEIGHBOUR: NeighbourEntry = {
  network: 'blue',
  ip: '10.42.0.9',
  mac: '02:00:00:00:00:09',
  origin: 'learned',
  ageSeconds: 75,
}

export const INVITED: Invited = {
  token: 'vtepd1-AAAA',
  name: 'host-b',
  network: 'blue',
  vni: 42,
  address: ['10.42.0.1/24'],
  expires: EPOCH + 3600,
  endpoints: ['198.18.0.1:51820'],
  files: [],
}

export const JOINED: Joined = {
  name: 'host-b',
  network: 'blue',
  vni: 42,
  interface: 'vt42',
  address: ['10.42.0.2/24'],
  host: 'host-a',
  peers: ['host-a'],
  untold: [],
  files: ['/etc/vtepd/conf.d/host-b.yaml'],
}

export const ROUTE: RouteEntry = {
  network: 'blue',
  prefix: '10.42.7.0/24',
  peer: 'host-b',
  via: '198.18.0.2',
  interface: 'vt42',
  origin: 'static',
  installed: true,
}

/** What is known of 10.42.7.9, and of nothing else. */
export const FOUND: Found = {
  kind: 'route',
  network: 'blue',
  vni: 42,
  device: 'vt42',
  vtep: '198.18.0.2',
  peer: 'host-b',
  mac: null,
  ip: '10.42.7.9',
  prefix: '10.42.7.0/24',
  via: '198.18.0.2',
  bridge: null,
  vethPeer: null,
  netns: null,
  ageSeconds: null,
  origin: 'static',
}

export class FakeAgent implements AgentApi {
  /** Every call that changes something, in order. */
  readonly asked: string[] = []
  state: Status = STATUS
  entries: FdbEntry[] = [ENTRY]
  prefixes: RouteEntry[] = [ROUTE]
  isReady = true
  /** What the next change throws. */
  refusal: Error | null = null
  /** Called when `stop` is. */
  onStop = (): void => {}
  /** Where captured bytes go; one for each capture that runs. */
  readonly sinks = new Set<(chunk: Uint8Array) => void>()

  status(): Status {
    return this.state
  }

  async fdb(network?: string): Promise<FdbEntry[]> {
    this.find(network)
    return this.entries.filter((entry) => network === undefined || entry.network === network)
  }

  async leases(network?: string): Promise<LeaseRow[]> {
    this.change(`leases ${network ?? 'all'}`)
    return [LEASE]
  }

  async neighbours(network?: string): Promise<NeighbourEntry[]> {
    this.find(network)
    return [NEIGHBOUR].filter((entry) => network === undefined || entry.network === network)
  }

  async fdbAdd(network: string, mac: string, vtep: string): Promise<void> {
    this.change(`add ${network} ${mac} ${vtep}`)
  }

  async fdbDel(network: string, mac: string): Promise<void> {
    this.change(`del ${network} ${mac}`)
  }

  routes(network?: string): RouteEntry[] {
    this.find(network)
    return this.prefixes.filter((r) => network === undefined || r.network === network)
  }

  async where(what: string): Promise<Found[]> {
    return what === FOUND.ip ? [FOUND] : []
  }

  async reload(): Promise<void> {
    this.change('reload')
  }

  async invite(request: InviteRequest): Promise<Invited> {
    this.change(`invite ${JSON.stringify(request)}`)
    return INVITED
  }

  async join(request: JoinRequest): Promise<Joined> {
    this.change(`join ${JSON.stringify(request)}`)
    return JOINED
  }

  stop(): void {
    this.asked.push('stop')
    this.onStop()
  }

  capture(network: string | undefined, sink: (chunk: Uint8Array) => void): () => void {
    this.find(network)
    sink(fileHeader(LINKTYPE_ETHERNET))
    this.sinks.add(sink)
    return () => this.sinks.delete(sink)
  }

  metrics(): Promise<string> {
    return new Metrics().text(this.state, () => EPOCH)
  }

  ready(): boolean {
    return this.isReady
  }

  profile(): Profile {
    return { dataThreadCpuNs: 1, nativeCpuNs: 2, processCpuNs: 3 }
  }

  private find(network: string | undefined): void {
    if (network === undefined || this.state.networks.some((n) => n.name === network)) return
    throw new ApiError(404, `network: there is no "${network}"`)
  }

  private change(what: string): void {
    this.asked.push(what)
    if (this.refusal) throw this.refusal
  }
}
