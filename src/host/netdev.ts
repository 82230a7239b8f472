// Devices, addresses and routes of this host or of another network namespace: TUN and TAP opened, links read and set, changes
// heard of. By route netlink, no program is run. Failed calls throw Error with code, errno and syscall. Cold.
import { EventEmitter } from 'node:events'
import { closeSync } from 'node:fs'
import {
  FD_READABLE,
  FdPoll,
  netlinkDrain,
  netlinkListen,
  netlinkRequest,
  TUN_ETHERNET,
  TUN_MULTI_QUEUE,
  TUN_PERSIST,
  TUN_VNET_HDR,
  tunOpen,
  tunSetOffload,
} from './addon.ts'
import * as rt from './rtnetlink.ts'

export interface DeviceSpec {
  /** 1 to 15 bytes; empty: the kernel chooses. */
  name: string
  kind: 'tap' | 'tun'
  /** Path of the namespace it lives in, or null: here. */
  netns: string | null
  /** TAP only; set before anybody sees the device. */
  mac: string | null
  mtu: number | null
  tso: 'auto' | 'on' | 'off'
  uso: 'auto' | 'on' | 'off'
  /** The longest super-packet that the kernel hands over, in bytes; null: 65536. */
  gsoMaxSize: number | null
  multiQueue?: boolean
  persist?: boolean
}

export interface Device {
  fd: number
  name: string
  index: number
  /** Lower case; null for TUN. */
  mac: string | null
  /** Takes TCP and UDP super-packets. */
  tcp: boolean
  udp: boolean
  /** 'on', or 'off: why'. */
  tso: string
  uso: string
}

export interface LinkState {
  index: number
  name: string
  /** IFLA_INFO_KIND: 'tun', 'veth', …; '' for hardware. */
  kind: string
  mac: string | null
  mtu: number
  /** IFF_UP. */
  up: boolean
  /** Index of the bridge or bond it belongs to; 0: none. */
  master: number
  /** CIDRs. */
  addresses: string[]
}

// linux/if_tun.h
const TUN_F_CSUM = 0x01
const TUN_F_TSO4 = 0x02
const TUN_F_TSO6 = 0x04
const TUN_F_TSO_ECN = 0x08
const TUN_F_USO4 = 0x20
const TUN_F_USO6 = 0x40

// linux/if_link.h
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_MASTER = 10
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFLA_AF_SPEC = 26
const IFLA_INET6_ADDR_GEN_MODE = 8
const IFLA_GSO_MAX_SIZE = 41
const IFLA_GSO_IPV4_MAX_SIZE = 63
const IN6_ADDR_GEN_MODE_NONE = 1
const IFF_UP = 1

// linux/if_addr.h, linux/rtnetlink.h
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_NODAD = 2
const RTA_DST = 1
const RTA_OIF = 4
const RTA_PRIORITY = 6
const RTPROT_STATIC = 4
const RT_SCOPE_LINK = 253
const RT_SCOPE_UNIVERSE = 0
const RT_TABLE_MAIN = 254

