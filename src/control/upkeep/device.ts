// One network's device on the host: made, configured, watched, repaired. What the configuration names is put back when
// somebody changes it; what it does not name is followed. Cold.
import { closeSync } from 'node:fs'
import * as netdev from '../../host/netdev.ts'
import type { Undesired } from '../api/api.ts'
import type { Config, NetworkConfig } from '../config/model.ts'
import { codeOf, Refusal, refusalFrom } from '../refusal.ts'
import { type Difference, differences } from './device-difference.ts'
import { DevicePlace } from './device-place.ts'
import { Faults } from './faults.ts'
import { type HostRoute, HostRoutes } from './host-routes.ts'
import { Mender, type Mending, PRESENT } from './mender.ts'
import type { Repair } from './repairs.ts'

/** What a packet costs on the wire beside itself, bytes: Ethernet 14 + VXLAN 8 + UDP 8 + IPv4 20 or IPv6 40. */
export const OVERHEAD_IPV4 = 50
export const OVERHEAD_IPV6 = 70
/** UDP 8 + IPv4 20 or IPv6 40: bare IP inside. */
export const OVERHEAD_BARE_IPV4 = 28
export const OVERHEAD_BARE_IPV6 = 48
/** UDP 8 + IPv4 20 or IPv6 40, and WireGuard's header 16 and tag 16: bare IP inside. */
export const OVERHEAD_SECURE_TUN_IPV4 = 60
export const OVERHEAD_SECURE_TUN_IPV6 = 80
/** The same, and VXLAN 8 + Ethernet 14 inside. Frames are sealed unpadded: they say nowhere how long they are. */
export const OVERHEAD_SECURE_TAP_IPV4 = 82
export const OVERHEAD_SECURE_TAP_IPV6 = 102
/** Bytes of UDP payload in one UDP_SEGMENT message over IPv4. */
const MESSAGE_MAX = 65507
/** UDP and IPv4 in front of each datagram. */
const UDP_HEADERS = 28
/** What TCP takes off gso_max_size for its headers (linux MAX_TCP_HEADER, at most). */
const TCP_HEADER_ROOM = 320
/** Segments in one message before Linux 6.9. */
const SEGMENTS_MAX = 63
const DEVICE_MTU_MAX = 65521

/** What native needs to know of a device. */
export interface DeviceState {
  fd: number
  tcp: boolean
  udp: boolean
  mtu: number
  /** Secure layer 3: what is sealed is filled up to at most this; elsewhere 0. */
  pad: number
  /** Lower case; of a tun network: made up, since the device has none. */
  mac: string
}

/** What a look at the device has found and done. */
export interface Checked {
  /** It is in another namespace than before, which is to be watched. */
  readonly moved: boolean
  /** What somebody changed that the configuration does not name, for the log. */
  readonly followed: readonly string[]
  readonly repairs: readonly Repair[]
}

export class NetworkDevice {
  readonly config: NetworkConfig
  readonly state: DeviceState
  tso: string
  uso: string
  up = false
  /** It is gone, and native has let go of its fd: `reopen` makes it again. */
  lost = false
  /** What is routed into the device, and by it. */
  readonly routes: HostRoutes
  private readonly defaultMac: string
  private readonly place: DevicePlace
  private readonly mender = new Mender(() => this.config.interface)
  /** What is not mended here. */
  private readonly faults = new Faults()
  /** As it was last; what the configuration does not name comes back like that. */
  private seen: netdev.LinkState | null = null

  private constructor(config: NetworkConfig, defaultMac: string, d: netdev.Device, mtu: number) {
    this.config = config
    this.place = new DevicePlace(netnsOf(config), config.interface)
    this.defaultMac = defaultMac
    this.routes = new HostRoutes({ device: () => this.place.name, netns: () => this.netns })
    this.tso = d.tso
    this.uso = d.uso
    this.state = { fd: d.fd, tcp: d.tcp, udp: d.udp, mtu, pad: 0, mac: d.mac ?? config.mac ?? defaultMac }
  }

