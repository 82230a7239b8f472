// From what the file says of a flannel network and what the store says (model.ts) to what is wanted of this host: a network
// with its device, a peer for each member, or a plain route to it. Pure; read docs/flannel.md first. Cold.
import { isIPv4 } from 'node:net'
import * as cidr from '../cidr.ts'
import type { FlannelConfig, NetworkConfig, PeerConfig } from '../config/model.ts'
import { keyFromBase64 } from '../key.ts'
import { Secret } from '../secret.ts'
import { overhead } from '../upkeep/device.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import { nameOf } from './lease.ts'
import type { Backend, Lease, Membership, StoreConfig } from './model.ts'

/** What stock WireGuard members take off the underlay's MTU, whatever its family. */
const OVERHEAD_STOCK = 80
const INTERFACE_MAX = 15

/** This host, as far as it matters. */
export interface Here {
  readonly underlay: readonly LocalAddress[]
  /** Of our VTEP, as our lease names it. */
  readonly mac: string
  readonly wireguardPort: number
  /** Our interface on whose link the address is, without a gateway between; null: on none. */
  onLink(address: string): string | null
}

export interface Desired {
  /** null: the back end is routes alone. */
  readonly network: NetworkConfig | null
  /** What a packet from our subnet may measure. */
  readonly mtu: number
}

/** A member's subnet, reached by the host's own routing. */
export interface DirectRoute {
  readonly prefix: string
  readonly via: string
  readonly interface: string
}

export interface MemberPlace {
  readonly lease: Lease
  /** Far ends by name. In clear text one for each family of the underlay, which the family inside follows. */
  readonly peers: readonly PeerConfig[]
  readonly routes: readonly DirectRoute[]
  /** null: it is reached; else why not. */
  readonly fault: string | null
}

/** Why what the store says cannot be what the file and this host want; null: it can. */
export function storeFault(file: FlannelConfig, config: StoreConfig, { underlay }: Here): string | null {
  const { backend } = config
  const own = underlay.find((l) => covered(l.address, config))
  if (own) return `our own underlay address ${own.address} is inside the network; give one of them other addresses`
  const clear = backend.type === 'host-gw' || backend.type === 'udp'
  if (file.security === 'secure' && clear) {
    return `the store's back end is ${backend.type}, which is clear text; write \`security: plain\` if that is meant`
  }
  if (file.security === 'plain' && backend.type === 'wireguard') {
    return "the store's back end is wireguard; take `security: plain` out of the network"
  }
  return null
}

/** The network as `Overlay.apply` takes it. The caller has looked at `storeFault`. */
export function desiredNetwork(file: FlannelConfig, m: Membership, here: Here): Desired {
  const { backend } = m.config
  const mtu = file.mtu ?? deviceMtu(file, m.config, here)
  if (backend.type === 'host-gw') return { network: null, mtu }
  const { prefix, subnetFile, ...own } = file
  const vni = backend.type === 'vxlan' ? backend.vni : 0
  const network: NetworkConfig = {
    ...own,
    vni,
    device: 'tun',
    interface: file.interface ?? interfaceName(file.name, backend),
    port: backend.type === 'vxlan' || backend.type === 'udp' ? backend.port : 0,
    addresses: [m.own.subnet, m.own.subnet6].flatMap((subnet) => (subnet === null ? [] : [firstOf(subnet)])),
    mac: here.mac,
    mtu,
    accept: 'peers',
    keptUp: true,
    fdb: [],
    ...(backend.type === 'wireguard' ? { stockPort: backend.port } : {}),
    ...(backend.type === 'udp' ? { bare: true, sourcePort: 'fixed' as const } : {}),
  }
  return { network, mtu }
}

