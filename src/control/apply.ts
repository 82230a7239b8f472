// Desired state → differences → calls: what a configuration asks of devices, sockets and the data thread's tables. One change
// at a time (the agent sees to it). A network whose VNI, device, interface, port, namespace changed is taken down and made
// anew; everything else changes live, and networks that are the same are not touched. Cold.
import { isIP, isIPv6 } from 'node:net'
import { type Counters, MAX_NETWORKS, VTEP_MTU } from '../counters.ts'
import type { Far, Mailbox } from '../datapath/mailbox.ts'
import { NONE } from '../drop.ts'
import { aeadEngine, pathMtu } from '../host/addon.ts'
import * as sockaddr from '../host/sockaddr.ts'
import * as cidr from './cidr.ts'
import { refuseUnderlay } from './config/error.ts'
import type { Config, NetworkConfig, PeerConfig } from './config/model.ts'
import { far, farBehind, farGroup, macBytes, words } from './far.ts'
import { hashedMac } from './mac.ts'
import { Members } from './members.ts'
import type { PlacedPeer } from './placed-peer.ts'
import { Refusal } from './refusal.ts'
import type { Resolver } from './resolve.ts'
import { settingsOf } from './settings.ts'
import { Sockets } from './sockets.ts'
import { placeTunnelled, tunnelledPeers } from './tunnelled.ts'
import type { TunnelControl } from './tunnels.ts'
import { defaultMtu, NetworkDevice, overhead } from './upkeep/device.ts'
import { Groups } from './upkeep/group.ts'
import { OutsideRoutes } from './upkeep/outside-routes.ts'
import type { LocalAddress } from './upkeep/underlay.ts'

const ETHERNET_MTU = 1500

export interface Running {
  config: NetworkConfig
  readonly id: number
  readonly device: NetworkDevice
  placed: PlacedPeer[]
  /** The configuration binds stations to its peers. */
  bound: boolean
  /** Of a network whose members come from the store: they, in place of `placed`. */
  readonly members: Members | null
  /** Of a plain network: the sockets that it sends by, true: those of IPv6. */
  pools: ReadonlyMap<boolean, number>
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
  said(line: string): void
}

export class Overlay {
  readonly running = new Map<string, Running>()
  readonly sockets: Sockets
  readonly tunnels: TunnelControl
  readonly outside: OutsideRoutes
  private readonly mailbox: Mailbox
  private readonly counters: Counters
  private readonly resolver: Resolver
  private readonly leaveDown: boolean
  private underlay: readonly LocalAddress[] = []
  private config: Config | null = null
  /** By network: the members that the store gives it. */
  private readonly stored = new Map<string, ReadonlyMap<string, PeerConfig>>()
  private visiting = false
  private readonly groups = new Groups()

  constructor(parts: OverlayParts, offloads: Config['offloads']) {
    this.mailbox = parts.mailbox
    this.counters = parts.counters
    this.resolver = parts.resolver
    this.tunnels = parts.tunnels
    this.leaveDown = parts.leaveDown ?? false
    this.sockets = new Sockets(parts.mailbox, offloads)
    this.outside = new OutsideRoutes({ running: this.running, addressOf: (p) => this.addressOf(p), said: parts.said })
  }