  /** Path of the namespace it is in; null: the agent's own. */
  get netns(): string | null {
    return this.place.netns
  }

  /** Makes the device, still down. `defaultMac` and `defaultMtu` hold where the configuration names none. */
  static open(c: NetworkConfig, offloads: Config['offloads'], defaultMac: string, defaultMtu: number): NetworkDevice {
    const where = `networks.${c.name}: device ${c.interface}`
    const mtu = c.mtu ?? defaultMtu
    if (mtu < 68) throw new Refusal(`networks.${c.name}.mtu: the underlay leaves only ${mtu} bytes; raise its MTU`, 2)
    let fd = -1
    try {
      const d = netdev.openDevice({
        name: c.interface,
        kind: c.device,
        netns: netnsOf(c),
        mac: c.device === 'tap' ? (c.mac ?? defaultMac) : null,
        mtu,
        tso: offloads.tso,
        uso: offloads.uso,
        gsoMaxSize: gsoMaxSize(c, mtu),
      })
      fd = d.fd
      if (c.device === 'tun') netdev.setAddrGenModeNone(c.interface, netnsOf(c))
      const device = new NetworkDevice(c, defaultMac, d, mtu)
      device.configure()
      device.readPad()
      return device
    } catch (error) {
      if (fd >= 0) closeSync(fd)
      throw openRefusal(error, c, where)
    }
  }

  /** Brings the device up; frames begin to come. */
  start(now: number): void {
    netdev.setUp(this.place.name, this.netns)
    this.up = true
    this.seen = netdev.link(this.place.name, this.netns)
    this.routes.check(now)
  }

  /** New addresses, MTU or MAC of a reload. `next` differs only in what changes live. */
  change(next: NetworkConfig, defaultMtu: number): void {
    const before = this.config.addresses.filter((a) => !next.addresses.includes(a))
    if (next.mtu !== null && next.mtu !== this.state.mtu) this.setMtu(next.mtu)
    if (next.mtu === null && this.config.mtu !== null) this.setMtu(defaultMtu)
    const mac = next.mac ?? this.defaultMac
    if (mac !== this.state.mac) this.setMac(mac)
    Object.assign(this, { config: next })
    // The new ones first: with its last address a device loses its routes.
    this.configure()
    for (const a of before) ignore(['EADDRNOTAVAIL'], () => netdev.delAddress(this.place.name, a, this.netns))
    // Once more, since some go with another: what was second in a subnet, and what has the other's address in another length.
    if (before.length > 0) this.configure()
    this.readPad()
  }

  /** Prefixes that are routed into the device, and no others. */
  setRoutes(prefixes: readonly string[], now: number): void {
    this.routes.set(prefixes.map(routeInto), [], now)
  }

  /** Some more, and some less. */
  changeRoutes(put: readonly string[], drop: readonly string[], now: number): void {
    this.routes.change(put.map(routeInto), drop, now)
  }

  /**
   * Compares the device with what it should be, puts back what the configuration names, follows the rest. `state.mtu`,
   * `state.pad` and `state.mac` may have changed. `rename`: its name is the configuration's too.
   */
  check(now: number, rename = true): Checked {
    const { config, mender, place } = this
    const before = this.netns
    const repairs: Repair[] = []
    const followed: string[] = []
    if (!this.lost && place.look(this.state.fd)) {
      // What it is there, it need not be at home: once it is back, the kernel tells of it.
      const strayed = !place.isHome && config.netns !== null
      repairs.push(...mender.mend(strayed ? [this.bringHome()] : this.compare(rename, followed, now), now))
      this.readPad()
    }
    // Some may leave by other devices.
    repairs.push(...this.routes.check(now).map((m) => ({ reason: 'route' as const, ...m })))
    return { moved: this.netns !== before, followed, repairs }
  }

  /** What is not as it should be, and could not be put back. */
  undesired(): Undesired[] {
    return [...this.faults.list(), ...this.mender.undesired(), ...this.routes.undesired()]
  }

