// Desired state → differences → calls: what a configuration asks of devices, sockets and the data thread's tables. One change
// at a time (the agent sees to it). A network whose VNI, device, interface, port, namespace changed is taken down and made
// anew; everything else changes live, and networks that are the same are not touched. Cold.
import { createHash } from 'node:crypto'
import { isIP, isIPv6 } from 'node:net'
import { ADDR_LEN } from '../batch.ts'
import { type Counters, MAX_NETWORKS, VTEP_MTU } from '../counters.ts'
import type { Far, Mailbox, Settings } from '../datapath/mailbox.ts'
import { aeadEngine, pathMtu } from '../host/addon.ts'
import * as sockaddr from '../host/sockaddr.ts'
import { ANY, CIDRS, PEERS } from '../overlay/networks.ts'
import { keyWords } from '../overlay/vteps.ts'
import * as cidr from './cidr.ts'
import { ConfigError, underlayFaults } from './config.ts'
import { defaultMtu, NetworkDevice, overhead } from './device.ts'
import type { Config, NetworkConfig, PeerConfig } from './model.ts'
import { Refusal } from './refusal.ts'
import type { Resolver } from './resolve.ts'
import { Sockets } from './sockets.ts'
import type { TunnelControl } from './tunnels.ts'
import type { LocalAddress } from './underlay.ts'

const ETHERNET_MTU = 1500

/** A peer's place in a network as the data thread has it. */
export interface PlacedPeer {
  readonly peer: PeerConfig
  /** Of a plain network: where it is. Of a secure one null: src/control/tunnels knows, and it may move. */
  readonly address: string | null
  readonly port: number
  /** -1: the data thread had no room. */
  vtep: number
}

export interface Running {
  config: NetworkConfig
  readonly id: number
  readonly device: NetworkDevice
  placed: PlacedPeer[]
  /** The device has been brought up once; from then on up and down are the host's business. */
  started: boolean
}

export interface OverlayParts {
  readonly mailbox: Mailbox
  readonly counters: Counters
  readonly resolver: Resolver
  readonly tunnels: TunnelControl
  /** Devices are brought up by others. */
  readonly leaveDown?: boolean
}

export class Overlay {
  readonly running = new Map<string, Running>()
  readonly sockets: Sockets
  readonly tunnels: TunnelControl
  private readonly mailbox: Mailbox
  private readonly counters: Counters
  private readonly resolver: Resolver
  private readonly leaveDown: boolean
  private underlay: readonly LocalAddress[] = []
  private config: Config | null = null
  private visiting = false

  constructor(parts: OverlayParts, offloads: Config['offloads']) {
    this.mailbox = parts.mailbox
    this.counters = parts.counters
    this.resolver = parts.resolver
    this.tunnels = parts.tunnels
    this.leaveDown = parts.leaveDown ?? false
    this.sockets = new Sockets(parts.mailbox, offloads)
  }

  /** Makes the host and the tables what `config` says. When it throws, call it again with the configuration before. */
  async apply(config: Config, underlay: readonly LocalAddress[]): Promise<void> {
    refuseFaults(config, underlay)
    this.underlay = underlay
    this.config = config
    const gone = [...this.running.values()].filter((r) => !config.networks.some((n) => sameIdentity(n, r.config)))
    for (const r of gone) await this.remove(r)
    this.sockets.begin()
    await this.openTunnels(config)
    for (const n of config.networks) {
      if (n.security === 'secure') continue
      for (const l of underlay)
        await this.sockets.receive(l, n.port, this.sockets.withoutChecksum(n) && n.sourcePort === 'fixed')
    }
    for (const n of config.networks) {
      const r = this.running.get(n.name)
      if (r) await this.change(r, n)
      else await this.add(n)
    }
    for (const r of this.running.values()) await this.placePeers(r)
    await this.tunnels.retain(tunnelled(config))
    await this.sockets.retain()
    // Last of all, so that the first frame finds everything in place.
    for (const r of this.running.values()) {
      if (r.started) continue
      if (!this.leaveDown) r.device.start(Date.now())
      r.started = true
    }
  }

  /** Whether every peer of every network has an address and a place. */
  complete(): boolean {
    if (!this.config) return false
    for (const r of this.running.values()) {
      const want = peersOf(this.config, r.config).length
      if (r.placed.filter((p) => p.vtep >= 0).length !== want) return false
    }
    return true
  }

