// The peers of each network as control's orders place them: ids, endpoints, MACs, prefixes and static stations. Whole lists
// replace (`set-peers`); where members come and go by the hundred, one at a time changes (`change-peers`), at the cost of what
// changes alone. One owner: the data thread, between batches. Cold.
import { type Counters, MAX_TUNNELS, VTEP_MTU } from '../counters.ts'
import { NONE } from '../drop.ts'
import type { Network } from '../overlay/networks.ts'
import type { Prefix } from '../overlay/routes.ts'
import type { Vteps } from '../overlay/vteps.ts'
import { bindStatics } from './layer2-tables.ts'
import type { Far, Order, StaticStation } from './mailbox.ts'
import type { Native } from './tables.ts'
import type { Tunnels } from './tunnels.ts'

const NO_LOCAL = new Uint8Array(16)
const NO_PREFIXES: readonly Prefix[] = []

type PeersOrder = Order & { kind: 'set-peers' }

export interface FarEndsParts {
  readonly native: Native
  readonly vteps: Vteps
  readonly counters: Counters
  readonly tunnels: Tunnels
}

interface Side {
  /** VTEP ids of the peers and the prefixes that each was given. */
  peers: Map<number, readonly Prefix[]>
  /** The configuration's static entries; those of `fdb add` stay until stop. */
  statics: readonly Uint8Array[]
}

export class FarEnds {
  /** By tunnel: the VTEP of its secure layer 3 network, or NONE. */
  readonly bare = new Int32Array(MAX_TUNNELS).fill(NONE)
  private readonly p: FarEndsParts
  private readonly sides = new Map<number, Side>()
  private readonly sockaddrs = new Map<number, Uint8Array>()
  /** VTEPs that have a twin: few, and not for long. */
  private readonly twins = new Set<number>()
  /** Of an address with more than one MAC: the VTEP that is found → the others. */
  private readonly beside = new Map<number, number[]>()

  constructor(parts: FarEndsParts) {
    this.p = parts
  }

  addNetwork(id: number): void {
    this.sides.set(id, { peers: new Map(), statics: [] })
  }

  removeNetwork(network: Network): void {
    const { vteps } = this.p
    for (let vtep = 0; vtep < vteps.capacity; vtep++) if (vteps.network[vtep] === network.id) this.remove(network, vtep)
    this.sides.delete(network.id)
  }

  /** These peers and no others. Answers an id for each, NONE when there are none left. */
  replace(network: Network, { peers, statics, group }: PeersOrder, tick: number): number[] {
    const side = this.sides.get(network.id)!
    const before = side.peers
    side.peers = new Map()
    const ids = peers.map((p) => {
      const vtep = this.place(network, p)
      if (vtep !== NONE) side.peers.set(vtep, p.prefixes)
      return vtep
    })
    // First the lists, then the ids: nobody may name an id that is free.
    setFlood(
      network,
      group === undefined ? [...side.peers.keys()] : ids.slice(group, group + 1).filter((v) => v !== NONE),
    )
    for (const [vtep, prefixes] of before) for (const prefix of prefixes) network.routes.remove(prefix, vtep)
    for (const [vtep, prefixes] of side.peers) for (const prefix of prefixes) network.routes.put(prefix, vtep)
    for (const vtep of before.keys()) if (!side.peers.has(vtep)) this.remove(network, vtep)
    this.replaceStatics(network, side, statics, ids, tick)
    bindStatics(network, statics, ids)
    // The kernel knows no path to a group: what its interface takes is what control has said.
    if (group !== undefined) this.sockaddrs.delete(ids[group]!)
    return ids
  }

  /** First `gone` (ids) go, then `peers` come or change; the others stay. Answers an id for each of `peers`, or NONE. */
  change(network: Network, peers: readonly Far[], gone: readonly number[]): number[] {
    const side = this.sides.get(network.id)!
    for (const vtep of gone) {
      const prefixes = side.peers.get(vtep)
      if (!prefixes) continue
      for (const prefix of prefixes) network.routes.remove(prefix, vtep)
      side.peers.delete(vtep)
    }
    const ids = peers.map((p) => {
      const vtep = this.place(network, p, true)
      if (vtep === NONE) return NONE
      for (const prefix of side.peers.get(vtep) ?? NO_PREFIXES) network.routes.remove(prefix, vtep)
      for (const prefix of p.prefixes) network.routes.put(prefix, vtep)
      side.peers.set(vtep, p.prefixes)
      return vtep
    })
    // Layer 3 floods nothing.
    if (network.layer2) setFlood(network, [...side.peers.keys()])
    for (const vtep of gone) if (!side.peers.has(vtep)) this.remove(network, vtep)
    return ids
  }

  /** Writes a station that stays; false: the VTEP is not of this network. */
  putStatic(network: Network, mac: Uint8Array, vtep: number, tick: number): boolean {
    if (this.p.vteps.network[vtep] !== network.id) return false
    network.fdb.put(macHi(mac), macLo(mac), vtep, tick)
    return true
  }

