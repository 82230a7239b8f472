// Devices and addresses of this host or of another network namespace: TUN and TAP opened, links read and set, changes heard
// of. By route netlink, no program is run. Links are named by name, or by index, which survives a renaming. Failed
// calls throw Error with code, errno and syscall, and a message for the operator. Cold.
import { EventEmitter } from 'node:events'
import { getSystemErrorMap } from 'node:util'
import * as native from './addon.ts'
import { macBytes, macText } from './mac.ts'
import { pollReadable } from './poll-readable.ts'
import { type KernelRoute, list as listRoutes } from './routes.ts'
import { addressBytes, addressText, cidrBytes } from './sockaddr.ts'

export type Switch = 'auto' | 'on' | 'off'

export interface DeviceSpec {
  /** 1 to 15 bytes, may hold %d; empty: the kernel chooses. */
  name: string
  kind: 'tap' | 'tun'
  /** Path of the namespace it lives in, or null: here. */
  netns: string | null
  /** TAP only; set before anything can see the device up. */
  mac: string | null
  mtu: number | null
  tso: Switch
  uso: Switch
  /** The longest super-packet that the kernel hands over, in bytes; null: as it is. Kernels without it go on without. */
  gsoMaxSize: number | null
  /** Default true: packets carry a virtio-net header. Without it there are no offloads. */
  vnetHdr?: boolean
  multiQueue?: boolean
  persist?: boolean
}

export interface Device {
  /** The caller's to close. */
  fd: number
  name: string
  index: number
  /** Lower case; null for TUN. */
  mac: string | null
  /** Takes TCP and UDP super-packets. */
  tcp: boolean
  udp: boolean
  /** 'on', 'off', or 'off: why'. */
  tso: string
  uso: string
}

export interface LinkState {
  index: number
  name: string
  /** 'tun', 'tap', 'veth', 'bridge', …; '' for hardware and the loopback device. */
  kind: string
  /** Lower case; null when it has none. */
  mac: string | null
  mtu: number
  /** IFF_UP: what was asked for, not whether there is a carrier. */
  up: boolean
  /** Index of the bridge or bond it belongs to; 0: none. */
  master: number
  /** Bytes. */
  gsoMaxSize: number
  /** CIDRs, in the kernel's order: of each family the primary address first. */
  addresses: string[]
}

const SWITCHES: readonly Switch[] = ['auto', 'on', 'off']
/** Longest name of a device, bytes: IFNAMSIZ less its zero. */
const NAME_MAX = 15
const IFF_UP = 1
const IN6_ADDR_GEN_MODE_NONE = 1

/**
 * Opens a TUN or TAP device, down and without addresses; a persistent one that nobody holds is taken as it is. EBUSY: the
 * name belongs to another process or to a device of another kind. On failure nothing is left behind.
 */
export function openDevice(spec: DeviceSpec): Device {
  checkSpec(spec)
  const flags =
    (spec.kind === 'tap' ? native.TUN_ETHERNET : 0) |
    (spec.vnetHdr === false ? 0 : native.TUN_VNET_HDR) |
    (spec.multiQueue ? native.TUN_MULTI_QUEUE : 0) |
    (spec.persist ? native.TUN_PERSIST : 0)
  const mac = spec.mac === null ? null : macBytes(spec.mac)
  const { tso, uso } = spec
  let d: native.OpenedTun
  try {
    const switches = [SWITCHES.indexOf(tso), SWITCHES.indexOf(uso)] as const
    d = native.tunOpen(spec.netns, spec.name, flags, mac, spec.mtu ?? -1, spec.gsoMaxSize ?? -1, ...switches)
  } catch (error) {
    throw openError(error, spec)
  }
  return {
    fd: d.fd,
    name: d.name,
    index: d.index,
    mac: spec.kind === 'tap' && d.mac ? macText(d.mac) : null,
    tcp: d.tcp,
    udp: d.udp,
    tso: offloadText(d.tcp, spec, tso, d.tsoError),
    uso: offloadText(d.udp, spec, uso, d.usoError),
  }
}

