// The agent as wg(8) sees it: a socket for each secure network, named after its interface, that shows its peers and takes
// changes. Key, port and mark are the agent's and change for all of its networks; what is changed here lasts until the next
// reload, or stop. Cold.
import type { Config, NetworkConfig, PeerConfig } from '../config/model.ts'
import { Secret } from '../secret.ts'
import { Turns } from '../turns.ts'
import { type Seen, type WgNews, type WgPeer, WgState } from './state.ts'
import { type DeviceChange, EINVAL, type UapiDevice, UapiError } from './uapi.ts'
import { UapiSocket, type UapiTarget } from './uapi-socket.ts'
import { withZoneIndex } from './zone.ts'

/** RFC 6335 §6: where a port by chance comes from. */
const PORT_FIRST = 49152
const PORT_COUNT = 16384

/** What the agent does for wg(8). */
export interface WgHost {
  config(): Config
  /** Makes of the configuration, as it is when its turn comes, another; or throws and leaves all as it was. */
  adopt(change: (config: Config) => Config): Promise<void>
  seen(publicKey: string): Seen | null
  /** The peer is called at the endpoint that was given last. */
  recall(publicKey: string): Promise<void>
  setMark(mark: number): Promise<void>
  warn(line: string): void
  /** Hears which sockets there are, by their paths, whenever that changes. */
  opened?(paths: readonly string[]): void
}

export class WgSockets {
  private readonly host: WgHost
  private readonly directory: string | undefined
  private readonly open = new Map<string, { socket: UapiSocket; network: WgNetwork }>()
  /** Interfaces whose socket another process has, or that cannot be had: said once. */
  private readonly without = new Set<string>()
  private readonly mark: Mark = { now: 0 }

  /** `directory`: where wg(8) looks, unless given. */
  constructor(host: WgHost, directory?: string) {
    this.host = host
    this.directory = directory
  }

  /** One socket for each secure network of the configuration, which counts again as it is in the file. */
  async sync(config: Config): Promise<void> {
    const secure = config.networks.filter((n) => n.security === 'secure')
    if (this.mark.now !== 0) await this.host.setMark(0)
    this.mark.now = 0
    for (const [name, { socket, network }] of this.open) {
      if (secure.some((n) => n.interface === name)) continue
      this.open.delete(name)
      await socket.close()
      network.close()
    }
    for (const n of secure) {
      const had = this.open.get(n.interface)
      if (had) had.network.read(n, config)
      else if (!this.without.has(n.interface)) await this.add(n, config)
    }
    this.tellPaths()
  }

  async close(): Promise<void> {
    for (const { socket, network } of this.open.values()) {
      await socket.close()
      network.close()
    }
    this.open.clear()
    this.tellPaths()
  }

  private async add(n: NetworkConfig, config: Config): Promise<void> {
    const network = new WgNetwork(this.host, this.mark, () => this.tellOthers(network))
    network.read(n, config)
    try {
      const socket = await UapiSocket.open(n.interface, network, {
        ...(this.directory === undefined ? {} : { directory: this.directory }),
        gone: () => this.lost(n.interface),
        failed: (error) => this.host.warn(`wg set ${n.interface}: ${error instanceof Error ? error.message : error}`),
      })
      this.open.set(n.interface, { socket, network })
    } catch (error) {
      network.close()
      this.without.add(n.interface)
      this.host.warn(`network ${n.name}: wg(8) does not see it: ${error instanceof Error ? error.message : error}`)
    }
  }

  private tellPaths(): void {
    this.host.opened?.([...this.open.values()].map(({ socket }) => socket.path))
  }

  // Key, port and mark are everybody's.
  private tellOthers(from: WgNetwork): void {
    const config = this.host.config()
    for (const { network } of this.open.values()) if (network !== from) network.readAgain(config)
  }

  // Somebody removed the file. That ends a vtepd-wg, but not an agent.
  private lost(name: string): void {
    const had = this.open.get(name)
    if (!had) return
    this.open.delete(name)
    this.without.add(name)
    this.host.warn(`interface ${name}: its socket for wg(8) was removed by somebody; it comes back with a restart`)
    void had.socket.close().finally(() => had.network.close())
  }
}

/** What marks the packets of all networks; 0: nothing. */
interface Mark {
  now: number
}

class WgNetwork implements UapiTarget {
  private readonly host: WgHost
  private readonly mark: Mark
  private readonly changed: () => void
  private state = new WgState()
  private network!: NetworkConfig
  private readonly turns = new Turns()

  constructor(host: WgHost, mark: Mark, changed: () => void) {
    this.host = host
    this.mark = mark
    this.changed = changed
  }

  readAgain(config: Config): void {
    this.read(this.network, config)
  }

  /** What the configuration says of the network. */
  read(network: NetworkConfig, config: Config): void {
    this.state.wipe()
    this.network = network
    this.state = new WgState()
    this.state.fwmark = this.mark.now
    this.state.apply({ ...NOTHING, privateKey: config.privateKey?.copy() ?? null })
    this.state.listenPort = config.underlay.wireguardPort
    for (const peer of config.peers) this.readPeer(peer)
    this.state.takeNews()
  }

  get(): UapiDevice {
    return this.state.device((name) => this.host.seen(name))
  }

  // In turn: what one client's fault takes back must not be what another has just said.
  set(change: DeviceChange): Promise<void> {
    return this.turns.take(async () => this.state.apply(withZoneIndex(change)))
  }

  finish(): Promise<void> {
    return this.turns.take(() => this.settle())
  }