  /** Where a peer is, as far as is known: through a tunnel it may move. */
  addressOf(p: PlacedPeer): string | null {
    return p.address ?? (p.peer.publicKey === null ? null : (this.tunnels.place(p.peer.publicKey)?.address ?? null))
  }

  /** The peer of a secure network that the data thread knows by these words. */
  nameOf(r: Running, words: readonly number[]): string | null {
    if (r.config.security !== 'secure') return null
    return r.placed.find((p) => this.tunnels.tunnel(p.peer.publicKey!) === words[3])?.peer.name ?? null
  }

  /** After names have new addresses. */
  async replacePeers(): Promise<void> {
    await this.tunnels.want(tunnelled(this.config!), this.config!.underlay.wireguardPort)
    for (const r of this.running.values()) await this.placePeers(r)
  }

  /** A visit (TunnelControl.beginVisit) needs WireGuard's port, whether a network does or not; or no longer. */
  async setVisiting(visiting: boolean): Promise<void> {
    this.visiting = visiting
    const config = this.config!
    if (config.networks.some((n) => n.security === 'secure')) return
    if (visiting) await this.openWireguard(config)
    else await this.apply(config, this.underlay)
  }

  /** The device's MTU, MAC or fd changed: tells the data thread. */
  async deviceChanged(r: Running): Promise<void> {
    const { fd, tcp, udp, mtu, pad } = r.device.state
    await this.mailbox.ask({ kind: 'set-device', id: r.id, fd, layer2: r.config.device === 'tap', tcp, udp, mtu, pad })
    await this.mailbox.ask({ kind: 'set-network', id: r.id, settings: settings(r) })
  }

  /** Asks the kernel for every peer's path MTU again; tells the data thread what changed. */
  async refreshMtus(): Promise<void> {
    for (const r of this.running.values()) {
      for (const p of r.placed) {
        // Tunnels ask for themselves.
        if (p.vtep < 0 || p.address === null) continue
        const mtu = pathMtu(sockaddr.pack(p.address, p.port))
        if (mtu > 0 && mtu !== this.counters.vtep(p.vtep, VTEP_MTU))
          await this.mailbox.ask({ kind: 'set-mtu', vtep: p.vtep, mtu })
      }
    }
  }

  /** Takes every network down. Sockets stay until the data thread has ended. */
  async removeAll(): Promise<void> {
    for (const r of [...this.running.values()]) await this.remove(r)
  }

  private async add(n: NetworkConfig): Promise<void> {
    const id = this.freeId()
    const device = NetworkDevice.open(n, this.config!.offloads, this.defaultMac(n), this.mtuFor(n))
    const r: Running = { config: n, id, device, placed: [], started: false }
    try {
      const layer2 = n.device === 'tap'
      const port = n.security === 'secure' ? 0 : n.port
      await this.mailbox.ask({ kind: 'add-network', id, vni: n.vni, layer2, port, settings: settings(r) })
      await this.deviceChanged(r)
      this.running.set(n.name, r)
    } catch (error) {
      device.close()
      throw error
    }
  }

  private async change(r: Running, next: NetworkConfig): Promise<void> {
    r.device.change(next, this.mtuFor(next))
    r.config = next
    await this.deviceChanged(r)
  }

  private async remove(r: Running): Promise<void> {
    await this.mailbox.ask({ kind: 'remove-device', id: r.id })
    await this.mailbox.ask({ kind: 'remove-network', id: r.id })
    this.running.delete(r.config.name)
    r.device.close()
  }

  // Before any network that needs them.
  private async openTunnels(config: Config): Promise<void> {
    const { wireguardPort } = config.underlay
    await this.tunnels.setPrivateKey(config.privateKey)
    if (this.visiting || config.networks.some((n) => n.security === 'secure')) await this.openWireguard(config)
    await this.tunnels.want(tunnelled(config), wireguardPort)
  }

  private async openWireguard(config: Config): Promise<void> {
    if (aeadEngine() === null) {
      const why = 'this Node.js has no usable ChaCha20-Poly1305 (OpenSSL without it, or the self-test failed)'
      throw new Refusal(`networks: ${why}; use one from nodejs.org or Debian, or make the networks plain`, 1)
    }
    const pools = await this.sockets.wireguard(config.underlay.wireguardPort)
    await this.mailbox.ask({ kind: 'set-tunnel-pools', ...pools })
  }

