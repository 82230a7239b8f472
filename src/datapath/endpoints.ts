// Where the far ends of tunnels are, and what native and the VTEPs that are reached through them know of it. Warm (moved: once a
// batch and tunnel), cold otherwise.
//
//   a tunnel   one far end's number, the same here and in control
//   a member   a VTEP that is reached through it, one in each of its networks; all have the tunnel's endpoint
//   its MTU    the kernel's path MTU, or less where probing has found that less arrives (path-mtus.ts)
import { ADDR_LEN, LOCAL_LEN } from '../batch.ts'
import { MAX_TUNNELS, MAX_VTEPS } from '../counters.ts'
import { NONE } from '../drop.ts'
import type { Vteps } from '../overlay/vteps.ts'
import { KEEPALIVE_LEN } from '../wire/wireguard.ts'
import type { News } from './mailbox.ts'
import type { KernelPath } from './path-probe.ts'

/** What native does for it; host/addon's Engine has this shape. */
export interface EndpointNative {
  setEndpoint(id: number, address: Uint8Array, local: Uint8Array, pool: number, pad?: number): void
  clearEndpoint(id: number): void
  /** The kernel's path MTU to a sockaddr, or -errno. */
  pathMtu(address: Uint8Array): number
}

export interface EndpointsParts {
  readonly native: EndpointNative
  readonly vteps: Vteps
  news(n: News): void
  /** A member's path MTU, in bytes, is this from now on. */
  setMtu(vtep: number, mtu: number): void
}

const AF_INET6 = 10
/** Outer IPv4 or IPv6, UDP, and what seals. */
const OVERHEAD4 = 20 + 8 + KEEPALIVE_LEN
const OVERHEAD6 = 40 + 8 + KEEPALIVE_LEN

interface Place {
  readonly tunnel: number
  readonly members: Set<number>
  /** A sockaddr; the family is 0 until somebody knows. */
  readonly address: Uint8Array
  /** Our address that it was last reached at; zero: the kernel chooses. */
  readonly local: Uint8Array
  known: boolean
  /** The kernel's path MTU, 0: not known; what probing has found, 0: no less than that; and the smaller of both. */
  kernel: number
  probed: number
  mtu: number
}

export type PathWatch = (tunnel: number, path: KernelPath) => void

export class Endpoints {
  private readonly p: EndpointsParts
  private readonly watch: PathWatch
  private readonly places: (Place | undefined)[] = new Array(MAX_TUNNELS).fill(undefined)
  /** By network. */
  private readonly pads = new Map<number, number>()
  private pool4: number = NONE
  private pool6: number = NONE

  constructor(parts: EndpointsParts, watch: PathWatch) {
    this.p = parts
    this.watch = watch
  }

  /** Whether anybody knows where it is. Hot. */
  reachable(tunnel: number): boolean {
    return this.places[tunnel]?.known === true
  }

  has(tunnel: number): boolean {
    return this.places[tunnel] !== undefined
  }

  /** Calls back with every tunnel's number. */
  each(visit: (tunnel: number) => void): void {
    for (const place of this.places) if (place) visit(place.tunnel)
  }

  add(tunnel: number): void {
    const [address, local] = [new Uint8Array(ADDR_LEN), new Uint8Array(LOCAL_LEN)]
    this.places[tunnel] = { tunnel, members: new Set(), address, local, known: false, kernel: 0, probed: 0, mtu: 0 }
  }

  /** Its members have been abandoned before. */
  remove(tunnel: number): void {
    this.places[tunnel] = undefined
    this.p.native.clearEndpoint(this.id(tunnel))
  }

  /** Native's number for it. */
  id(tunnel: number): number {
    return MAX_VTEPS + tunnel
  }

  /** The configuration's word: it is at this sockaddr. */
  set(tunnel: number, address: Uint8Array): void {
    const place = this.places[tunnel]!
    const moved = !same(place.address, address, 0)
    place.address.set(address)
    place.local.fill(0)
    this.put(place, moved)
  }

  /**
   * WG §2.1: the far end is where its newest authentic message came from, `addr` at `at`, and is answered from where that went
   * to.
   */
  moved(tunnel: number, addr: Uint8Array, at: number, local: Uint8Array, localAt: number): void {
    const place = this.places[tunnel]
    if (place === undefined) return
    if (place.known && same(place.address, addr, at) && same(place.local, local, localAt)) return
    const roamed = !place.known || !same(place.address, addr, at)
    place.address.set(addr.subarray(at, at + ADDR_LEN))
    place.local.set(local.subarray(localAt, localAt + LOCAL_LEN))
    this.put(place, roamed)
    if (roamed) this.p.news({ kind: 'roamed', tunnel, address: place.address.slice() })
  }