  /**
   * The device is gone; made again in place as it was, with its MAC and what was set by hand. The caller tells native. Throws
   * when it cannot be made.
   */
  reopen(offloads: Config['offloads'], now: number): void {
    const { config, faults, state } = this
    let next: NetworkDevice
    try {
      next = NetworkDevice.open(config, offloads, state.mac, state.mtu)
    } catch (error) {
      const { message } = error as Error
      faults.note('device', config.interface, `a ${config.device} device`, `none: ${message}`, now)
      throw error
    }
    closeSync(state.fd)
    this.place.close()
    this.place.name = config.interface
    Object.assign(state, next.state)
    this.tso = next.tso
    this.uso = next.uso
    this.lost = false
    faults.clear('device')
    this.routes.deviceGone()
    this.restoreByHand()
    if (this.up) this.start(now)
  }

  close(): void {
    // Those that leave by other devices do not go with this one.
    ignore(null, () => this.routes.clear())
    closeSync(this.state.fd)
    this.place.close()
  }

  private configure(): void {
    for (const a of this.config.addresses) netdev.addAddress(this.place.name, a, this.netns)
  }

  // What the kernel gives by itself comes by itself.
  private restoreByHand(): void {
    const { name } = this.place
    const { master = 0, addresses = [] } = this.seen ?? {}
    const byHand = addresses.filter((a) => !this.config.addresses.includes(a) && !/^fe80:/i.test(a))
    // A bridge may be gone as well, an address taken.
    for (const a of byHand) ignore(null, () => netdev.addAddress(name, a, this.netns))
    if (master !== 0) ignore(null, () => netdev.setMaster(name, master, this.netns))
  }

  // WG §5.4.6 fills up to multiples of 16; beyond what a route lets through it would make of a packet that fits one that does
  // not. Routes name destinations and a peer has many: the smallest counts for all.
  private readPad(): void {
    const { config, state } = this
    if (config.security !== 'secure' || config.device !== 'tun') return
    const route = netdev.routeMtu(this.place.name, this.netns)
    state.pad = route === 0 ? state.mtu : Math.min(route, state.mtu)
  }

  private setMtu(mtu: number): void {
    netdev.setMtu(this.place.name, mtu, this.netns)
    ignore(['EINVAL', 'EOPNOTSUPP'], () =>
      netdev.setGsoMaxSize(this.place.name, gsoMaxSize(this.config, mtu), this.netns),
    )
    this.state.mtu = mtu
  }

  private setMac(mac: string): void {
    if (this.config.device === 'tap') netdev.setMac(this.place.name, mac, this.netns)
    this.state.mac = mac
  }

  // What is to be mended; what is followed is done, and goes to `followed`.
  private compare(rename: boolean, followed: string[], now: number): Mending[] {
    const { config, place } = this
    const link = netdev.link(place.name, this.netns)
    if (!link) return []
    this.seen = link
    const found = differences(config, this.state, link).map((d) => this.follow(d) ?? this.mending(d))
    followed.push(...found.filter((f) => typeof f === 'string'), ...this.followUp(link.up, now))
    const renaming = rename && place.name !== config.interface ? [this.rename()] : []
    const raising = !link.up && this.up ? [this.raise()] : []
    return [...raising, ...renaming, ...found.filter((f) => typeof f !== 'string')]
  }

  private bringHome(): Mending {
    const { config, place } = this
    const mend = (): void => {
      place.bringHome()
      if (this.up) netdev.setUp(place.name, place.netns)
    }
    return { reason: 'namespace', what: 'namespace', want: config.netns!, have: 'another', mend }
  }

  private raise(): Mending {
    const { place } = this
    const mend = (): void => netdev.setUp(place.name, place.netns)
    return { reason: 'state', what: 'state', want: 'up', have: 'down', mend }
  }

  private rename(): Mending {
    const { place } = this
    const want = this.config.interface
    const mend = (): void => {
      netdev.renameLink(place.name, want, place.netns)
      place.name = want
    }
    return { reason: 'name', what: 'name', want, have: place.name, mend }
  }