  close(): void {
    this.state.wipe()
  }

  private readPeer(peer: PeerConfig): void {
    const place = peer.networks.find((n) => n.network === this.network.name)
    if (!place || peer.publicKey === null) return
    this.state.apply({
      ...NOTHING,
      peer: {
        publicKey: Buffer.from(peer.publicKey, 'base64'),
        remove: false,
        updateOnly: false,
        presharedKey: peer.presharedKey?.copy() ?? null,
        endpoint: null,
        keepaliveSec: peer.keepaliveSec,
        replaceAllowedIps: true,
        allowedIps: place.allowedIps.map((prefix) => ({ prefix, remove: false })),
      },
    })
  }

  private async settle(): Promise<void> {
    const news = this.state.takeNews()
    if (this.state.listenPort === 0) this.state.listenPort = PORT_FIRST + Math.floor(Math.random() * PORT_COUNT)
    try {
      if (news.fwmark) await this.setMark(this.state.fwmark)
      const replaced = [...news.peers].flatMap(([name, { kind }]) => (kind === 'replaced' ? [name] : []))
      // Peers that were taken away and made again under their key begin anew.
      if (replaced.length > 0) await this.host.adopt((now) => this.merge(now, news, new Set(replaced)))
      await this.host.adopt((now) => this.merge(now, news, new Set()))
    } catch (error) {
      this.readAgain(this.host.config())
      throw error instanceof UapiError ? error : refusal(error)
    }
    for (const [name, { kind, endpoint }] of news.peers) {
      if (kind === 'changed' && endpoint) await this.host.recall(name)
    }
    this.changed()
  }

  private async setMark(mark: number): Promise<void> {
    await this.host.setMark(mark)
    this.mark.now = mark
  }

  /** The configuration with what wg(8) has said; `without`: keys that are left out. */
  private merge(config: Config, news: WgNews, without: ReadonlySet<string>): Config {
    const wanted = [...this.state.peers.values()].filter((p) => !without.has(p.name))
    const names = new Set(wanted.map((p) => p.name))
    const kept = config.peers
      .map((peer) => withPort(peer, config.underlay.wireguardPort))
      .map((peer) => (peer.publicKey !== null && !names.has(peer.publicKey) ? this.withoutPlace(peer) : peer))
      .filter((peer) => peer.networks.length > 0)
      .map((peer) => this.merged(peer, wanted))
    const known = new Set(config.peers.map((p) => p.publicKey))
    return {
      ...config,
      ...(news.privateKey ? this.ownKey() : {}),
      underlay: { ...config.underlay, wireguardPort: this.state.listenPort },
      peers: [...kept, ...wanted.filter((p) => !known.has(p.name)).map((p) => this.added(p))],
    }
  }

  private ownKey(): Pick<Config, 'privateKey' | 'publicKey'> {
    const key = this.state.privateKey()
    const privateKey = key && new Secret(key)
    key?.fill(0)
    return { privateKey, publicKey: this.state.publicKey }
  }

  private withoutPlace(peer: PeerConfig): PeerConfig {
    return { ...peer, networks: peer.networks.filter((n) => n.network !== this.network.name) }
  }

  private merged(peer: PeerConfig, wanted: readonly WgPeer[]): PeerConfig {
    const said = wanted.find((p) => p.name === peer.publicKey)
    if (!said) return peer
    const { name } = this.network
    const place = peer.networks.find((n) => n.network === name)
    const here = { network: name, allowedIps: this.prefixesOf(said), mac: place?.mac ?? null }
    return {
      ...peer,
      ...this.sayings(said),
      endpoint: said.endpoint ? { host: said.endpoint.address, port: said.endpoint.port } : peer.endpoint,
      networks: place ? peer.networks.map((n) => (n === place ? here : n)) : [...peer.networks, here],
    }
  }

  private added(said: WgPeer): PeerConfig {
    return {
      name: said.name,
      publicKey: said.name,
      ...this.sayings(said),
      endpoint: said.endpoint && { host: said.endpoint.address, port: said.endpoint.port },
      // On layer 3 nothing says that the other end is an agent, and a stock peer wants nothing but packets.
      type: this.network.device === 'tun' ? 'wireguard' : 'vtepd',
      networks: [{ network: this.network.name, allowedIps: this.prefixesOf(said), mac: null }],
    }
  }

  private sayings(said: WgPeer): Pick<PeerConfig, 'presharedKey' | 'keepaliveSec'> {
    return { presharedKey: said.presharedKey && new Secret(said.presharedKey), keepaliveSec: said.keepaliveSec }
  }

  // A frame's station is learned; only packets have prefixes.
  private prefixesOf(said: WgPeer): string[] {
    return this.network.device === 'tun' ? [...said.allowedIps] : []
  }
}

// A peer whose endpoint named no port has ours of the file; it does not move when wg(8) moves ours.
function withPort(peer: PeerConfig, port: number): PeerConfig {
  if (peer.publicKey === null || !peer.endpoint || peer.endpoint.port !== null) return peer
  return { ...peer, endpoint: { ...peer.endpoint, port } }
}

const NOTHING: DeviceChange = { privateKey: null, listenPort: null, fwmark: null, replacePeers: false, peer: null }

function refusal(error: unknown): UapiError {
  const { errno, cause, message } = error as { errno?: unknown; cause?: { errno?: unknown }; message?: string }
  const number = [errno, cause?.errno].find((n) => typeof n === 'number') as number | undefined
  return new UapiError(Math.abs(number ?? EINVAL), message ?? String(error))
}
