// A WireGuard device as wg(8) sees it: a private key, a port, a mark, and peers in the order in which they came, each with the
// prefixes that are its own. Read WG §2 first. A prefix belongs to one peer only, the last that claimed it; the device's own
// key is no peer. Pure; a prefix costs the same however many there are. Cold.
import { timingSafeEqual } from 'node:crypto'
import { MAX_TUNNELS } from '../../counters.ts'
import type { Config } from '../config/model.ts'
import { NO_RULES } from '../firewall/host-rules.ts'
import { base64Of, isZeroKey, KEY_LEN, publicKeyOf } from '../key.ts'
import { Secret } from '../secret.ts'
import { type DeviceChange, EINVAL, type PeerChange, type UapiDevice, type UapiEndpoint, UapiError } from './uapi.ts'

export const MAX_PEERS = MAX_TUNNELS

export interface WgPeer {
  readonly publicKey: Uint8Array
  /** base64 of the public key. */
  readonly name: string
  presharedKey: Uint8Array | null
  /** As it was set last; where the peer really is, the running agent knows. */
  endpoint: UapiEndpoint | null
  keepaliveSec: number
  /** Canonical, without host bits, in the order in which they came. */
  readonly allowedIps: Set<string>
}

/** What has become of a peer. */
export interface PeerNews {
  /** 'replaced': taken away and made again under the same key; sessions and counts begin anew. */
  kind: 'added' | 'removed' | 'replaced' | 'changed'
  presharedKey: boolean
  /** Set, perhaps to what it was: the peer may be elsewhere by now. */
  endpoint: boolean
  keepalive: boolean
  allowedIps: boolean
}

/** What is different since the last `takeNews`. */
export interface WgNews {
  privateKey: boolean
  listenPort: boolean
  fwmark: boolean
  /** By name. */
  readonly peers: Map<string, PeerNews>
}

/** What only the running agent knows of a peer. */
export interface Seen {
  readonly endpoint: UapiEndpoint | null
  readonly lastHandshake: { readonly sec: number; readonly nsec: number } | null
  readonly rxBytes: number
  readonly txBytes: number
}

export class WgState {
  /** 0: by chance. Who has opened one puts it here. */
  listenPort = 0
  fwmark = 0
  /** By name. */
  readonly peers = new Map<string, WgPeer>()
  private key: Uint8Array | null = null
  private keyName: string | null = null
  private readonly owners = new Map<string, WgPeer>()
  private news = noNews()

  /** base64; null: there is no private key. */
  get publicKey(): string | null {
    return this.keyName
  }

  /** Clamped (RFC 7748 §5); the caller's to zero. */
  privateKey(): Uint8Array | null {
    return this.key?.slice() ?? null
  }

  /** Whose prefix it is. */
  owner(prefix: string): WgPeer | undefined {
    return this.owners.get(prefix)
  }

  /**
   * One section of a set. Copies the keys and zeroes the change's. Throws UapiError when there are too many peers; what the
   * section names is then not done.
   */
  apply(change: DeviceChange): void {
    const { privateKey, listenPort, fwmark, peer } = change
    try {
      if (change.replacePeers) for (const one of [...this.peers.values()]) this.remove(one)
      if (privateKey) this.setPrivateKey(privateKey)
      if (listenPort !== null) this.setListenPort(listenPort)
      if (fwmark !== null && fwmark !== this.fwmark) {
        this.fwmark = fwmark
        this.news.fwmark = true
      }
      if (peer) this.applyPeer(peer)
    } finally {
      privateKey?.fill(0)
      peer?.presharedKey?.fill(0)
    }
  }

  /** What has changed, and begins to note anew. */
  takeNews(): WgNews {
    const { news } = this
    this.news = noNews()
    return news
  }

  /** The answer to a get. `see`: what the agent knows of a peer, by name. */
  device(see: (name: string) => Seen | null): UapiDevice {
    const peers = [...this.peers.values()].map((peer) => {
      const seen = see(peer.name)
      return {
        publicKey: peer.publicKey,
        presharedKey: peer.presharedKey?.slice() ?? null,
        endpoint: seen?.endpoint ?? peer.endpoint,
        lastHandshake: seen?.lastHandshake ?? null,
        rxBytes: seen?.rxBytes ?? 0,
        txBytes: seen?.txBytes ?? 0,
        keepaliveSec: peer.keepaliveSec,
        allowedIps: peer.allowedIps,
      }
    })
    return { privateKey: this.privateKey(), listenPort: this.listenPort, fwmark: this.fwmark, peers }
  }

  /** Zeroes all keys. */
  wipe(): void {
    this.key?.fill(0)
    for (const peer of this.peers.values()) peer.presharedKey?.fill(0)
  }

  private setPrivateKey(given: Uint8Array): void {
    const before = this.key
    const key = isZeroKey(given) ? null : clamped(given)
    if (key && before && timingSafeEqual(key, before)) {
      key.fill(0)
      return
    }
    before?.fill(0)
    this.key = key
    this.keyName = key && base64Of(publicKeyOf(key))
    this.news.privateKey ||= before !== null || key !== null
    const self = this.keyName === null ? undefined : this.peers.get(this.keyName)
    if (self) this.remove(self)
  }

  private setListenPort(port: number): void {
    // A port by chance is another one each time.
    if (port !== 0 && port === this.listenPort) return
    this.listenPort = port
    this.news.listenPort = true
  }

