// The typed door to the native addon: finds it, compares its layout with batch.ts, exports its calls. native/addon*.cc are
// the other side. Loads in the main thread and in workers; nothing is shared between them. Calls of the cold half throw
// Error with code, errno (negative), syscall and, when the kernel had a sentence of its own to say, detail.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ADDR_LEN, columnsSize, HEADROOM, LOCAL_LEN, TAILROOM } from '../batch.ts'
import { packageRoot } from '../version.ts'

/** The data thread's native half: native/engine.h. Every number is an id of the caller's choice; fds stay the caller's. */
export interface Engine {
  attach(columns: ArrayBuffer, slots: number, bytes: Uint8Array): number
  attachStats(stats: Float64Array): void
  wakeFd(): number
  setDevice(id: number, fd: number, ethernet: boolean, tcp: boolean, udp: boolean, mtu: number): void
  clearDevice(id: number): void
  setSocket(id: number, fd: number): void
  clearSocket(id: number): void
  setPool(id: number, fds: readonly number[], gso: boolean, maxSegments: number): void
  clearPool(id: number): void
  /** `pad`: what is sealed for it is filled up to a multiple of 16, at most to this many bytes; 0: it is not. */
  setEndpoint(id: number, address: Uint8Array, local: Uint8Array, pool: number, pad?: number): void
  clearEndpoint(id: number): void
  /** Sleeps up to the timeout (milliseconds), receives what there is into the two batches; answers Ready bits. */
  wait(timeout: number, frames: number, messages: number): number
  /** Number of failed slots, or -1: a socket is full. */
  send(batch: number, count: number): number
  resume(batch: number): number
  deliver(batch: number, count: number): number
  /**
   * Between batches. 32 bytes to seal or open with, and the far end's index of the session, by a slot below 65536. The key
   * is copied; the caller zeroes its own. Throws ENOTSUP when there is no cipher (aeadEngine() is null).
   */
  setKey(slot: number, key: Uint8Array, remoteIndex: number): void
  /** Zeroes it. A batch that waits for a full socket fails what it has not sent under this key (ENOKEY). */
  clearKey(slot: number): void
  /** Threads, 0 to 3, that may help to seal and open large batches; at first as many as there are cores to spare. */
  setHelpers(threads: number): void
  /**
   * Opens in place each slot with a length and a key: off and len cover one transport message, ctr has its counter. Then
   * err is 0 and the packet lies at off + 16, len - 32 bytes; or it is -EBADMSG (forged, or another key's), -ENOKEY,
   * -EINVAL. Answers how many failed.
   */
  open(batch: number, count: number): number
  /** The other way round, in place: off and len cover the message to be; 48 bytes in front and 16 behind are written over. */
  seal(batch: number, count: number): number
  nextChanged(): number
  nextGone(): number
  profile(on: boolean): void
  publish(): void
}

/** An fd on this thread's event loop, which owns it from then on; a started one keeps the loop alive unless unref'd. */
export interface FdPoll {
  /** FD_* bits to wait for; 0: nothing, and the loop may end. */
  start(events: number): void
  ref(): void
  unref(): void
  /** Closes the fd in the next turn of the loop, then calls `closed`. */
  close(): void
}

/** Packets of one TUN or TAP device; native/packets.h. Answers are -errno when negative. */
export interface Packets {
  /** Fills the slab: packet i is places[2i + 1] bytes at places[2i]. Answers how many; 0 when dry. */
  read(): number
  /** Writes packets[from..], answers how many it took. When not all: places[0] is the (positive) errno of the next. */
  write(packets: readonly Uint8Array[], from: number): number
  /** Whether there is something to read that no poll tells of: the rest of a super-packet. */
  pending(): boolean
  /** Lets go of the fd. */
  end(): void
}

export interface OpenedTun {
  fd: number
  name: string
  index: number
  mac: Uint8Array | null
  tcp: boolean
  udp: boolean
  /** -errno of a refused offload, or 0. */
  tsoError: number
  usoError: number
}

export interface LinkRow {
  index: number
  name: string
  kind: string
  mac: Uint8Array | null
  mtu: number
  flags: number
  master: number
  /** Of a veth its other end, of a VLAN what it is on; 0: none. */
  peer: number
  /** What this namespace calls the one that the peer is in; -1: it is here. */
  peerNetns: number
  gsoMaxSize: number
  persistent: boolean
  multiQueue: boolean
  /** Queues that somebody holds. */
  queues: number
}