/** A link by name or index, or null when there is none. */
export function link(which: string | number, netns: string | null): LinkState | null {
  if (typeof which === 'string' && !isName(which)) return null
  const row = wrap(netns, `link ${which}`, () => native.linkGet(netns, which))
  if (!row) return null
  const addresses = wrap(netns, `addresses of ${which}`, () => native.addressList(netns, row.index))
  return {
    index: row.index,
    name: row.name,
    kind: row.kind,
    mac: row.mac ? macText(row.mac) : null,
    mtu: row.mtu,
    up: (row.flags & IFF_UP) !== 0,
    master: row.master,
    gsoMaxSize: row.gsoMaxSize,
    addresses: addresses.map((a) => `${addressText(a.bytes)}/${a.prefix}`),
  }
}

export function setMtu(which: string | number, mtu: number, netns: string | null): void {
  checkInteger('mtu', mtu, 0, 0x7fffffff)
  change(which, netns, `MTU ${mtu}`, { mtu })
}

export function setMac(which: string | number, mac: string, netns: string | null): void {
  change(which, netns, `MAC ${mac}`, { mac: macBytes(mac) })
}

export function setUp(which: string | number, netns: string | null): void {
  change(which, netns, 'up', { up: 1 })
}

export function setDown(which: string | number, netns: string | null): void {
  change(which, netns, 'down', { up: 0 })
}

/** Makes the link a port of a bridge or bond by its index; 0: of none. */
export function setMaster(which: string | number, master: number, netns: string | null): void {
  checkInteger('master', master, 0, 0x7fffffff)
  change(which, netns, `master ${master}`, { master })
}

/** The longest super-packet that the kernel hands to the device, bytes, both families. EINVAL: Linux before 5.18. */
export function setGsoMaxSize(which: string | number, bytes: number, netns: string | null): void {
  checkInteger('gsoMaxSize', bytes, 0, 0x7fffffff)
  change(which, netns, `gso_max_size ${bytes}`, { gso: bytes })
}

/** No link-local IPv6 address of its own making: what is not configured is not said. Call it before `setUp`. */
export function setAddrGenModeNone(which: string | number, netns: string | null): void {
  try {
    change(which, netns, 'addrgenmode none', { addrGenMode: IN6_ADDR_GEN_MODE_NONE })
  } catch (error) {
    // A host without IPv6 makes no such address either.
    if (codeOf(error) !== 'EAFNOSUPPORT') throw error
  }
}

/** EEXIST: another has the name. EBUSY: the kernel (before 6.2) wants the link down for that. */
export function renameLink(which: string | number, name: string, netns: string | null): void {
  if (!isDeviceName(name)) throw new TypeError(`want a device name, got ${JSON.stringify(name)}`)
  const index = indexOf(which, netns)
  wrap(netns, `${which}: cannot be called ${name}`, () => native.linkMove(netns, index, name, -1))
}

/** Moves it into the namespace of an fd; there it is down and has no addresses. EEXIST: another has its name there. */
export function moveLink(which: string | number, fd: number, netns: string | null): void {
  const index = indexOf(which, netns)
  wrap(netns, `${which}: cannot be moved`, () => native.linkMove(netns, index, null, fd))
}

export function deleteLink(which: string | number, netns: string | null): void {
  const index = indexOf(which, netns)
  wrap(netns, `${which}: cannot be deleted`, () => native.linkDelete(netns, index))
}

/** `cidr` with its host bits; it may be there already. An IPv6 address is usable at once (no duplicate detection). */
export function addAddress(which: string | number, cidr: string, netns: string | null): void {
  changeAddress(true, which, cidr, netns)
}

/** EADDRNOTAVAIL: it was not there. */
export function delAddress(which: string | number, cidr: string, netns: string | null): void {
  changeAddress(false, which, cidr, netns)
}

