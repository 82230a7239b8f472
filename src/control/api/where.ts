// `vtepd where`: all that is known here of an address, a MAC or an interface, and where each fact was learned: from the
// agent's own tables, its configuration, and the host's kernel. Cold.
import { KernelView, type Link, type Neighbour } from '../../host/kernel-view.ts'
import { isDeviceName } from '../../host/netdev.ts'
import * as routes from '../../host/routes.ts'
import { type Overlay, placedIn, type Running } from '../apply.ts'
import * as cidr from '../cidr.ts'
import type { OnHost } from '../flannel/direct.ts'
import { nameOf } from '../flannel/lease.ts'
import { parseMac } from '../mac.ts'
import type { PlacedPeer } from '../placed-peer.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import { ApiError, type FdbEntry, type Found, type NeighbourEntry } from './api.ts'
import { originOf, prefixesOf } from './route-list.ts'

const NOTHING: Omit<Found, 'kind' | 'origin'> = {
  network: null,
  vni: null,
  device: null,
  vtep: null,
  peer: null,
  mac: null,
  ip: null,
  prefix: null,
  via: null,
  bridge: null,
  vethPeer: null,
  netns: null,
  ageSeconds: null,
}

/** What the data thread has learned, of all networks. */
export interface Learned {
  readonly stations: readonly FdbEntry[]
  readonly neighbours: readonly NeighbourEntry[]
}

/** The host around the networks. */
export interface Around {
  readonly underlay: readonly LocalAddress[]
  /** Routes to members that are reached without a tunnel. */
  readonly direct: readonly OnHost[]
}

/** Throws ApiError when `what` is neither an address, nor a MAC, nor an interface's name. */
export function find(what: string, overlay: Overlay, around: Around, learned: Learned): Found[] {
  const search = new Search(overlay, around, learned)
  const mac = parseMac(what)
  if (mac !== null) return search.byMac(mac)
  const address = cidr.parseAddress(what)
  if (address) return search.byAddress(address)
  if (isDeviceName(what)) return search.byInterface(what)
  throw new ApiError(400, `what: want an IP address, a MAC or the name of an interface, got ${JSON.stringify(what)}`)
}

class Search {
  private readonly overlay: Overlay
  private readonly around: Around
  private readonly learned: Learned
  private readonly networks: readonly Running[]
  /** Of the agent's namespace and of those its devices are in. */
  private readonly views: readonly KernelView[]

  constructor(overlay: Overlay, around: Around, learned: Learned) {
    this.overlay = overlay
    this.around = around
    this.learned = learned
    this.networks = [...overlay.running.values()]
    const paths = new Set([null, ...this.networks.map((r) => r.device.netns)])
    this.views = [...paths].map((path) => new KernelView(path))
  }

  byMac(mac: string): Found[] {
    const found = this.networks.filter((r) => r.device.state.mac === mac).map((r) => this.device(r))
    found.push(...this.stationsOf(mac), ...this.bindings((n) => n.mac === mac))
    for (const r of this.networks) {
      for (const p of placedIn(r)) {
        if (p.peer.networks.some((n) => n.network === r.config.name && n.mac === mac))
          found.push(this.peer(r, p, { mac }))
      }
    }
    for (const view of this.views) {
      const links = view.links.filter((l) => l.mac === mac && !this.owner(view, l.name))
      found.push(...links.map((l) => this.interface(view, l)))
      // A bridge knows the MACs of its own ports too.
      const behind = view.stations().filter((s) => s.mac === mac && links.length === 0)
      found.push(...behind.flatMap((s) => this.port(view, s)))
      found.push(...this.neighbours(view, (n) => n.mac === mac))
    }
    return found
  }

  byAddress(c: cidr.Cidr): Found[] {
    const ip = cidr.addressText(c)
    const has = (r: Running): boolean => r.config.addresses.some((a) => cidr.sameAddress(cidr.parseCidr(a)!, c))
    const found = this.networks.filter(has).map((r): Found => ({ ...this.device(r), ip }))
    for (const l of this.around.underlay) {
      if (l.address === ip) found.push({ ...NOTHING, kind: 'vtep', device: l.interface, vtep: ip, ip, origin: 'local' })
    }
    for (const r of this.networks) {
      const at = placedIn(r).filter((p) => this.overlay.addressOf(p) === ip)
      found.push(...at.map((p) => this.peer(r, p, { ip })), ...this.longest(r, c))
    }
    found.push(...this.directly(c))
    const met = [
      ...this.bindings((n) => n.ip === ip),
      ...this.views.flatMap((view) => this.neighbours(view, (n) => n.ip === ip)),
    ]
    const macs = new Set(
      met.flatMap(({ network, mac }) => (network === null || mac === null ? [] : `${mac} ${network}`)),
    )
    const behind = [...macs].flatMap((key) => this.stationsOf(...(key.split(' ') as [string, string])))
    return [...found, ...met, ...behind, ...this.views.flatMap((view) => this.kernelRoute(view, ip))]
  }

  byInterface(name: string): Found[] {
    return this.views.flatMap((view) => {
      const link = view.links.find((l) => l.name === name)
      if (!link) return []
      const owner = this.owner(view, name)
      return [owner ? this.device(owner) : this.interface(view, link)]
    })
  }

  private owner(view: KernelView, name: string | null): Running | undefined {
    return this.networks.find((r) => r.config.interface === name && r.device.netns === view.netns)
  }