/** Opens a TUN or TAP device, down and without addresses. On failure nothing is left behind. */
export function openDevice(spec: DeviceSpec): Device {
  const flags =
    TUN_VNET_HDR |
    (spec.kind === 'tap' ? TUN_ETHERNET : 0) |
    (spec.multiQueue ? TUN_MULTI_QUEUE : 0) |
    (spec.persist ? TUN_PERSIST : 0)
  const { fd, name } = openTun(spec, flags)
  try {
    const offloads = probeOffloads(fd, spec.tso, spec.uso)
    if (spec.mtu !== null) setMtu(name, spec.mtu, spec.netns)
    if (spec.gsoMaxSize !== null) trySetGsoMaxSize(name, spec.gsoMaxSize, spec.netns)
    const state = link(name, spec.netns)!
    return { fd, name, index: state.index, mac: spec.kind === 'tap' ? state.mac : null, ...offloads }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** A link by name, or null when there is none. */
export function link(name: string, netns: string | null): LinkState | null {
  const ask = rt.message(rt.RTM_GETLINK, 0, rt.ifinfo(0), [{ type: IFLA_IFNAME, value: rt.text(name) }])
  let answer: Buffer[]
  try {
    answer = netlinkRequest(netns, acked(ask))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return null
    throw error
  }
  const first = answer[0]
  if (!first) return null
  const state = readLink(first)
  state.addresses = addresses(netns).flatMap((a) => (a.index === state.index ? [a.cidr] : []))
  return state
}

/** All links of a namespace, without their addresses. */
export function links(netns: string | null): LinkState[] {
  return netlinkRequest(netns, rt.message(rt.RTM_GETLINK, rt.NLM_F_DUMP, rt.ifinfo(0), [])).map(readLink)
}

export function setMtu(name: string, mtu: number, netns: string | null): void {
  setLink(name, netns, [{ type: IFLA_MTU, value: rt.u32(mtu) }])
}

export function setMac(name: string, mac: string, netns: string | null): void {
  setLink(name, netns, [{ type: IFLA_ADDRESS, value: macBytes(mac) }])
}

export function setUp(name: string, netns: string | null): void {
  request(netns, rt.RTM_NEWLINK, rt.NLM_F_ACK, rt.ifinfo(indexOf(name, netns), IFF_UP, IFF_UP), [])
}

export function setDown(name: string, netns: string | null): void {
  request(netns, rt.RTM_NEWLINK, rt.NLM_F_ACK, rt.ifinfo(indexOf(name, netns), 0, IFF_UP), [])
}

/** The longest super-packet that the kernel hands to the device, both families (Linux 6.3 keeps IPv4's apart). */
export function setGsoMaxSize(name: string, bytes: number, netns: string | null): void {
  setLink(name, netns, [{ type: IFLA_GSO_MAX_SIZE, value: rt.u32(bytes) }])
  try {
    setLink(name, netns, [{ type: IFLA_GSO_IPV4_MAX_SIZE, value: rt.u32(bytes) }])
  } catch {
    // Older kernels have one limit for both.
  }
}

/** No link-local IPv6 address of its own making: what is not configured is not said. */
export function setAddrGenModeNone(name: string, netns: string | null): void {
  const mode = { type: IFLA_INET6_ADDR_GEN_MODE, value: Uint8Array.of(IN6_ADDR_GEN_MODE_NONE) }
  setLink(name, netns, [rt.nested(IFLA_AF_SPEC, [rt.nested(rt.AF_INET6, [mode])])])
}

/** `cidr` with its host bits. An IPv6 address is usable at once (no duplicate address detection). */
export function addAddress(name: string, cidr: string, netns: string | null): void {
  changeAddress(rt.RTM_NEWADDR, rt.NLM_F_ACK | rt.NLM_F_CREATE | rt.NLM_F_EXCL, name, cidr, netns)
}

export function delAddress(name: string, cidr: string, netns: string | null): void {
  changeAddress(rt.RTM_DELADDR, rt.NLM_F_ACK, name, cidr, netns)
}

/** Routes a prefix into the device, in the main table. */
export function addRoute(prefix: string, name: string, netns: string | null): void {
  changeRoute(rt.RTM_NEWROUTE, rt.NLM_F_ACK | rt.NLM_F_CREATE | rt.NLM_F_EXCL, prefix, name, netns)
}

export function delRoute(prefix: string, name: string, netns: string | null): void {
  changeRoute(rt.RTM_DELROUTE, rt.NLM_F_ACK, prefix, name, netns)
}

/** Name of the interface that the default route of a family (4 or 6) leaves by; the one of the least metric. */
export function defaultRouteInterface(family: 4 | 6): string | null {
  const af = family === 4 ? rt.AF_INET : rt.AF_INET6
  const dump = netlinkRequest(null, rt.message(rt.RTM_GETROUTE, rt.NLM_F_DUMP, rt.rtmsg(af, 0, 0, 0), []))
  const defaults = dump
    .map((m) => rt.parse(m, 12))
    .filter((m) => m.fixed.getUint8(0) === af && m.fixed.getUint8(1) === 0 && m.fixed.getUint8(4) === RT_TABLE_MAIN)
    .filter((m) => m.attributes.has(RTA_OIF))
    .map((m) => ({ oif: rt.readU32(m.attributes.get(RTA_OIF)!), metric: metricOf(m.attributes) }))
    .sort((a, b) => a.metric - b.metric)
  const first = defaults[0]
  return first ? (links(null).find((l) => l.index === first.oif)?.name ?? null) : null
}

/** CIDRs of an interface of this namespace. */
export function addressesOf(name: string): string[] {
  return link(name, null)?.addresses ?? []
}

/** The interface of this namespace that has an address, with its MTU. */
export function interfaceOf(address: string): { name: string; index: number; mtu: number } | null {
  const wanted = rt.addressText(rt.addressBytes(address))
  const found = addresses(null).find((a) => a.cidr.split('/')[0] === wanted)
  const state = found && links(null).find((l) => l.index === found.index)
  return state ? { name: state.name, index: state.index, mtu: state.mtu } : null
}

/** Where a namespace is: a path as it is, a process id, or a name as `ip netns` has it. */
export function netnsPath(spec: string): string {
  if (spec.includes('/')) return spec
  return /^\d+$/.test(spec) ? `/proc/${spec}/ns/net` : `/run/netns/${spec}`
}

/** Emits 'change' when links, addresses or routes of a namespace changed; what changed, the listener looks up. */
export class Monitor extends EventEmitter {
  private readonly fd: number
  private readonly poll: FdPoll
  private closed = false

  constructor(netns: string | null) {
    super()
    const RTMGRP_LINK = 1
    const RTMGRP_IPV4_IFADDR = 0x10
    const RTMGRP_IPV4_ROUTE = 0x40
    const RTMGRP_IPV6_IFADDR = 0x100
    const RTMGRP_IPV6_ROUTE = 0x400
    this.fd = netlinkListen(
      netns,
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
    )
    this.poll = new FdPoll(this.fd, () => {
      if (!this.closed && netlinkDrain(this.fd)) this.emit('change')
    })
    this.poll.start(FD_READABLE)
    this.poll.unref()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.poll.close()
    closeSync(this.fd)
  }
}

function openTun(spec: DeviceSpec, flags: number): { fd: number; name: string } {
  try {
    return tunOpen(spec.name, flags, spec.mac === null ? null : macBytes(spec.mac), spec.netns)
  } catch (error) {
    const e = error as NodeJS.ErrnoException
    if (e.syscall === 'open /dev/net/tun' && (e.code === 'ENOENT' || e.code === 'ENODEV' || e.code === 'ENXIO')) {
      e.message = '/dev/net/tun is missing: load it with `modprobe tun`, or give the container `--device /dev/net/tun`'
    } else if (e.syscall === 'TUNSETIFF' && e.code === 'EBUSY') {
      e.message = `another process holds the device ${spec.name}`
    } else if (e.syscall === 'TUNSETIFF' && (e.code === 'EINVAL' || e.code === 'EEXIST')) {
      // The name is another kind of device's, or a TUN's where a TAP is asked for.
      e.code = 'EEXIST'
      e.message = `${spec.name} exists and is no ${spec.kind.toUpperCase()} device`
    } else if (e.syscall === 'setns') {
      e.message = `no network namespace at ${spec.netns} (${e.code})`
    }
    throw e
  }
}

// CSUM and TSO go together; TSO_ECN and USO (Linux 6.2) are tried on top, each may be missing.
function probeOffloads(fd: number, tso: Switch, uso: Switch): Pick<Device, 'tcp' | 'udp' | 'tso' | 'uso'> {
  const TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
  let bits = 0
  let tsoState = 'off: by configuration'
  let usoState = 'off: by configuration'
  const takes = (more: number): boolean => {
    if (tunSetOffload(fd, bits | more) < 0) return false
    bits |= more
    return true
  }
  if (tso !== 'off') {
    tsoState = takes(TSO) ? 'on' : 'off: this kernel refuses TUNSETOFFLOAD'
    if (tsoState === 'on') takes(TUN_F_TSO_ECN)
  }
  if (uso !== 'off') {
    const USO = TUN_F_USO4 | TUN_F_USO6
    usoState = takes(USO) || takes(TUN_F_CSUM | USO) ? 'on' : 'off: this kernel has no USO for TUN (Linux 6.2)'
  }
  if (bits === 0) tunSetOffload(fd, 0)
  return { tcp: tsoState === 'on', udp: usoState === 'on', tso: tsoState, uso: usoState }
}

type Switch = 'auto' | 'on' | 'off'

function trySetGsoMaxSize(name: string, bytes: number, netns: string | null): void {
  try {
    setGsoMaxSize(name, bytes, netns)
  } catch (error) {
    // It only keeps super-packets from needing two messages; devices of kernels before 5.18 have no such setting.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EINVAL' && code !== 'EOPNOTSUPP') throw error
  }
}

function readLink(bytes: Buffer): LinkState {
  const { fixed, attributes } = rt.parse(bytes, 16)
  const mac = attributes.get(IFLA_ADDRESS)
  const info = attributes.get(IFLA_LINKINFO)
  const kind = info ? rt.attributesIn(info).get(IFLA_INFO_KIND) : undefined
  const master = attributes.get(IFLA_MASTER)
  return {
    index: fixed.getInt32(4, rt.littleEndian),
    name: rt.readText(attributes.get(IFLA_IFNAME) ?? new Uint8Array(0)),
    kind: kind ? rt.readText(kind) : '',
    mac: mac && mac.length === 6 ? macText(mac) : null,
    mtu: rt.readU32(attributes.get(IFLA_MTU)!),
    up: (fixed.getUint32(8, rt.littleEndian) & IFF_UP) !== 0,
    master: master ? rt.readU32(master) : 0,
    addresses: [],
  }
}

function addresses(netns: string | null): { index: number; cidr: string }[] {
  const dump = netlinkRequest(netns, rt.message(rt.RTM_GETADDR, rt.NLM_F_DUMP, rt.ifaddr(0, 0, 0), []))
  return dump.flatMap((m) => {
    const { fixed, attributes } = rt.parse(m, 8)
    const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
    if (!address) return []
    const index = fixed.getUint32(4, rt.littleEndian)
    return [{ index, cidr: `${rt.addressText(address)}/${fixed.getUint8(1)}` }]
  })
}

function setLink(name: string, netns: string | null, attributes: readonly rt.Attribute[]): void {
  request(netns, rt.RTM_NEWLINK, rt.NLM_F_ACK, rt.ifinfo(indexOf(name, netns)), attributes)
}

function changeAddress(type: number, flags: number, name: string, cidr: string, netns: string | null): void {
  const [address, length] = cidr.split('/') as [string, string]
  const bytes = rt.addressBytes(address)
  const v6 = bytes.length === 16
  const attributes = [
    { type: IFA_LOCAL, value: bytes },
    { type: IFA_ADDRESS, value: bytes },
  ]
  if (v6) attributes.push({ type: IFA_FLAGS, value: rt.u32(IFA_F_NODAD) })
  const fixed = rt.ifaddr(v6 ? rt.AF_INET6 : rt.AF_INET, Number(length), indexOf(name, netns))
  request(netns, type, flags, fixed, attributes)
}

function changeRoute(type: number, flags: number, prefix: string, name: string, netns: string | null): void {
  const [address, length] = prefix.split('/') as [string, string]
  const bytes = rt.addressBytes(address)
  const v6 = bytes.length === 16
  const fixed = rt.rtmsg(
    v6 ? rt.AF_INET6 : rt.AF_INET,
    Number(length),
    RTPROT_STATIC,
    v6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
  )
  request(netns, type, flags, fixed, [
    { type: RTA_DST, value: bytes },
    { type: RTA_OIF, value: rt.u32(indexOf(name, netns)) },
  ])
}

function request(
  netns: string | null,
  type: number,
  flags: number,
  fixed: Uint8Array,
  attributes: readonly rt.Attribute[],
): void {
  netlinkRequest(netns, rt.message(type, flags, fixed, attributes))
}

function indexOf(name: string, netns: string | null): number {
  const ask = rt.message(rt.RTM_GETLINK, 0, rt.ifinfo(0), [{ type: IFLA_IFNAME, value: rt.text(name) }])
  const answer = netlinkRequest(netns, acked(ask))
  return rt.parse(answer[0]!, 16).fixed.getInt32(4, rt.littleEndian)
}

// A question about one object is answered by the object alone; with an acknowledgement behind it the answer has an end.
function acked(message: Uint8Array): Uint8Array {
  const view = new DataView(message.buffer)
  view.setUint16(6, view.getUint16(6, rt.littleEndian) | rt.NLM_F_ACK, rt.littleEndian)
  return message
}

function metricOf(attributes: Map<number, Uint8Array>): number {
  const metric = attributes.get(RTA_PRIORITY)
  return metric ? rt.readU32(metric) : 0
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16))
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':')
}
