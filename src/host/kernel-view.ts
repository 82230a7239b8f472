// What the host's kernel knows beside what we have set: its links, the stations it has met, what other namespaces are called.
// For looking things up (`vtepd where`). Cold.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as native from './addon.ts'
import { macText } from './mac.ts'
import { addressText } from './sockaddr.ts'

/** Where ip-netns(8) and Docker keep the namespaces that have names. */
const NAMED = ['/run/netns', '/run/docker/netns']
const BRIDGE = 7
/** linux/neighbour.h NUD_*: what is no binding. */
const NO_BINDING = 0x01 | 0x20 | 0x40

export interface Link {
  readonly index: number
  readonly name: string
  /** 'veth', 'bridge', …; '' for hardware and the loopback device. */
  readonly kind: string
  readonly mac: string | null
  /** Name of the bridge or bond that it is a port of. */
  readonly master: string | null
  /** The other end of a veth: its name when it is here, else by number. */
  readonly peer: string | null
  /** What the namespace of the peer is called; null: it is here, or has no name. */
  readonly peerNetns: string | null
}

export interface Neighbour {
  /** Name of the device, or behind a bridge of the port. */
  readonly device: string
  /** null: behind a bridge, where only MACs are known. */
  readonly ip: string | null
  readonly mac: string
  /** Name of the bridge. */
  readonly bridge: string | null
}

/** One moment's links of a namespace; neighbours are asked for when they are wanted. */
export class KernelView {
  readonly links: readonly Link[]
  readonly netns: string | null
  private readonly names = new Map<number, string>()

  constructor(netns: string | null) {
    this.netns = netns
    const rows = native.linkList(netns)
    for (const row of rows) this.names.set(row.index, row.name)
    this.links = rows.map((row) => this.link(row))
  }

  name(index: number): string | null {
    return this.names.get(index) ?? null
  }

  /** Bindings of IP addresses to MACs, of both families. */
  neighbours(): Neighbour[] {
    return ([4, 6] as const).flatMap((family) =>
      native.neighbourList(this.netns, family).flatMap((row) => this.neighbour(row, addressText(row.bytes))),
    )
  }

  /** Stations that bridges of this namespace have learned. */
  stations(): Neighbour[] {
    return native.neighbourList(this.netns, BRIDGE).flatMap((row) => this.neighbour(row, null))
  }

  private neighbour(row: native.NeighbourRow, ip: string | null): Neighbour[] {
    if (!row.mac || row.state & NO_BINDING) return []
    const device = this.name(row.index) ?? `#${row.index}`
    return [{ device, ip, mac: macText(row.mac), bridge: row.master === 0 ? null : this.name(row.master) }]
  }

  private link(row: native.LinkRow): Link {
    const { index, name, kind, mac, master, peer, peerNetns } = row
    const here = peer !== 0 && peer !== index && peerNetns < 0
    return {
      index,
      name,
      kind,
      mac: mac ? macText(mac) : null,
      master: master === 0 ? null : this.name(master),
      peer: peer === 0 || peer === index ? null : here ? (this.name(peer) ?? `#${peer}`) : `#${peer}`,
      peerNetns: peerNetns < 0 ? null : namespaceName(peerNetns, this.netns),
    }
  }
}

// The kernel numbers namespaces; people name them by files.
function namespaceName(id: number, netns: string | null): string | null {
  for (const dir of NAMED) {
    for (const name of entries(dir)) {
      if (idOf(join(dir, name), netns) === id) return name
    }
  }
  return null
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

function idOf(path: string, netns: string | null): number {
  let fd = -1
  try {
    fd = openSync(path, 'r')
    return native.netnsId(netns, fd)
  } catch {
    // It went away, or is no namespace.
    return -1
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
