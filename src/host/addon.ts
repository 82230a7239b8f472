// The typed door to the native addon: finds it, compares its layout with batch.ts, exports its calls. native/addon.cc and
// native/addon_host.cc are the other side. Loads in the main thread and in workers; nothing is shared between them.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ADDR_LEN, columnsSize, HEADROOM, LOCAL_LEN, TAILROOM } from '../batch.ts'

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
  setEndpoint(id: number, address: Uint8Array, local: Uint8Array, pool: number): void
  clearEndpoint(id: number): void
  /** Sleeps up to the timeout (milliseconds), receives what there is into the two batches; answers Ready bits. */
  wait(timeout: number, frames: number, messages: number): number
  /** Number of failed slots, or -1: a socket is full. */
  send(batch: number, count: number): number
  resume(batch: number): number
  deliver(batch: number, count: number): number
  nextChanged(): number
  nextGone(): number
  profile(on: boolean): void
  publish(): void
}

/** Readiness of an fd on this thread's event loop; `events` are FD_READABLE and FD_WRITABLE, or a negative errno. */
export interface FdPoll {
  start(events: number): void
  stop(): void
  close(): void
  ref(): void
  unref(): void
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
  FdPoll: new (fd: number, ready: (events: number) => void) => FdPoll
  udpOpen(address: Uint8Array, flags: number, bufferBytes: number): number
  udpHasGso(fd: number): boolean
  pathMtu(address: Uint8Array, from?: Uint8Array): number
  wake(fd: number): void
  layout(): Layout
  slab(bytes: number): ArrayBuffer
  tunOpen(name: string, flags: number, mac: Uint8Array | null, netns: string | null): { fd: number; name: string }
  tunSetOffload(fd: number, bits: number): number
  tunSetQueue(fd: number, attach: boolean): number
  netlinkRequest(netns: string | null, message: Uint8Array): Buffer[]
  netlinkListen(netns: string | null, groups: number): number
  netlinkDrain(fd: number): boolean
  sdNotify(socket: string, state: string): number
}

/** Flags of udpOpen: native/udp_open.h. */
export const UDP_RECEIVE = 1
export const UDP_MUTE = 2
export const UDP_NO_CHECK = 4
export const UDP_GRO = 8
export const UDP_PKTINFO = 16

/** Flags of tunOpen: native/tun_open.h. */
export const TUN_ETHERNET = 1
export const TUN_MULTI_QUEUE = 2
export const TUN_PERSIST = 4
export const TUN_VNET_HDR = 8

export const FD_READABLE = 1
export const FD_WRITABLE = 2

const addon = load()

export const { udpOpen, udpHasGso, pathMtu, wake, layout, slab } = addon
export const { tunOpen, tunSetOffload, tunSetQueue } = addon
export const { netlinkRequest, netlinkListen, netlinkDrain, sdNotify } = addon
export const Engine = addon.Engine
export const FdPoll = addon.FdPoll

function load(): Addon {
  const root = packageRoot()
  const places = [join(root, 'build/Release/vtepd.node'), join(root, `prebuilds/linux-${process.arch}/vtepd.node`)]
  const found = places.find((p) => existsSync(p))
  if (!found) {
    throw new Error(
      `the native addon is not built (looked for ${places.join(' and ')}); run \`npm run build\` in ${root}` +
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

// This file runs from src/, dist/ and copies of them: the package is the nearest one called vtepd.
function packageRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const file = join(at, 'package.json')
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'vtepd') return at
    if (dirname(at) === at) throw new Error('this file is not inside the vtepd package')
  }
}