  private device(r: Running): Found {
    const { config, device } = r
    const view = this.views.find((v) => v.netns === device.netns)
    const link = view?.links.find((l) => l.name === config.interface)
    return {
      ...NOTHING,
      ...ofNetwork(r),
      kind: 'device',
      vtep: config.security === 'plain' ? (this.around.underlay[0]?.address ?? null) : null,
      mac: device.state.mac,
      ip: config.addresses[0]?.split('/')[0] ?? null,
      bridge: link?.master ?? null,
      origin: 'local',
    }
  }

  // In one network, or in all.
  private stationsOf(mac: string, network?: string): Found[] {
    const some = this.learned.stations.filter((s) => s.mac === mac && (network === undefined || s.network === network))
    return some.map(({ vtep, peer, origin, ageSeconds, network: name }) => {
      const r = this.overlay.running.get(name)
      return { ...NOTHING, ...(r && ofNetwork(r)), kind: 'station', mac, vtep, peer, origin, ageSeconds }
    })
  }

  // What answers ARP and neighbour discovery.
  private bindings(wanted: (n: NeighbourEntry) => boolean): Found[] {
    return this.learned.neighbours.filter(wanted).map(({ network, ip, mac, origin, ageSeconds }) => {
      const r = this.overlay.running.get(network)
      return { ...NOTHING, ...(r && ofNetwork(r)), kind: 'neighbour', ip, mac, origin, ageSeconds }
    })
  }

  private peer(r: Running, p: PlacedPeer, more: Partial<Found>): Found {
    const at = { vtep: this.overlay.addressOf(p), peer: p.peer.name }
    return { ...NOTHING, ...ofNetwork(r), kind: 'peer', ...at, origin: originOf(r), ...more }
  }

  // Layer 3: the peer whose prefix is the longest of those that hold the address.
  private longest(r: Running, c: cidr.Cidr): Found[] {
    if (r.config.device !== 'tun') return []
    const all = placedIn(r).flatMap((p) => prefixesOf(r, p).map((prefix) => ({ p, prefix })))
    const best = all
      .filter(({ prefix }) => cidr.covers(prefix, c))
      .reduce<(typeof all)[number] | null>((a, b) => (a && a.prefix.length >= b.prefix.length ? a : b), null)
    if (!best) return []
    const more = { ip: cidr.addressText(c), prefix: cidr.cidrText(best.prefix), via: this.overlay.addressOf(best.p) }
    return [{ ...this.peer(r, best.p, more), kind: 'route' }]
  }

  // A member of a flannel network that the host reaches by itself: subnets, of which none holds another's address.
  private directly(c: cidr.Cidr): Found[] {
    const holds = ({ route }: OnHost): boolean => cidr.covers(cidr.parseCidr(route.prefix)!, c)
    return this.around.direct.filter(holds).map(({ network, route }) => {
      const r = this.overlay.running.get(network)
      const { prefix, via, interface: device } = route
      const way = { network, device, ip: cidr.addressText(c), prefix, via, peer: nameOf(prefix) }
      return { ...NOTHING, ...(r && ofNetwork(r)), kind: 'route', ...way, origin: 'control' } as const
    })
  }

  private interface(view: KernelView, link: Link): Found {
    const network = this.networks.find((r) => link.master !== null && this.bridgeOf(view, r) === link.master)
    return {
      ...NOTHING,
      ...(network && ofNetwork(network)),
      kind: 'interface',
      device: link.name,
      mac: link.mac,
      bridge: link.master,
      vethPeer: link.kind === 'veth' ? link.peer : null,
      netns: link.peerNetns ?? view.netns,
      origin: 'kernel',
    }
  }

  // A station that a bridge of one of our devices has here, behind another of its ports.
  private port(view: KernelView, station: Neighbour): Found[] {
    const link = view.links.find((l) => l.name === station.device)
    if (!link || station.bridge === null || this.owner(view, link.name)) return []
    const found = this.interface(view, { ...link, master: station.bridge })
    return found.network === null ? [] : [{ ...found, kind: 'port', mac: station.mac }]
  }

  private neighbours(view: KernelView, wanted: (n: Neighbour) => boolean): Found[] {
    return view
      .neighbours()
      .filter(wanted)
      .flatMap((n) => {
        const r = this.owner(view, n.device) ?? this.networks.find((x) => this.bridgeOf(view, x) === n.device)
        const network = r ? ofNetwork(r) : {}
        const { ip, mac } = n
        return [{ ...NOTHING, ...network, kind: 'neighbour', device: n.device, ip, mac, origin: 'kernel' } as const]
      })
  }

  private kernelRoute(view: KernelView, ip: string): Found[] {
    const r = routes.to(ip, view.netns)
    if (!r || r.kind === 'nowhere') return []
    const device = view.name(r.index)
    const owner = this.owner(view, device)
    const way = { device, ip, prefix: r.prefix, via: r.via, netns: view.netns }
    return [{ ...NOTHING, ...(owner && ofNetwork(owner)), kind: 'kernel-route', ...way, origin: 'route' }]
  }

  private bridgeOf(view: KernelView, r: Running): string | null {
    if (r.device.netns !== view.netns) return null
    return view.links.find((l) => l.name === r.config.interface)?.master ?? null
  }
}

function ofNetwork({ config, device }: Running): Pick<Found, 'network' | 'vni' | 'device' | 'netns'> {
  return { network: config.name, vni: config.vni, device: config.interface, netns: device.netns }
}