/** The smallest MTU that a route into the device names (`ip route add … mtu N`); 0: none does, or there is no such device. */
export function routeMtu(which: string | number, netns: string | null): number {
  const row = native.linkGet(netns, which)
  return row ? wrap(netns, `${which}: routes`, () => native.routeMtu(netns, row.index)) : 0
}

/** Name of the interface that the default route of a family leaves by, that of the lowest metric; null: there is none. */
export function defaultRouteInterface(family: 4 | 6, netns: string | null = null): string | null {
  const routes = wrap(netns, 'routes', () => listRoutes(family, netns))
  const found = routes.filter((r) => isDefault(r)).sort((a, b) => a.metric - b.metric)
  return found[0] ? (native.linkGet(netns, found[0].index)?.name ?? null) : null
}

/** CIDRs of an interface; none when there is no such interface. */
export function addressesOf(which: string | number, netns: string | null = null): string[] {
  return link(which, netns)?.addresses ?? []
}

/** The interface that has an address. */
export function interfaceOf(
  address: string,
  netns: string | null = null,
): { name: string; index: number; mtu: number } | null {
  const wanted = Buffer.from(addressBytes(address))
  const found = wrap(netns, 'addresses', () => native.addressList(netns, 0)).find((a) => wanted.equals(a.bytes))
  const row = found && native.linkGet(netns, found.index)
  return row ? { name: row.name, index: row.index, mtu: row.mtu } : null
}

/** Where a namespace is: a path as it is, a process id, or a name as `ip netns` has it. */
export function netnsPath(spec: string): string {
  if (spec.includes('/')) return spec
  return /^\d+$/.test(spec) ? `/proc/${spec}/ns/net` : `/run/netns/${spec}`
}

/** Changes closer together than this are told once, milliseconds. */
const JOIN = 20

/**
 * Emits 'change' when links, addresses or routes of a namespace changed; what changed, the listener looks up. Several within
 * a moment are one. Does not keep the process alive.
 */
export class Monitor extends EventEmitter<{ change: [] }> {
  private readonly poll: native.FdPoll
  private timer: NodeJS.Timeout | null = null
  private closed = false

  constructor(netns: string | null) {
    super()
    const fd = wrap(netns, 'route netlink', () => native.netlinkMonitor(netns))
    this.poll = pollReadable(fd, () => this.heard(fd))
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    if (this.timer) clearTimeout(this.timer)
    this.poll.close()
  }

  // Not waked for each of thousands: they gather in the socket, and what no longer fits there does not matter.
  private heard(fd: number): void {
    if (this.closed || this.timer) return
    this.poll.start(0)
    this.timer = setTimeout(() => {
      this.timer = null
      const isNews = native.netlinkDrain(fd)
      this.poll.start(native.FD_READABLE)
      if (isNews) this.emit('change')
    }, JOIN)
    this.timer.unref()
  }
}

interface LinkChange {
  mtu?: number
  up?: 0 | 1
  master?: number
  gso?: number
  addrGenMode?: number
  mac?: Uint8Array
}

function change(which: string | number, netns: string | null, what: string, c: LinkChange): void {
  const index = indexOf(which, netns)
  wrap(netns, `${which}: cannot set ${what}`, () =>
    native.linkSet(
      netns,
      index,
      c.mtu ?? -1,
      c.up ?? -1,
      c.master ?? -1,
      c.gso ?? -1,
      c.addrGenMode ?? -1,
      c.mac ?? null,
    ),
  )
}

function changeAddress(add: boolean, which: string | number, cidr: string, netns: string | null): void {
  const { bytes, prefix } = cidrBytes(cidr)
  const index = indexOf(which, netns)
  const what = `${which}: cannot ${add ? 'add' : 'remove'} address ${cidr}`
  wrap(netns, what, () => native.addressChange(netns, add, index, bytes, prefix))
}