  /** The kernel chooses from which address of ours it is spoken to. */
  forgetSource(tunnel: number): void {
    const place = this.places[tunnel]
    if (place === undefined || place.local.every((byte) => byte === 0)) return
    place.local.fill(0)
    this.put(place, false)
  }

  /** By which sockets sealed messages leave. */
  setPools(pool4: number, pool6: number): void {
    if (pool4 === this.pool4 && pool6 === this.pool6) return
    this.pool4 = pool4
    this.pool6 = pool6
    for (const place of this.places) if (place?.known) this.put(place, false)
  }

  poolFor(address: Uint8Array): number {
    return isV6(address) ? this.pool6 : this.pool4
  }

  /** What is sealed for a network is filled up to at most this. 0: not at all. */
  setPad(network: number, pad: number): void {
    if (this.pads.get(network) === pad) return
    this.pads.set(network, pad)
    for (const place of this.places) if (place?.known) this.putMembers(place)
  }

  adopt(vtep: number, tunnel: number): void {
    const place = this.places[tunnel]
    if (place === undefined) throw new Error(`no tunnel with number ${tunnel}`)
    place.members.add(vtep)
    if (place.known) this.putMembers(place)
  }

  abandon(vtep: number, tunnel: number): void {
    this.places[tunnel]?.members.delete(vtep)
  }

  /** Asks the kernel for the path MTU again. */
  learnMtu(tunnel: number): void {
    const place = this.places[tunnel]
    if (place?.known) this.askMtu(place, false)
  }

  /** Tells the path's watch what is known already. */
  tellPath(tunnel: number): void {
    const place = this.places[tunnel]
    if (place?.known && place.kernel > 0)
      this.watch(tunnel, { mtu: place.kernel, v6: isV6(place.address), moved: true })
  }

  /** Probing has found that the path carries so much; 0: whatever the kernel says. */
  setProbed(tunnel: number, mtu: number): void {
    const place = this.places[tunnel]
    if (place === undefined) return
    place.probed = mtu
    this.refreshMtu(place)
  }

  /** Bytes that outer headers and seal take. */
  overhead(tunnel: number): number {
    const place = this.places[tunnel]
    return place !== undefined && isV6(place.address) ? OVERHEAD6 : OVERHEAD4
  }

  private put(place: Place, moved: boolean): void {
    place.known = true
    this.p.native.setEndpoint(this.id(place.tunnel), place.address, place.local, this.poolFor(place.address))
    this.askMtu(place, moved)
    this.putMembers(place)
  }

  private putMembers(place: Place): void {
    const { vteps, native } = this.p
    const overhead = isV6(place.address) ? OVERHEAD6 : OVERHEAD4
    for (const vtep of place.members) {
      vteps.overhead[vtep] = overhead
      if (vteps.mtu[vtep] !== place.mtu) this.p.setMtu(vtep, place.mtu)
      const most = this.pads.get(vteps.network[vtep]!) ?? 0
      const pad = place.mtu === 0 ? most : Math.min(most, place.mtu - overhead)
      vteps.pad[vtep] = Math.max(0, pad)
      native.setEndpoint(vtep, place.address, place.local, this.poolFor(place.address), vteps.pad[vtep])
    }
  }

  // No route at the moment: what was known stays, unless it was about another place.
  private askMtu(place: Place, moved: boolean): void {
    const answer = this.p.native.pathMtu(place.address)
    const mtu = answer > 0 ? answer : place.kernel
    if (mtu === place.kernel && !moved) return
    // What probing has found is about this place, and about a path of which the kernel knew no better.
    if (moved || mtu > place.kernel) place.probed = 0
    place.kernel = mtu
    this.refreshMtu(place)
    this.watch(place.tunnel, { mtu, v6: isV6(place.address), moved })
  }

  private refreshMtu(place: Place): void {
    const mtu = place.probed === 0 ? place.kernel : Math.min(place.kernel, place.probed)
    if (mtu === place.mtu) return
    const first = place.mtu === 0
    place.mtu = mtu
    this.putMembers(place)
    const [vtep] = place.members
    if (!first && vtep !== undefined) this.p.news({ kind: 'mtu', vtep, mtu })
  }
}

function same(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let k = 0; k < a.length; k++) if (a[k] !== b[at + k]) return false
  return true
}

// The family of a sockaddr is in host order; one of its two bytes is zero.
function isV6(address: Uint8Array): boolean {
  return address[0]! + address[1]! === AF_INET6
}