  private applyPeer(change: PeerChange): void {
    const name = base64Of(change.publicKey)
    const known = this.peers.get(name)
    if (change.remove) {
      if (known) this.remove(known)
      return
    }
    if (name === this.keyName || (!known && change.updateOnly)) return
    const peer = known ?? this.add(name, change.publicKey)
    const { presharedKey, endpoint, keepaliveSec } = change
    if (presharedKey) {
      peer.presharedKey?.fill(0)
      peer.presharedKey = isZeroKey(presharedKey) ? null : presharedKey.slice()
      this.note(peer).presharedKey = true
    }
    if (endpoint) {
      peer.endpoint = endpoint
      this.note(peer).endpoint = true
    }
    if (keepaliveSec !== null && keepaliveSec !== peer.keepaliveSec) {
      peer.keepaliveSec = keepaliveSec
      this.note(peer).keepalive = true
    }
    if (change.replaceAllowedIps) for (const prefix of peer.allowedIps) this.disallow(peer, prefix)
    for (const { prefix, remove } of change.allowedIps) {
      if (remove) this.disallow(peer, prefix)
      else this.allow(peer, prefix)
    }
  }

  private add(name: string, publicKey: Uint8Array): WgPeer {
    if (this.peers.size >= MAX_PEERS) throw new UapiError(EINVAL, `more than ${MAX_PEERS} peers`)
    const peer: WgPeer = {
      publicKey: publicKey.slice(),
      name,
      presharedKey: null,
      endpoint: null,
      keepaliveSec: 0,
      allowedIps: new Set(),
    }
    this.peers.set(name, peer)
    const news = this.news.peers.get(name)
    if (news) news.kind = 'replaced'
    else this.news.peers.set(name, peerNews('added'))
    return peer
  }

  private remove(peer: WgPeer): void {
    for (const prefix of peer.allowedIps) this.owners.delete(prefix)
    this.peers.delete(peer.name)
    peer.presharedKey?.fill(0)
    const news = this.news.peers.get(peer.name)
    if (news?.kind === 'added') this.news.peers.delete(peer.name)
    else this.news.peers.set(peer.name, peerNews('removed'))
  }

  private allow(peer: WgPeer, prefix: string): void {
    const owner = this.owners.get(prefix)
    if (owner === peer) return
    if (owner) this.disallow(owner, prefix)
    this.owners.set(prefix, peer)
    peer.allowedIps.add(prefix)
    this.note(peer).allowedIps = true
  }

  private disallow(peer: WgPeer, prefix: string): void {
    if (!peer.allowedIps.delete(prefix)) return
    this.owners.delete(prefix)
    this.note(peer).allowedIps = true
  }

  private note(peer: WgPeer): PeerNews {
    const known = this.news.peers.get(peer.name)
    if (known) return known
    const fresh = peerNews('changed')
    this.news.peers.set(peer.name, fresh)
    return fresh
  }
}

/**
 * The configuration of an agent that is this device and nothing else: one secure tun network of stock peers. Addresses, MTU and
 * routes belong to others. A peer's name is its public key.
 */
export function toConfig(state: WgState, interfaceName: string, node: string): Config {
  const own = state.privateKey()
  const privateKey = own && new Secret(own)
  own?.fill(0)
  return {
    node,
    privateKey,
    publicKey: state.publicKey,
    underlay: { addresses: [], interface: null, vxlanPort: VXLAN_PORT, wireguardPort: state.listenPort },
    networks: [networkOf(interfaceName)],
    flannels: [],
    etcd: null,
    peers: [...state.peers.values()].map((peer) => ({
      name: peer.name,
      endpoint: peer.endpoint && { host: peer.endpoint.address, port: peer.endpoint.port },
      publicKey: peer.name,
      presharedKey: peer.presharedKey && new Secret(peer.presharedKey),
      keepaliveSec: peer.keepaliveSec,
      type: 'wireguard' as const,
      networks: [{ network: interfaceName, allowedIps: [...peer.allowedIps], mac: null }],
    })),
    rules: NO_RULES,
    metrics: null,
    offloads: { tso: 'auto', uso: 'auto', udpGso: 'auto', udpGro: 'auto' },
  }
}

const VXLAN_PORT = 4789

function networkOf(name: string): Config['networks'][number] {
  return {
    name,
    vni: 0,
    device: 'tun',
    interface: name,
    port: VXLAN_PORT,
    addresses: [],
    mac: null,
    mtu: null,
    security: 'secure',
    netns: null,
    learning: false,
    ageingSec: 0,
    macLimit: 0,
    flood: 'off',
    stormLimit: 0,
    suppressArp: false,
    accept: 'peers',
    innerVlan: 'drop',
    mssClamp: false,
    ecn: 'copy',
    dscp: 0,
    udpChecksum: 'on',
    sourcePort: 'fixed',
    fdb: [],
    routes: false,
    sourceCheck: true,
  }
}

function clamped(key: Uint8Array): Uint8Array {
  const own = key.slice()
  own[0]! &= 0xf8
  own[KEY_LEN - 1] = (own[KEY_LEN - 1]! & 0x7f) | 0x40
  return own
}

function noNews(): WgNews {
  return { privateKey: false, listenPort: false, fwmark: false, peers: new Map() }
}

function peerNews(kind: PeerNews['kind']): PeerNews {
  return { kind, presharedKey: false, endpoint: false, keepalive: false, allowedIps: false }
}