  private async placePeers(r: Running): Promise<void> {
    const { placed, peers } = r.config.security === 'secure' ? this.tunnelledPeers(r) : await this.plainPeers(r)
    const statics = r.config.fdb.flatMap((f) => {
      const k = placed.findIndex((p) => p.peer.name === f.vtep || p.address === f.vtep)
      return k < 0 ? [] : [{ mac: macBytes(f.mac), peer: k }]
    })
    const ids = await this.mailbox.ask<number[]>({ kind: 'set-peers', id: r.id, peers, statics })
    for (let k = 0; k < placed.length; k++) placed[k]!.vtep = ids[k]!
    r.placed = placed
    r.device.setRoutes(r.config.device === 'tun' && r.config.routes ? this.routesOf(r) : [], Date.now())
  }

  private tunnelledPeers(r: Running): { placed: PlacedPeer[]; peers: Far[] } {
    const own = peersOf(this.config!, r.config)
    const placed = own.map((peer) => ({ peer, address: null, port: 0, vtep: -1 }))
    const peers = own.map((peer) => {
      const tunnel = this.tunnels.tunnel(peer.publicKey!)
      const nowhere = { sockaddr: new Uint8Array(ADDR_LEN), pool: -1, mtu: 0 }
      return { words: keyWords(tunnel), tunnel, ...nowhere, ...behind(peer, r.config) }
    })
    return { placed, peers }
  }

  private async plainPeers(r: Running): Promise<{ placed: PlacedPeer[]; peers: Far[] }> {
    const pools = new Map<boolean, number>()
    for (const l of this.underlay) pools.set(l.v6, await this.sockets.pool(l, r.config))
    await this.mailbox.ask({
      kind: 'set-strangers',
      id: r.id,
      port: r.config.port,
      pool4: pools.get(false) ?? -1,
      pool6: pools.get(true) ?? -1,
    })
    const placed: PlacedPeer[] = []
    const peers: Far[] = []
    for (const peer of peersOf(this.config!, r.config)) {
      const address = peer.endpoint && this.resolver.address(peer.endpoint.host)
      if (!address) continue
      const pool = pools.get(isIPv6(address))
      if (pool === undefined) continue
      // Beside a publicKey the endpoint's port is WireGuard's.
      const port = (peer.publicKey === null ? peer.endpoint?.port : null) ?? r.config.port
      placed.push({ peer, address, port, vtep: -1 })
      peers.push(far(peer, r.config, address, port, pool))
    }
    return { placed, peers }
  }

  /** What is not in the device's own prefixes, and covers no peer's endpoint: packets to it would go round in circles. */
  private routesOf(r: Running): string[] {
    const own = r.config.addresses.map((a) => cidr.network(cidr.parseCidr(a)!))
    const ends = r.placed.flatMap((p) => {
      const address = this.addressOf(p)
      return address === null ? [] : [cidr.parseAddress(address.split('%')[0]!)!]
    })
    return r.placed
      .flatMap((p) => p.peer.networks.filter((n) => n.network === r.config.name).flatMap((n) => n.allowedIps))
      .filter((text) => {
        const c = cidr.parseCidr(text)!
        return !own.some((o) => cidr.covers(o, c)) && !ends.some((e) => cidr.covers(c, e))
      })
  }

  private freeId(): number {
    const taken = new Set([...this.running.values()].map((r) => r.id))
    for (let id = 0; id < MAX_NETWORKS; id++) if (!taken.has(id)) return id
    throw new Refusal(`networks: at most ${MAX_NETWORKS} in one agent`, 2)
  }

  /** The smallest MTU of the underlay's interfaces, bytes. Nobody names one where all is sealed: then Ethernet's. */
  underlayMtu(): number {
    return Math.min(
      ...this.underlay.map((l) => l.mtu),
      this.underlay.length > 0 ? Number.POSITIVE_INFINITY : ETHERNET_MTU,
    )
  }

