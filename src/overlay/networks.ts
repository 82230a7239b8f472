// The networks this host is in: by VNI and port for what comes in, by device id for what goes out; who may speak in each.
// RFC 7348 §4.1. A network's id is its device's id in native. Temperature: hot (byVni, columns), cold (add, remove).
import { NONE } from '../drop.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as vxlan from '../wire/vxlan.ts'
import type { Fdb } from './fdb.ts'
import type { Neighbours } from './neighbours.ts'
import type { Routes } from './routes.ts'
import type { Snoop } from './snoop.ts'
import type { Storm } from './storm.ts'

/** Who may send VXLAN into a network beside its peers. */
export const PEERS = 0
export const CIDRS = 1
export const ANY = 2

/** A range of addresses: four big-endian words, IPv4 mapped (::ffff:0:0/96). */
export interface Range {
  readonly words: readonly number[]
  readonly length: number
}

export class Network {
  readonly id: number
  /** NONE: bare. */
  readonly vni: number
  readonly layer2: boolean
  /** Packets stand in UDP as they are: no VNI tells whose they are, the port does. */
  readonly bare: boolean
  /** Sealed: frames behind a VXLAN header, packets bare. */
  readonly secure: boolean
  /** UDP port of a plain network; 0: a secure one. */
  readonly port: number
  /** Bytes that the walk puts in front of what a device hands over. */
  readonly front: number
  readonly fdb: Fdb
  readonly routes: Routes
  /** Layer 2: whose address is which; null: `suppressArp` is off. */
  neighbours: Neighbours | null = null
  /** Layer 2: who listens to which group. */
  snoop: Snoop | null = null
  /** What may be flooded; null: no limit. */
  storm: Storm | null = null
  /** Of its multicast group's socket: `tagOf`; NONE: it has no group. */
  groupTag = NONE
  /** Our own MAC. */
  macHi = 0
  macLo = 0
  /** Who gets broadcast, multicast and unknown destinations. */
  flood = new Int32Array(0)
  floodOn = true
  learning = true
  accept = PEERS
  ranges: readonly Range[] = []
  keepVlan = false
  copyEcn = true
  /** Outer DSCP << 2, or -1: the inner packet's. */
  dscp = 0
  hashPort = true
  sourceCheck = true
  /** TCP's SYNs are told to offer no more than the path carries. */
  mssClamp = false
  /** Bytes of IP packet that the device takes; 0: not known. */
  deviceMtu = 0
  /** Somebody captures this network's frames. */
  captured = false

  constructor(id: number, vni: number, layer2: boolean, port: number, fdb: Fdb, routes: Routes) {
    this.id = id
    this.vni = vni
    this.layer2 = layer2
    this.bare = vni === NONE
    this.secure = port === 0
    this.port = port
    this.front = layer2 ? vxlan.LEN : this.secure || this.bare ? 0 : vxlan.LEN + ethernet.LEN
    this.fdb = fdb
    this.routes = routes
  }

  /** Whether a stranger with this address may speak here. Cold: asked once per stranger and batch. */
  admits(a: number, b: number, c: number, d: number): boolean {
    if (this.accept === PEERS) return false
    if (this.accept === ANY) return true
    for (let i = 0; i < this.ranges.length; i++) {
      const range = this.ranges[i]!
      if (covers(range, 0, a) && covers(range, 1, b) && covers(range, 2, c) && covers(range, 3, d)) return true
    }
    return false
  }
}

/** What tells a receiving socket from others: its port, and for that of a multicast group the group's number, from 1. */
export function tagOf(port: number, group: number): number {
  return port | (group << 16)
}

export class Networks {
  private readonly byId: (Network | undefined)[] = []
  private readonly byNumber = new Map<number, Network>()
  private readonly byPort = new Map<number, Network>()
  /** Whether there is a bare network at all. */
  anyBare = false

  add(network: Network): void {
    this.byId[network.id] = network
    if (network.bare) this.byPort.set(network.port, network)
    else this.byNumber.set(network.vni, network)
    this.anyBare = this.byPort.size > 0
  }

  remove(id: number): void {
    const network = this.byId[id]
    if (!network) return
    // Another network may have taken the VNI over.
    if (this.byNumber.get(network.vni) === network) this.byNumber.delete(network.vni)
    if (this.byPort.get(network.port) === network) this.byPort.delete(network.port)
    this.anyBare = this.byPort.size > 0
    this.byId[id] = undefined
  }

  /** The network of a device, undefined when it has just gone. */
  at(id: number): Network | undefined {
    return this.byId[id]
  }

  /** The network of a VNI; the caller compares its port and whether it is secure. VNIs are unique on a host. */
  byVni(vni: number): Network | undefined {
    return this.byNumber.get(vni)
  }

  /** The bare network of a port, which is no other network's. */
  bareOn(port: number): Network | undefined {
    return this.byPort.get(port)
  }

  all(): Network[] {
    return this.byId.filter((network) => network !== undefined)
  }
}

function covers(range: Range, index: number, word: number): boolean {
  const n = range.length - index * 32
  const mask = n >= 32 ? -1 : n <= 0 ? 0 : -1 << (32 - n)
  return (word & mask) === (range.words[index]! & mask)
}