export interface AddressRow {
  index: number
  bytes: Uint8Array
  prefix: number
  scope: number
  flags: number
}

/** A flow that connection tracking knows. */
export interface FlowRow {
  /** Of its first packet, as it came. */
  destination: Uint8Array
  /** Who its answers come from. */
  answerer: Uint8Array
  answererPort: number
  /** That its first packet was for. */
  port: number
  /** Its destination was changed on the way. */
  isMapped: boolean
  /** For flowForget. */
  handle: Uint8Array
}

/** An IP neighbour, or a station behind a port of a bridge. */
export interface NeighbourRow {
  /** Of the device, or of the port. */
  index: number
  bytes: Uint8Array
  mac: Uint8Array | null
  /** NUD_* */
  state: number
  /** Index of the bridge. */
  master: number
}

export interface Layout {
  headroom: number
  tailroom: number
  addrLen: number
  localLen: number
  columns8: number
  /** Bytes of slab that one more frame, or one received message, may need. */
  frameRoom: number
  datagramRoom: number
  messages: number
  poolPorts: number
  stats: number
  /** Segments that one UDP_SEGMENT message may have on this kernel. */
  maxSegments: number
}

interface Addon {
  Engine: new () => Engine
  FdPoll: new (fd: number, ready: (status: number, events: number) => void, closed: () => void) => FdPoll
  Packets: new (fd: number, ethernet: boolean, vnetHdr: boolean, slab: Uint8Array, places: Uint32Array) => Packets
  /** Milliseconds since the host started, its sleep included: what Engine.wait tells as well. */
  sinceBoot(): number
  aeadEngines(): string[]
  aeadEngine(): string | null
  aeadUse(name: string | null): void
  udpOpen(address: Uint8Array, flags: number, bufferBytes: number): number
  udpHasGso(fd: number): boolean
  udpMark(fd: number, mark: number): void
  /** Over IPv4: what the socket sends has no UDP checksum, or has one again. */
  udpNoCheck(fd: number, off: boolean): void
  /** Hears a group (a sockaddr) on one interface; native/udp_open.h. */
  udpJoin(fd: number, group: Uint8Array, interfaceIndex: number): void
  /** By which interface, and how far, a socket of one family sends to groups. */
  udpMulticast(fd: number, v6: boolean, interfaceIndex: number, hops: number): void
  pathMtu(address: Uint8Array, from?: Uint8Array): number
  wake(fd: number): void
  layout(): Layout
  slab(bytes: number): ArrayBuffer
  // netns: path of a namespace, or null for the thread's own. -1 leaves a number alone, null a MAC.
  tunOpen(
    netns: string | null,
    name: string,
    flags: number,
    mac: Uint8Array | null,
    mtu: number,
    gsoMaxSize: number,
    tso: number,
    uso: number,
  ): OpenedTun
  tunAttachQueue(fd: number, attach: boolean): void
  tunPersist(fd: number, persist: boolean): void
  /** An fd, the caller's, of the namespace that the device is in by now. EBADFD: the device is gone. */
  tunNetns(fd: number): number
  /** The device's name by now. EBADFD: the device is gone. */
  tunName(fd: number): string
  linkGet(netns: string | null, link: string | number): LinkRow | null
  linkList(netns: string | null): LinkRow[]
  linkSet(
    netns: string | null,
    index: number,
    mtu: number,
    up: number,
    master: number,
    gsoMaxSize: number,
    addrGenMode: number,
    mac: Uint8Array | null,
  ): void
  /** Another name, null: as it is; the namespace of an fd, -1: where it is. */
  linkMove(netns: string | null, index: number, name: string | null, fd: number): void
  linkDelete(netns: string | null, index: number): void
  addressChange(netns: string | null, add: boolean, index: number, bytes: Uint8Array, prefix: number): void
  /** index 0: of all links. */
  addressList(netns: string | null, index: number): AddressRow[]
  /** Rows of native/netlink.h's Route; verbs: 0 add, 1 replace, 2 delete. Answers 0 or -errno for each. */
  routeChange(netns: string | null, verbs: Uint8Array, rows: Uint8Array): Int32Array
  /** Rows of the main table; protocol 0: everybody's. */
  routeList(netns: string | null, family: 4 | 6, protocol: number): Uint8Array
  /** One row: the route that a packet takes; null: none. */
  routeTo(netns: string | null, address: Uint8Array): Uint8Array | null
  /** 7: stations behind bridges. */
  neighbourList(netns: string | null, family: 4 | 6 | 7): NeighbourRow[]
  /** What the namespace calls another; -1: it has no name for it. */
  netnsId(netns: string | null, fd: number): number
  /** The smallest MTU that a route out of the link names; 0: none does. */
  routeMtu(netns: string | null, index: number): number
  /** Of an IP protocol, to any of these ports. */
  flowList(family: 4 | 6, protocol: number, ports: Uint16Array): FlowRow[]
  flowForget(family: 4 | 6, handle: Uint8Array): void
  /** Of links, addresses and routes; `rules`: of nf_tables' rules instead. */
  netlinkMonitor(netns: string | null, rules?: boolean): number
  netlinkDrain(fd: number): boolean
  /** Events that nobody read in time, so far. */
  netlinkLost(fd: number): number
  /** An fd, or null when another has the lock. */
  lockFile(path: string): number | null
  notify(path: string, state: string): void
}