/** Why the network cannot be beside the others of this host; null: it can. */
export function clash(network: NetworkConfig, others: readonly NetworkConfig[]): string | null {
  for (const other of others) {
    if (!network.bare && !other.bare && other.vni === network.vni) {
      return `its VNI ${network.vni} is network ${other.name}'s too; give that one another`
    }
    if (other.interface === network.interface && other.netns === network.netns) {
      return `its interface ${network.interface} is network ${other.name}'s too; name one of them`
    }
    const plain = other.security === 'plain' && network.security === 'plain'
    if (plain && other.port === network.port && (other.bare || network.bare)) {
      return `its port ${network.port} is network ${other.name}'s too, which is of another kind`
    }
  }
  return null
}

/** Makes a MemberPlace of each lease; the same object again for the same lease as long as nothing else has changed. */
export class Placer {
  private readonly file: FlannelConfig
  private readonly config: StoreConfig
  private here: Here
  private readonly psk: Secret | null
  private readonly known = new WeakMap<Lease, { readonly place: MemberPlace; looked: number }>()
  private looks = 0

  constructor(file: FlannelConfig, config: StoreConfig, here: Here) {
    this.file = file
    this.config = config
    this.here = here
    const { backend } = config
    const psk = backend.type === 'wireguard' && backend.psk !== null ? keyFromBase64(Buffer.from(backend.psk)) : null
    this.psk = psk && new Secret(psk)
    psk?.fill(0)
  }

  /** The host has changed: who is on which link is looked up again. */
  look(here: Here): void {
    this.here = here
    const { backend } = this.config
    if (backend.type === 'host-gw' || (backend.type === 'vxlan' && backend.directRouting)) this.looks++
  }

  place(lease: Lease): MemberPlace {
    const had = this.known.get(lease)
    if (had?.looked === this.looks) return had.place
    const made = { lease, ...this.make(lease) }
    const same =
      had && JSON.stringify(had.place.routes) === JSON.stringify(made.routes) && had.place.fault === made.fault
    const place = same ? had.place : made
    this.known.set(lease, { place, looked: this.looks })
    return place
  }

  private make(lease: Lease): Omit<MemberPlace, 'lease'> {
    if (this.config.backend.type === 'wireguard' || this.file.security === 'secure') return this.sealed(lease)
    const peers: PeerConfig[] = []
    const routes: DirectRoute[] = []
    const faults: string[] = []
    for (const v6 of [false, true]) {
      const subnet = v6 ? lease.subnet6 : lease.subnet
      const address = v6 ? lease.publicIpv6 : lease.publicIp
      if (subnet === null) continue
      const fault = this.addressFault(address, v6)
      if (fault !== null || address === null) {
        faults.push(`${subnet}: ${fault}`)
        continue
      }
      const direct = this.direct(address)
      if (direct !== null) routes.push({ prefix: subnet, via: address, interface: direct })
      const mac = v6 ? lease.vtepMac6 : lease.vtepMac
      if (this.config.backend.type !== 'host-gw') peers.push(this.peer(subnet, address, mac, direct !== null))
      else if (direct === null) faults.push(`${subnet}: ${address} is not on our own link`)
    }
    return { peers, routes, fault: faults.length > 0 ? faults.join('; ') : null }
  }

  // Known by its key, whichever family carries it, with all that is behind it.
  private sealed(lease: Lease): Omit<MemberPlace, 'lease'> {
    const none = { peers: [], routes: [] }
    if (lease.publicKey === null) return { ...none, fault: 'it has no PublicKey, and the network is secure' }
    const { backend } = this.config
    const stock = backend.type === 'wireguard'
    const wanted6 = stock && backend.mode === 'ipv6'
    const v6 = this.addressFault(wanted6 ? lease.publicIpv6 : lease.publicIp, wanted6) === null ? wanted6 : !wanted6
    const address = v6 ? lease.publicIpv6 : lease.publicIp
    const fault = this.addressFault(address, v6)
    if (fault !== null || address === null) return { ...none, fault }
    // Of two tunnels with one key we have the first: flanneld, which names no port, takes no IPv6 from it.
    const apart =
      stock && backend.mode === 'separate' && lease.wireguardPort === null && lease.subnet !== null
        ? lease.subnet6
        : null
    const subnets = [lease.subnet, apart === null ? lease.subnet6 : null].filter((subnet) => subnet !== null)
    const peer: PeerConfig = {
      name: lease.key,
      endpoint: { host: address, port: lease.wireguardPort ?? (stock ? backend.port : this.here.wireguardPort) },
      publicKey: lease.publicKey,
      presharedKey: this.psk,
      keepaliveSec: stock ? backend.keepaliveSec : 0,
      type: stock ? 'wireguard' : 'vtepd',
      networks: [{ network: this.file.name, allowedIps: subnets, mac: null }],
    }
    const lacks =
      apart === null ? null : `${apart}: flanneld has IPv6 in a tunnel of its own; Backend.Mode auto makes it one`
    return { peers: [peer], routes: [], fault: lacks }
  }

