// One network's device on the host: made, configured, watched, repaired. What the configuration names is put back when
// somebody changes it; what it does not name is followed. Cold.
import { closeSync } from 'node:fs'
import { tunNetns } from '../host/addon.ts'
import * as netdev from '../host/netdev.ts'
import type { Undesired } from './api.ts'
import type { Config, NetworkConfig } from './model.ts'
import { codeOf, Refusal, refusalFrom } from './refusal.ts'

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

export class NetworkDevice {
  readonly config: NetworkConfig
  readonly state: DeviceState
  netns: string | null
  tso: string
  uso: string
  up = false
  private readonly defaultMac: string
  /** Of the namespace that somebody moved the device to; -1: it is where it was made. */
  private movedTo = -1
  private readonly undesired = new Map<string, Undesired>()

  private constructor(config: NetworkConfig, defaultMac: string, d: netdev.Device, mtu: number) {
    this.config = config
    this.netns = netnsOf(config)
    this.defaultMac = defaultMac
    this.tso = d.tso
    this.uso = d.uso
    this.state = { fd: d.fd, tcp: d.tcp, udp: d.udp, mtu, pad: 0, mac: d.mac ?? config.mac ?? defaultMac }
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
  start(): void {
    netdev.setUp(this.config.interface, this.netns)
    this.up = true
    this.addRoutes()
  }

  /** New addresses, MTU or MAC of a reload. `next` differs only in what changes live. */
  change(next: NetworkConfig, defaultMtu: number): void {
    const name = next.interface
    for (const a of this.config.addresses) {
      if (!next.addresses.includes(a)) ignore(['EADDRNOTAVAIL'], () => netdev.delAddress(name, a, this.netns))
    }
    if (next.mtu !== null && next.mtu !== this.state.mtu) this.setMtu(next.mtu)
    if (next.mtu === null && this.config.mtu !== null) this.setMtu(defaultMtu)
    const mac = next.mac ?? this.defaultMac
    if (mac !== this.state.mac) this.setMac(mac)
    Object.assign(this, { config: next })
    this.configure()
    this.readPad()
  }

  /** Prefixes that are routed into the device. Those that fell away are removed. */
  setRoutes(prefixes: readonly string[]): void {
    const wanted = new Set(prefixes)
    for (const old of this.routes) {
      if (!wanted.has(old)) {
        ignore(['ESRCH', 'ENOENT', 'ENODEV'], () => netdev.delRoute(old, this.config.interface, this.netns))
      }
    }
    this.routes = prefixes
    if (this.up) this.addRoutes()
  }
  private routes: readonly string[] = []

  /**
   * Compares the device with what it should be, puts back what the configuration names, follows the rest. Answers what it
   * did, for the log. `state.mtu`, `state.pad` and `state.mac` may have changed.
   */
  check(now: number): string[] {
    const link = netdev.link(this.config.interface, this.netns)
    if (!link) return []
    const did: string[] = []
    if (link.mtu !== this.state.mtu) did.push(...this.checkMtu(link.mtu))
    if (this.config.device === 'tap' && link.mac && link.mac !== this.state.mac) did.push(...this.checkMac(link.mac))
    for (const a of this.config.addresses) {
      if (!link.addresses.includes(a))
        did.push(...this.repair(`address ${a}`, now, a, 'missing', () => this.addAddress(a)))
    }
    if (link.up && !this.up) did.push('is up again')
    if (!link.up && this.up) did.push('was set down: left so, nothing passes')
    this.up = link.up
    this.note('state', now, 'up', link.up ? 'up' : 'down')
    if (link.up) this.addRoutes()
    this.readPad()
    return did
  }

  /** After somebody moved the device to another namespace: `netns` is that. False: it is where we thought, or gone. */
  relocate(): boolean {
    if (netdev.link(this.config.interface, this.netns)) return false
    let fd = -1
    try {
      fd = tunNetns(this.state.fd)
    } catch {
      // Gone, or a kernel that cannot tell (before 5.8): nothing to follow.
      return false
    }
    if (this.movedTo >= 0) closeSync(this.movedTo)
    this.movedTo = fd
    this.netns = `/proc/self/fd/${fd}`
    return true
  }

  /** What is not as it should be, and could not be put back. */
  faults(): Undesired[] {
    return [...this.undesired.values()]
  }

  /** The device is gone; made again in place. The caller tells native. Throws when it cannot be made. */
  reopen(offloads: Config['offloads']): void {
    const next = NetworkDevice.open(this.config, offloads, this.defaultMac, this.state.mtu)
    closeSync(this.state.fd)
    Object.assign(this.state, next.state)
    this.tso = next.tso
    this.uso = next.uso
  }

  close(): void {
    closeSync(this.state.fd)
    if (this.movedTo >= 0) closeSync(this.movedTo)
  }

  private configure(): void {
    for (const a of this.config.addresses) this.addAddress(a)
  }

  private addAddress(a: string): void {
    ignore(['EEXIST'], () => netdev.addAddress(this.config.interface, a, this.netns))
  }

  private addRoutes(): void {
    for (const prefix of this.routes) {
      ignore(['EEXIST', 'ENETDOWN'], () => netdev.addRoute(prefix, this.config.interface, this.netns))
    }
  }

  // WG §5.4.6 fills up to multiples of 16; beyond what a route lets through it would make of a packet that fits one that does
  // not. Routes name destinations and a peer has many: the smallest counts for all.
  private readPad(): void {
    const { config, state } = this
    if (config.security !== 'secure' || config.device !== 'tun') return
    const route = netdev.routeMtu(config.interface, this.netns)
    state.pad = route === 0 ? state.mtu : Math.min(route, state.mtu)
  }

  private setMtu(mtu: number): void {
    netdev.setMtu(this.config.interface, mtu, this.netns)
    ignore(['EINVAL', 'EOPNOTSUPP'], () =>
      netdev.setGsoMaxSize(this.config.interface, gsoMaxSize(this.config, mtu), this.netns),
    )
    this.state.mtu = mtu
  }

  private setMac(mac: string): void {
    if (this.config.device === 'tap') netdev.setMac(this.config.interface, mac, this.netns)
    this.state.mac = mac
  }

  private checkMtu(have: number): string[] {
    if (this.config.mtu === null) {
      this.state.mtu = have
      return [`MTU is ${have} now: followed`]
    }
    this.setMtu(this.config.mtu)
    return [`MTU was changed to ${have}: set back to ${this.config.mtu}`]
  }

  private checkMac(have: string): string[] {
    if (this.config.mac === null) {
      this.state.mac = have
      return [`MAC is ${have} now: followed`]
    }
    this.setMac(this.config.mac)
    return [`MAC was changed to ${have}: set back to ${this.config.mac}`]
  }

  private repair(what: string, now: number, want: string, have: string, mend: () => void): string[] {
    try {
      mend()
      this.undesired.delete(what)
      return [`${what} was missing: put back`]
    } catch (error) {
      this.note(what, now, want, have)
      return [`${what} is missing and could not be put back: ${error instanceof Error ? error.message : error}`]
    }
  }

  private note(what: string, now: number, want: string, have: string): void {
    if (want === have) this.undesired.delete(what)
    else if (!this.undesired.has(what)) {
      this.undesired.set(what, { what, where: this.config.interface, want, have, since: Math.floor(now / 1000) })
    }
  }
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

function ignore(codes: readonly string[], call: () => void): void {
  try {
    call()
  } catch (error) {
    if (!codes.includes(codeOf(error) ?? '')) throw error
  }
}