function indexOf(which: string | number, netns: string | null): number {
  if (typeof which === 'number') return which
  const row = isName(which) ? wrap(netns, `link ${which}`, () => native.linkGet(netns, which)) : null
  if (row) return row.index
  const error = new Error(`there is no device ${which}`) as NodeJS.ErrnoException
  throw Object.assign(error, { code: 'ENODEV', errno: -19, syscall: 'RTM_GETLINK' })
}

function isDefault(r: KernelRoute): boolean {
  return r.prefix.endsWith('/0') && r.kind !== 'nowhere' && r.index !== 0
}

function isName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= NAME_MAX && !name.includes('\0')
}

function checkSpec(spec: DeviceSpec): void {
  const { name, kind } = spec
  if (kind !== 'tap' && kind !== 'tun') throw new TypeError(`want kind tap or tun, got ${JSON.stringify(kind)}`)
  if (typeof name !== 'string' || (name !== '' && !isDeviceName(name))) {
    throw new TypeError(
      `want a device name of 1 to ${NAME_MAX} bytes without spaces, / and :, got ${JSON.stringify(name)}`,
    )
  }
  if (spec.mac !== null && kind === 'tun') throw new TypeError('a tun device has no MAC')
  for (const s of [spec.tso, spec.uso]) {
    if (!SWITCHES.includes(s)) throw new TypeError(`want auto, on or off, got ${JSON.stringify(s)}`)
  }
  if (spec.mtu !== null) checkInteger('mtu', spec.mtu, 0, 65535)
  if (spec.gsoMaxSize !== null) checkInteger('gsoMaxSize', spec.gsoMaxSize, 0, 0x7fffffff)
}

/** dev_valid_name() in net/core/dev.c; a % other than one %d is refused by dev_alloc_name(). */
export function isDeviceName(name: string): boolean {
  return isName(name) && name !== '.' && name !== '..' && !/[\s/:]/.test(name) && /^[^%]*(%d[^%]*)?$/.test(name)
}

function checkInteger(what: string, n: number, low: number, high: number): void {
  if (Number.isInteger(n) && n >= low && n <= high) return
  throw new TypeError(`want ${what} as a whole number of ${low}..${high}, got ${JSON.stringify(n)}`)
}

function offloadText(on: boolean, spec: DeviceSpec, want: Switch, errno: number): string {
  if (on) return 'on'
  if (want === 'off') return 'off'
  if (spec.vnetHdr === false) return 'off: without a virtio-net header'
  return `off: this kernel refuses it (${getSystemErrorMap().get(errno)?.[0] ?? errno})`
}

function openError(error: unknown, spec: DeviceSpec): unknown {
  const e = error as NodeJS.ErrnoException & { detail?: string }
  if (e.syscall === undefined) return error
  const what = spec.name === '' ? `a new ${spec.kind} device` : spec.name
  if (e.syscall === 'open' && (e.code === 'ENOENT' || e.code === 'ENODEV' || e.code === 'ENXIO')) {
    e.message = '/dev/net/tun is missing: load it with `modprobe tun`, or give the container `--device /dev/net/tun`'
  } else if (e.code === 'EPERM' || e.code === 'EACCES') {
    e.message = `${what}: ${e.syscall} is not permitted; run as root or with CAP_NET_ADMIN`
  } else if (e.syscall === 'TUNSETIFF' && e.code === 'EBUSY') {
    e.message = `${what}: ${e.detail ?? 'another process holds the device'}`
  } else if (e.syscall === 'setns') {
    e.message = `no network namespace at ${spec.netns} (${e.code})`
  } else {
    e.message = `${what}: ${e.message}`
  }
  return e
}

// Runs a native call; its error gets the subject in front, or names the namespace when that is what failed.
function wrap<T>(netns: string | null, what: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    const e = error as NodeJS.ErrnoException
    if (e.syscall === 'setns') e.message = `no network namespace at ${netns} (${e.code})`
    else if (e.syscall !== undefined) e.message = `${what}: ${e.message}`
    throw e
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