  // Also who is reached directly: its own way to us may be the tunnel.
  private peer(subnet: string, address: string, mac: string | null, direct: boolean): PeerConfig {
    return {
      name: nameOf(subnet),
      endpoint: { host: address, port: null },
      publicKey: null,
      presharedKey: null,
      keepaliveSec: 0,
      type: 'vtepd',
      networks: [{ network: this.file.name, allowedIps: [subnet], mac, ...(direct ? { direct } : {}) }],
    }
  }

  // The interface by which the host itself gets there, where the back end wants that.
  private direct(address: string): string | null {
    const { backend } = this.config
    const wanted = backend.type === 'host-gw' || (backend.type === 'vxlan' && backend.directRouting)
    return wanted ? this.here.onLink(address) : null
  }

  private addressFault(address: string | null, v6: boolean): string | null {
    const family = v6 ? 'IPv6' : 'IPv4'
    if (address === null) return `it has no public ${family} address`
    const { underlay } = this.here
    if (!underlay.some((l) => l.v6 === v6)) return `this host has no ${family} underlay address`
    if (underlay.some((l) => l.address === address)) return `${address} is this host's own address`
    return covered(address, this.config)
      ? `${address} is itself inside the network: a tunnel would lead into itself`
      : null
  }
}

// Whether a lease may cover the address: subnets lie from SubnetMin to the end of SubnetMax.
function covered(address: string, { ipv4, ipv6 }: StoreConfig): boolean {
  const one = cidr.parseAddress(address)!
  const range = one.v6 ? ipv6 : ipv4
  if (range === null) return false
  const size = 1n << BigInt(cidr.bits(one.v6) - range.subnetLength)
  const [first, last] = [range.subnetMin, range.subnetMax].map((text) => cidr.parseAddress(text)!.value) as [
    bigint,
    bigint,
  ]
  return one.value >= first && one.value < last + size
}

// The larger overhead wherever both families are spoken: one device has one MTU.
function deviceMtu(file: FlannelConfig, { backend, ipv6 }: StoreConfig, { underlay }: Here): number {
  const least = Math.min(...underlay.map((l) => l.mtu))
  const named = 'mtu' in backend ? backend.mtu : null
  const outer = named === null ? least : Math.min(named, least)
  if (backend.type === 'host-gw') return outer
  if (backend.type === 'wireguard') return outer - OVERHEAD_STOCK
  const v6 = file.security === 'secure' ? !underlay.some((l) => !l.v6) : ipv6 !== null
  return outer - overhead({ security: file.security, device: 'tun', bare: backend.type === 'udp' }, v6)
}

function interfaceName(network: string, backend: Backend): string {
  return backend.type === 'vxlan' ? `vt${backend.vni}` : `vt${network}`.slice(0, INTERFACE_MAX)
}

// 10.5.34.0/32: an address of ours that no pod has.
function firstOf(subnet: string): string {
  const address = subnet.slice(0, subnet.indexOf('/'))
  return cidr.cidrText({ ...cidr.parseAddress(address)!, length: cidr.bits(!isIPv4(address)) })
}