  /** Frees a VTEP's id; nothing of its network names it afterwards. */
  remove(network: Network, vtep: number): void {
    const { vteps, tunnels, native } = this.p
    // Only a search tells which stations are behind it, and layer 3 has none.
    if (network.fdb.size > 0) network.fdb.forgetVtep(vtep)
    network.neighbours?.forgetVtep(vtep)
    const tunnel = vteps.tunnel[vtep]!
    if (tunnel !== NONE) {
      tunnels.endpoints.abandon(vtep, tunnel)
      if (this.bare[tunnel] === vtep) this.bare[tunnel] = NONE
    }
    native.clearEndpoint(vtep)
    this.sockaddrs.delete(vtep)
    this.setTwin(vtep, NONE)
    for (const other of this.twins) if (vteps.twin[other] === vtep) this.setTwin(other, NONE)
    this.stepAside(vtep)
    vteps.remove(vtep)
  }

  setEndpoint(vtep: number, address: Uint8Array, pool: number): void {
    this.sockaddrs.set(vtep, address)
    this.p.native.setEndpoint(vtep, address, NO_LOCAL, pool)
  }

  /** The kernel's word for the path MTU towards a VTEP in clear text; 0: what is known is as good. */
  pathMtu(vtep: number): number {
    const address = this.sockaddrs.get(vtep)
    const mtu = address ? this.p.native.pathMtu(address) : 0
    // No route at the moment: what was known stays.
    return mtu <= 0 || mtu === this.p.vteps.mtu[vtep] ? 0 : mtu
  }

  setMtu(vtep: number, mtu: number): void {
    this.p.vteps.mtu[vtep] = mtu
    this.p.counters.setVtep(vtep, VTEP_MTU, mtu)
  }

  // `apart`: with another MAC than the one there it is another.
  private place(network: Network, p: Far, apart = false): number {
    const { vteps, tunnels, counters } = this.p
    const [a, b, c, d] = p.words as [number, number, number, number]
    const had = vteps.find(network.id, a, b, c, d)
    const isFirst = had === NONE || !apart || p.mac === null || vteps.macFixed[had] === 0 || this.hasMac(had, p.mac)
    const vtep = isFirst ? vteps.add(network.id, a, b, c, d, false) : this.placeBeside(had, p.mac)
    if (vtep === NONE) return NONE
    if (had === NONE) counters.clearVtep(vtep)
    vteps.setStranger(vtep, false)
    this.setTwin(vtep, p.twin ?? NONE)
    if (p.tunnel !== NONE) {
      tunnels.endpoints.adopt(vtep, p.tunnel)
      if (!network.layer2) this.bare[p.tunnel] = vtep
      return vtep
    }
    this.setEndpoint(vtep, p.sockaddr, p.pool)
    this.setMtu(vtep, p.mtu)
    if (p.mac) {
      vteps.macHi[vtep] = macHi(p.mac)
      vteps.macLo[vtep] = macLo(p.mac)
    } else if (vteps.macFixed[vtep] === 1) {
      vteps.macHi[vtep] = 0xffff
      vteps.macLo[vtep] = -1
    }
    vteps.macFixed[vtep] = p.mac ? 1 : 0
    return vtep
  }

  private hasMac(vtep: number, mac: Uint8Array): boolean {
    const { vteps } = this.p
    return vteps.macHi[vtep] === macHi(mac) && vteps.macLo[vtep] === macLo(mac)
  }

  private placeBeside(first: number, mac: Uint8Array): number {
    const others = this.beside.get(first) ?? []
    const known = others.find((other) => this.hasMac(other, mac))
    if (known !== undefined) return known
    const vtep = this.p.vteps.addBeside(first)
    if (vtep === NONE) return NONE
    this.p.counters.clearVtep(vtep)
    this.beside.set(first, [...others, vtep])
    return vtep
  }

  // One that goes is found no more, if another has its address.
  private stepAside(vtep: number): void {
    const [next, ...rest] = this.beside.get(vtep) ?? []
    if (next !== undefined) {
      this.beside.delete(vtep)
      if (rest.length > 0) this.beside.set(next, rest)
      this.p.vteps.promote(next)
      return
    }
    for (const [first, others] of this.beside) {
      const left = others.filter((other) => other !== vtep)
      if (left.length > 0) this.beside.set(first, left)
      else this.beside.delete(first)
    }
  }

  private setTwin(vtep: number, twin: number): void {
    this.p.vteps.twin[vtep] = twin
    if (twin === NONE) this.twins.delete(vtep)
    else this.twins.add(vtep)
  }

  private replaceStatics(
    network: Network,
    side: Side,
    statics: readonly StaticStation[],
    ids: readonly number[],
    tick: number,
  ): void {
    for (const mac of side.statics) network.fdb.forget(macHi(mac), macLo(mac))
    const usable = statics.filter((s) => ids[s.peer] !== undefined && ids[s.peer] !== NONE)
    for (const s of usable) this.putStatic(network, s.mac, ids[s.peer]!, tick)
    side.statics = usable.map((s) => s.mac)
  }
}

function setFlood(network: Network, vteps: readonly number[]): void {
  network.flood = Int32Array.from(vteps)
  network.snoop?.setFlood(network.flood)
}

export function macHi(mac: Uint8Array): number {
  return (mac[0]! << 8) | mac[1]!
}

export function macLo(mac: Uint8Array): number {
  return (mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!
}