  /** What the underlay leaves for the network's device; the larger overhead when any end may be IPv6. */
  private mtuFor(n: NetworkConfig): number {
    const ends = peersOf(this.config!, n).flatMap((p) => p.endpoint?.host ?? [])
    const v6 =
      ends.some((h) => isIP(h) !== 4) ||
      this.config!.underlay.addresses.some((a) => isIPv6(a)) ||
      (this.underlay.length > 0 && this.underlay.every((l) => l.v6))
    return defaultMtu(this.underlayMtu(), overhead(n, v6))
  }

  // Locally administered, the same after every restart: hashed from the VNI and our public key, or without one from node name
  // and underlay address.
  private defaultMac(n: NetworkConfig): string {
    const { node, publicKey } = this.config!
    const who = publicKey ?? `${node} ${this.underlay[0]?.address ?? n.interface}`
    const hash = createHash('sha256').update(`${n.vni} ${who}`).digest()
    const first = (hash[0]! & 0xfc) | 2
    return [first, ...hash.subarray(1, 6)].map((b) => b.toString(16).padStart(2, '0')).join(':')
  }
}

function settings(r: Running): Settings {
  const n = r.config
  return {
    mac: macBytes(r.device.state.mac),
    learning: n.learning,
    ageing: n.ageingSec * 1000,
    macLimit: n.macLimit,
    floodOn: n.flood !== 'off',
    accept: n.accept === 'peers' ? PEERS : n.accept === 'any' ? ANY : CIDRS,
    ranges: typeof n.accept === 'string' ? [] : n.accept.map((text) => range(text)),
    keepVlan: n.innerVlan === 'keep',
    copyEcn: n.ecn === 'copy',
    dscp: n.dscp === 'inherit' ? -1 : n.dscp << 2,
    hashPort: n.sourcePort === 'hash',
    sourceCheck: n.sourceCheck,
    mssClamp: n.mssClamp,
  }
}

function far(peer: PeerConfig, n: NetworkConfig, address: string, port: number, pool: number): Far {
  const packed = sockaddr.pack(address, port)
  const mtu = Math.max(0, pathMtu(packed))
  return { words: words(cidr.parseAddress(address)!), tunnel: -1, sockaddr: packed, pool, mtu, ...behind(peer, n) }
}

// The peer's MAC and prefixes in a network.
function behind(peer: PeerConfig, n: NetworkConfig): Pick<Far, 'mac' | 'prefixes'> {
  const place = peer.networks.find((p) => p.network === n.name)!
  return {
    mac: place.mac === null ? null : macBytes(place.mac),
    prefixes: place.allowedIps.map((text) => {
      const c = cidr.parseCidr(text)!
      return { words: prefixWords(c), v6: c.v6, length: c.length }
    }),
  }
}

// Peers that speak through a tunnel: those with a place in a secure network.
function tunnelled(config: Config): PeerConfig[] {
  const secure = new Set(config.networks.filter((n) => n.security === 'secure').map((n) => n.name))
  return config.peers.filter((p) => p.publicKey !== null && p.networks.some((n) => secure.has(n.network)))
}

function refuseFaults(config: Config, underlay: readonly LocalAddress[]): void {
  const faults = underlayFaults(
    config,
    underlay.map((l) => l.address),
  )
  if (faults.length > 0) throw new ConfigError('configuration', faults)
}

function peersOf(config: Config, n: NetworkConfig): PeerConfig[] {
  return config.peers.filter((p) => p.networks.some((x) => x.network === n.name))
}

/** What a running network cannot change without being made anew. */
function sameIdentity(a: NetworkConfig, b: NetworkConfig): boolean {
  return (
    a.name === b.name &&
    a.vni === b.vni &&
    a.device === b.device &&
    a.interface === b.interface &&
    a.security === b.security &&
    (a.security === 'secure' || a.port === b.port) &&
    a.netns === b.netns
  )
}

/** Six bytes of `02:00:…`. */
export function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16))
}

/** An address as four big-endian words, IPv4 mapped into IPv6. */
export function words(c: cidr.Cidr): number[] {
  const value = c.v6 ? c.value : (0xffffn << 32n) | c.value
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn) | 0)
}

function range(text: string): { words: number[]; length: number } {
  const c = cidr.parsePrefix(text)!
  return { words: words(cidr.network(c)), length: c.v6 ? c.length : c.length + 96 }
}

// Layer 3 prefixes: IPv4 in the first word.
function prefixWords(c: cidr.Cidr): number[] {
  return c.v6 ? words(c) : [Number(c.value) | 0, 0, 0, 0]
}