/** Flags of udpOpen: native/udp_open.h. */
export const UDP_RECEIVE = 1
export const UDP_MUTE = 2
export const UDP_NO_CHECK = 4
export const UDP_GRO = 8
export const UDP_PKTINFO = 16
export const UDP_SHARE = 32

/** Flags of tunOpen: native/addon_tun.cc. */
export const TUN_ETHERNET = 1
export const TUN_VNET_HDR = 2
export const TUN_MULTI_QUEUE = 4
export const TUN_PERSIST = 8

/** Events of FdPoll: uv_poll_event. */
export const FD_READABLE = 1
export const FD_WRITABLE = 2
/** Of a device: it is gone. Its end wakes waiters for packets and for this only (sock_def_readable), not those for errors. */
export const FD_PRIORITIZED = 8

const addon = load()

export const { udpOpen, udpHasGso, udpMark, udpNoCheck, udpJoin, udpMulticast, pathMtu, wake, layout, slab } = addon
/**
 * ChaCha20-Poly1305 as this process can do it: aeadEngines() names what passed the self-test, best first; aeadEngine() is
 * what the next Engine of this thread gets, null when there is none; aeadUse() chooses (null: the best).
 */
export const { aeadEngines, aeadEngine, aeadUse } = addon
export const { sinceBoot } = addon
export const { tunOpen, tunAttachQueue, tunPersist, tunNetns, tunName } = addon
export const { linkGet, linkList, linkSet, linkMove, linkDelete } = addon
export const { addressChange, addressList, routeChange, routeList, routeMtu, routeTo } = addon
export const { neighbourList, netnsId, flowList, flowForget } = addon
export const { netlinkMonitor, netlinkDrain, netlinkLost, lockFile } = addon
export const { Engine, FdPoll, Packets } = addon
/** One datagram to a service manager; src/host/notify.ts knows where it listens. */
export const sendNotification = addon.notify

function load(): Addon {
  const places = ['build/Release', `prebuilds/linux-${process.arch}`].map((at) => join(packageRoot, at, 'vtepd.node'))
  const found = places.find((p) => existsSync(p))
  if (!found) {
    throw new Error(
      `the native addon is not built (looked for ${places.join(' and ')}); run \`npm run build\` in ${packageRoot}` +
        ' (npm 12 and later: `npm install-scripts approve vtepd && npm rebuild vtepd`)',
    )
  }
  const loaded = createRequire(import.meta.url)(found) as Addon
  const has = loaded.layout()
  const want = {
    headroom: HEADROOM,
    tailroom: TAILROOM,
    addrLen: ADDR_LEN,
    localLen: LOCAL_LEN,
    columns8: columnsSize(8),
  }
  for (const [name, value] of Object.entries(want)) {
    if (has[name as keyof Layout] !== value) {
      throw new Error(
        `the native addon is of another version (${name} is ${has[name as keyof Layout]}); run \`npm run build\``,
      )
    }
  }
  return loaded
}