  /** Makes the host and the tables what `config` says. When it throws, call it again with the configuration before. */
  async apply(config: Config, underlay: readonly LocalAddress[]): Promise<void> {
    refuseUnderlay(config, underlay)
    this.underlay = underlay
    this.config = config
    for (const name of this.stored.keys()) if (!config.networks.some((n) => n.name === name)) this.stored.delete(name)
    const stays = (r: Running): boolean =>
      (r.members !== null) === this.stored.has(r.config.name) && config.networks.some((n) => sameIdentity(n, r.config))
    const gone = [...this.running.values()].filter((r) => !stays(r))
    for (const r of gone) await this.remove(r)
    this.sockets.begin()
    await this.openTunnels(config)
    await this.sockets.receive(underlay, config.networks)
    await this.groups.join(config, underlay, (place, port) => this.sockets.receiveGroup(place, port))
    for (const n of config.networks) {
      const r = this.running.get(n.name)
      if (r) await this.change(r, n)
      else await this.add(n)
    }
    for (const r of this.running.values()) await this.placePeers(r)
    this.outside.follow(Date.now())
    await this.tunnels.retain(tunnelled(config))
    await this.sockets.retain()
    // Last of all, so that the first frame, and what has come in meanwhile, finds everything in place.
    for (const r of this.running.values()) {
      if (r.started) continue
      if (!this.leaveDown) r.device.start(Date.now())
      r.started = true
    }
    await this.sockets.hear()
  }