  // Null: the configuration names it.
  private follow(d: Difference): string | null {
    if (d.kind === 'mtu' && this.config.mtu === null) {
      this.state.mtu = d.have
      return `MTU is ${d.have} now: followed`
    }
    if (d.kind === 'mac' && this.config.mac === null) {
      this.state.mac = d.have
      return `MAC is ${d.have} now: followed`
    }
    return null
  }

  private mending(d: Difference): Mending {
    const { config, place } = this
    switch (d.kind) {
      case 'mtu': {
        const mend = (): void => this.setMtu(config.mtu!)
        return { reason: 'mtu', what: 'MTU', want: String(config.mtu), have: String(d.have), mend }
      }
      case 'mac': {
        const mend = (): void => this.setMac(config.mac!)
        return { reason: 'mac', what: 'MAC', want: config.mac!, have: d.have, mend }
      }
      case 'address': {
        const mend = (): void => {
          // IPv6 has an address once; its length would stay what it is.
          if (d.instead !== null) netdev.delAddress(place.name, d.instead, place.netns)
          netdev.addAddress(place.name, d.address, place.netns)
        }
        const have = d.instead === null ? 'missing' : `there as ${d.instead}`
        return { reason: 'address', what: `address ${d.address}`, want: PRESENT, have, mend }
      }
    }
  }

  // Up and down are the host's business, but for devices that are kept up.
  private followUp(up: boolean, now: number): string[] {
    const { faults } = this
    const before = this.up
    if (!up && before && this.config.keptUp) return []
    this.up = up
    if (up) faults.clear('state')
    else faults.note('state', this.config.interface, 'up', 'down', now)
    if (up === before) return []
    return [up ? 'is up again' : 'was set down: left so, nothing passes']
  }
}

function routeInto(prefix: string): HostRoute {
  return { prefix, via: null, interface: null, onlink: false, mtu: null }
}

/** What a packet of the network costs beside itself. `v6`: any end of it may be IPv6. */
export function overhead(network: Pick<NetworkConfig, 'security' | 'device' | 'bare'>, v6: boolean): number {
  if (network.bare) return v6 ? OVERHEAD_BARE_IPV6 : OVERHEAD_BARE_IPV4
  if (network.security === 'plain') return v6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4
  if (network.device === 'tun') return v6 ? OVERHEAD_SECURE_TUN_IPV6 : OVERHEAD_SECURE_TUN_IPV4
  return v6 ? OVERHEAD_SECURE_TAP_IPV6 : OVERHEAD_SECURE_TAP_IPV4
}

/** The default MTU of a device: what the underlay leaves. */
export function defaultMtu(underlayMtu: number, overhead: number): number {
  return Math.min(underlayMtu - overhead, DEVICE_MTU_MAX)
}

// As many whole segments as one UDP_SEGMENT message carries: a super-packet then leaves in one piece (docs/performance.md).
function gsoMaxSize(network: NetworkConfig, mtu: number): number {
  const datagram = mtu + overhead(network, false) - UDP_HEADERS
  const segments = Math.max(1, Math.min(Math.floor(MESSAGE_MAX / datagram), SEGMENTS_MAX))
  return Math.min(65536, Math.max(segments * (mtu - 52) + TCP_HEADER_ROOM, datagram))
}

function netnsOf(c: NetworkConfig): string | null {
  return c.netns === null ? null : netdev.netnsPath(c.netns)
}

function openRefusal(error: unknown, c: NetworkConfig, where: string): Refusal {
  if (error instanceof Refusal) return error
  const code = codeOf(error)
  const text = error instanceof Error ? error.message : String(error)
  if (code === 'EBUSY' || code === 'EEXIST') {
    return new Refusal(
      `${where}: busy (${text}); choose another \`interface\`, or see \`ip -d link show ${c.interface}\``,
      1,
      error,
    )
  }
  return refusalFrom(error, where, 'see docs/troubleshooting.md')
}

// codes null: whatever it is.
function ignore(codes: readonly string[] | null, call: () => void): void {
  try {
    call()
  } catch (error) {
    if (codes && !codes.includes(codeOf(error) ?? '')) throw error
  }
}