  /**
   * A network of `apply` whose peers are these, and none of the configuration's; said before `apply` has it, or later. True:
   * something is under way, and the same should be said again soon.
   */
  async setMembers(network: string, members: ReadonlyMap<string, PeerConfig>): Promise<boolean> {
    this.stored.set(network, members)
    const r = this.running.get(network)
    if (r?.members) await this.placeMembers(r, r.members, false)
    return r?.members?.rolling === true
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

  /** Of a member that the store gave the network. */
  isPlaced(network: string, peer: string): boolean {
    return this.running.get(network)?.members?.isPlaced(peer) ?? false
  }

  /** Who has this VTEP id. */
  placedAt(vtep: number): PlacedPeer | undefined {
    for (const r of this.running.values()) {
      const found = r.members ? r.members.at(vtep) : r.placed.find((p) => p.vtep === vtep)
      if (found) return found
    }
    return undefined
  }

  /** The peer of a secure network that the data thread knows by these words. */
  nameOf(r: Running, words: readonly number[]): string | null {
    if (r.config.security !== 'secure') return null
    return placedIn(r).find((p) => this.tunnels.tunnel(p.peer.publicKey!) === words[3])?.peer.name ?? null
  }

  /** After names have new addresses. */
  async replacePeers(): Promise<void> {
    await this.tunnels.want(tunnelled(this.config!), this.config!.underlay.wireguardPort)
    for (const r of this.running.values()) await this.placePeers(r)
    this.outside.follow(Date.now())
  }

  /** A visit (TunnelControl.beginVisit) needs WireGuard's port, whether a network does or not; or no longer. */
  async setVisiting(visiting: boolean): Promise<void> {
    this.visiting = visiting
    const config = this.config!
    if (config.networks.some((n) => n.security === 'secure')) return
    if (visiting) await this.openWireguard(config).then(() => this.sockets.hear())
    else await this.apply(config, this.underlay)
  }

  /** The device's MTU, MAC or fd changed: tells the data thread. */
  async deviceChanged(r: Running): Promise<void> {
    const { fd, tcp, udp, mtu, pad } = r.device.state
    await this.mailbox.ask({ kind: 'set-device', id: r.id, fd, layer2: r.config.device === 'tap', tcp, udp, mtu, pad })
    await this.mailbox.ask({ kind: 'set-network', id: r.id, settings: this.settings(r) })
  }

  /** Asks the kernel for every peer's path MTU again; tells the data thread what changed. */
  async refreshMtus(): Promise<void> {
    for (const r of this.running.values()) {
      for (const p of placedIn(r)) {
        // Tunnels ask for themselves.
        if (p.vtep < 0 || p.address === null) continue
        const mtu = pathMtu(sockaddr.pack(p.address, p.port))
        if (mtu > 0 && mtu !== this.counters.vtep(p.vtep, VTEP_MTU))
          await this.mailbox.ask({ kind: 'set-mtu', vtep: p.vtep, mtu })
      }
    }
  }

  /** Links have changed: the interfaces of multicast groups may be others. */
  async followGroups(): Promise<void> {
    if (await this.groups.follow(this.mailbox)) await this.apply(this.config!, this.underlay)
  }

  /** Takes every network down. Sockets stay until the data thread has ended. */
  async removeAll(): Promise<void> {
    this.outside.close()
    for (const r of [...this.running.values()]) await this.remove(r)
  }

  private async add(n: NetworkConfig): Promise<void> {
    const id = this.freeId()
    const device = NetworkDevice.open(n, this.config!.offloads, this.defaultMac(n), this.mtuFor(n))
    const members = this.stored.has(n.name) ? this.membersOf(n.name) : null
    const r: Running = { config: n, id, device, placed: [], bound: false, members, pools: new Map(), started: false }
    try {
      const layer2 = n.device === 'tap'
      const port = n.security === 'secure' ? 0 : n.port
      const vni = n.bare ? NONE : n.vni
      await this.mailbox.ask({ kind: 'add-network', id, vni, layer2, port, settings: this.settings(r) })
      await this.deviceChanged(r)
      this.running.set(n.name, r)
    } catch (error) {
      device.close()
      throw error
    }
  }

  private settings(r: Running): ReturnType<typeof settingsOf> {
    return settingsOf(r.config, r.device.state.mac, this.groups.of(r.config.name)?.number ?? 0)
  }

  private async change(r: Running, next: NetworkConfig): Promise<void> {
    r.device.change(next, this.mtuFor(next))
    r.config = next
    await this.deviceChanged(r)
  }

  private async remove(r: Running): Promise<void> {
    await this.mailbox.ask({ kind: 'remove-device', id: r.id })
    await this.mailbox.ask({ kind: 'remove-network', id: r.id })
    await r.members?.close()
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
    const stock = config.networks.flatMap((n) => n.stockPort ?? [])
    const pools = await this.sockets.wireguard(config.underlay.wireguardPort, stock)
    await this.mailbox.ask({ kind: 'set-tunnel-pools', ...pools })
  }

  private async placePeers(r: Running): Promise<void> {
    if (r.members) return this.placeMembers(r, r.members, true)
    const own = peersOf(this.config!, r.config)
    const tunnel = (key: string): number => this.tunnels.tunnel(key)
    const isBound = r.config.fdb.length > 0
    // Static stations name peers by their places in the whole list.
    if (r.config.security === 'secure' && !isBound && !r.bound) {
      r.placed = await placeTunnelled(r, r.placed, own, { mailbox: this.mailbox, tunnel })
      return
    }
    const { placed, peers } =
      r.config.security === 'secure' ? tunnelledPeers(r.config, own, tunnel) : await this.plainPeers(r, own)
    const statics = r.config.fdb.flatMap((f) => {
      const k = placed.findIndex((p) => p.peer.name === f.vtep || p.address === f.vtep)
      const addresses = f.addresses.map((text) => words(cidr.parseAddress(text)!))
      return k < 0 ? [] : [{ mac: macBytes(f.mac), peer: k, addresses }]
    })
    // Its group stands behind the peers.
    const group = peers.length > placed.length ? placed.length : undefined
    const ids = await this.mailbox.ask<number[]>({ kind: 'set-peers', id: r.id, peers, statics, group })
    if (group !== undefined) this.groups.placed(r.config.name, ids[group])
    for (let k = 0; k < placed.length; k++) placed[k]!.vtep = ids[k]!
    r.placed = placed
    r.bound = isBound
  }

  private async placeMembers(r: Running, members: Members, all: boolean): Promise<void> {
    const wanted = this.stored.get(r.config.name) ?? new Map()
    if (all && r.config.security === 'plain') await this.poolsOf(r)
    const changed = await members.apply(r.id, r.config, wanted, { all, now: performance.now() })
    if (!changed && !all) return
    // The store's subnets cover no end of a tunnel: src/control/flannel/desired.ts.
    members.route(r.device, r.config, all, Date.now())
  }

  private membersOf(network: string): Members {
    return new Members({
      mailbox: this.mailbox,
      far: async (peer) => {
        const r = this.running.get(network)!
        if (r.config.security === 'secure') {
          const tunnel = await this.tunnels.hold(peer, this.config!.underlay.wireguardPort)
          return tunnel === NONE ? null : { far: farBehind(tunnel, peer, r.config), address: null, port: 0 }
        }
        const { host: address, port } = peer.endpoint!
        const pool = r.pools.get(isIPv6(address))
        const at = port ?? r.config.port
        return pool === undefined ? null : { far: far(peer, r.config, address, at, pool), address, port: at }
      },
      release: (key) => this.tunnels.release(key),
      // Whatever is said, a session has to be there first.
      call: (key) => this.tunnels.tell(key, new Uint8Array(0)),
      isUp: (key) => this.tunnels.session(key)?.state === 'up',
    })
  }

  private async plainPeers(r: Running, own: readonly PeerConfig[]): Promise<{ placed: PlacedPeer[]; peers: Far[] }> {
    const pools = await this.poolsOf(r)
    const placed: PlacedPeer[] = []
    const peers: Far[] = []
    for (const peer of own) {
      const address = peer.endpoint && this.resolver.address(peer.endpoint.host)
      if (!address) continue
      const pool = pools.get(isIPv6(address))
      if (pool === undefined) continue
      // Beside a publicKey the endpoint's port is WireGuard's.
      const port = (peer.publicKey === null ? peer.endpoint?.port : null) ?? r.config.port
      placed.push({ peer, address, port, vtep: -1 })
      peers.push(far(peer, r.config, address, port, pool))
    }
    const group = this.groups.of(r.config.name)
    if (group) peers.push(farGroup(group, r.config.port, pools.get(group.v6)!))
    return { placed, peers }
  }

  // By which sockets the network sends, by family; peers and strangers alike.
  private async poolsOf(r: Running): Promise<ReadonlyMap<boolean, number>> {
    const pools = new Map<boolean, number>()
    const group = this.groups.of(r.config.name)
    for (const l of this.underlay) {
      pools.set(l.v6, await this.sockets.pool(l, r.config, group?.v6 === l.v6 ? group : null))
    }
    await this.mailbox.ask({
      kind: 'set-strangers',
      id: r.id,
      port: r.config.port,
      pool4: pools.get(false) ?? -1,
      pool6: pools.get(true) ?? -1,
    })
    r.pools = pools
    return pools
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
    const group = this.groups.of(n.name)
    const mtu = Math.min(this.underlayMtu(), group?.mtu ?? Number.POSITIVE_INFINITY)
    return defaultMtu(mtu, overhead(n, v6 || group?.v6 === true))
  }

  // Locally administered, the same after every restart: hashed from the VNI and our public key, or without one from node name
  // and underlay address.
  private defaultMac(n: NetworkConfig): string {
    const { node, publicKey } = this.config!
    const who = publicKey ?? `${node} ${this.underlay[0]?.address ?? n.interface}`
    return hashedMac(`${n.vni} ${who}`)
  }
}

// Peers that speak through a tunnel: those with a place in a secure network.
function tunnelled(config: Config): PeerConfig[] {
  const secure = new Set(config.networks.filter((n) => n.security === 'secure').map((n) => n.name))
  return config.peers.filter((p) => p.publicKey !== null && p.networks.some((n) => secure.has(n.network)))
}

function peersOf(config: Config, n: NetworkConfig): PeerConfig[] {
  return config.peers.filter((p) => p.networks.some((x) => x.network === n.name))
}

/** Of a running network, wherever they come from. */
export function placedIn(r: Running): readonly PlacedPeer[] {
  return r.members ? [...r.members.all()] : r.placed
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
    a.netns === b.netns &&
    a.bare === b.bare
  )
}
