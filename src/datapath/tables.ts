// The data thread's tables, and what control's orders do to them and to native. One owner: only the data thread's loop calls
// this, between batches. Cold, but for the two callbacks that the walks use.
import { type Counters, FDB_ENTRIES, MAX_VTEPS } from '../counters.ts'
import { NONE } from '../drop.ts'
import { Fdb, TICK } from '../overlay/fdb.ts'
import { Network, Networks } from '../overlay/networks.ts'
import { Routes } from '../overlay/routes.ts'
import { Vteps } from '../overlay/vteps.ts'
import type { Answers } from './answers.ts'
import { FarEnds, macHi, macLo } from './far-ends.ts'
import { bindControl, configureLayer2, expireLayer2, listNeighbours, listStations } from './layer2-tables.ts'
import type { News, Order, Settings } from './mailbox.ts'
import { Settlement } from './settlement.ts'
import { obeyTunnels } from './tunnel-orders.ts'
import { type TunnelNative, Tunnels } from './tunnels.ts'

/** What native does for the tables; host/addon's Engine has this shape. */
export interface Native extends TunnelNative {
  setDevice(id: number, fd: number, ethernet: boolean, tcp: boolean, udp: boolean, mtu: number): void
  clearDevice(id: number): void
  setSocket(id: number, fd: number): void
  clearSocket(id: number): void
  setPool(id: number, fds: readonly number[], gso: boolean, maxSegments: number): void
  clearPool(id: number): void
}

/** Addresses that speak without being peers get at most half of the ids, so that peers always find one. */
const STRANGERS_MAX = MAX_VTEPS / 2
/** Calls of `expire` between two looks at what is seldom looked at. */
const SELDOM = 10
/** Paths that the kernel is asked about at once: some microseconds each. */
const PATHS = 64
/** Milliseconds between two mentions of the same trouble in a network. */
const MENTION = 60_000

interface Side {
  strangerPort: number
  pool4: number
  pool6: number
  mentioned: number
}

export class Tables {
  readonly networks = new Networks()
  readonly vteps: Vteps
  /** Port of each receiving socket, by socket id; SEALED: WireGuard's. */
  readonly ports = new Int32Array(4096)
  readonly settlement: Settlement
  readonly tunnels: Tunnels
  readonly farEnds: FarEnds
  private readonly native: Native
  private readonly counters: Counters
  private readonly news: (n: News) => void
  private readonly seed: number
  private readonly sides = new Map<number, Side>()
  private rounds = 0
  /** The VTEP whose path was asked for last. */
  private asked = NONE
  /** Time of the batch in hand, milliseconds. */
  now = 0

  constructor(native: Native, counters: Counters, answers: Answers, seed: number, news: (n: News) => void) {
    this.native = native
    this.counters = counters
    this.seed = seed
    this.news = news
    const { networks } = this
    const vteps = new Vteps(MAX_VTEPS, seed)
    this.vteps = vteps
    this.settlement = new Settlement({
      networks,
      vteps,
      counters,
      answers,
      learnMtu: (vtep) => this.learnMtu(vtep),
      sealedSent: (tunnel, bytes, longest) => this.tunnels.sealedSent(tunnel, bytes, longest),
      sealedFailed: (tunnel, error) => this.tunnels.sealedFailed(tunnel, error),
    })
    this.tunnels = new Tunnels({
      native,
      vteps,
      counters,
      settlement: this.settlement,
      random: chance(seed),
      seed,
      news,
      setMtu: (vtep, mtu) => this.farEnds.setMtu(vtep, mtu),
    })
    this.farEnds = new FarEnds({ native, vteps, counters, tunnels: this.tunnels })
  }

  get tick(): number {
    return Math.floor(this.now / TICK) | 0
  }

  /** Does an order and returns its answer. Throws when it cannot be done; then nothing has changed. */
  handle(order: Order): unknown {
    const answer = this.obey(order)
    for (const n of this.networks.all()) this.counters.setNetwork(n.id, FDB_ENTRIES, n.fdb.size)
    return answer
  }

  private obey(order: Order): unknown {
    switch (order.kind) {
      case 'add-network':
        return this.addNetwork(order)
      case 'set-network':
        return this.setNetwork(order.id, order.settings)
      case 'remove-network':
        return this.removeNetwork(order.id)
      case 'set-peers':
        return this.setPeers(order)
      case 'change-peers':
        return this.farEnds.change(this.network(order.id), order.peers, order.gone)
      case 'set-strangers':
        return this.setStrangers(order)
      case 'set-device':
        return this.setDevice(order)
      case 'remove-device':
        return this.native.clearDevice(order.id)
      case 'set-socket':
        this.native.setSocket(order.id, order.fd)
        this.ports[order.id] = order.port
        return undefined
      case 'remove-socket':
        this.ports[order.id] = 0
        return this.native.clearSocket(order.id)
      case 'set-pool':
        return this.native.setPool(order.id, order.fds, order.gso, order.maxSegments)
      case 'remove-pool':
        return this.native.clearPool(order.id)
      case 'set-mtu':
        return this.farEnds.setMtu(order.vtep, order.mtu)
      case 'fdb-add':
        return this.farEnds.putStatic(this.network(order.id), order.mac, order.vtep, this.tick)
      case 'fdb-del':
        return this.network(order.id).fdb.forget(macHi(order.mac), macLo(order.mac))
      case 'fdb-list':
        return this.listed(order.id, (n) => listStations(n, this.tick, (vtep) => this.words(vtep)))
      case 'set-bindings':
        return bindControl(this.network(order.id), order.bindings)
      case 'neighbour-list':
        return this.listed(order.id, (n) => listNeighbours(n, this.tick))
      case 'capture':
        this.network(order.id).captured = order.on
        return undefined
      default:
        return obeyTunnels(this.tunnels, order)
    }
  }

  /** Once a second: old stations go, and strangers with nothing behind them. */
  expire(): void {
    for (const network of this.networks.all()) {
      network.fdb.expire(this.tick)
      this.counters.setNetwork(network.id, FDB_ENTRIES, network.fdb.size)
      const duplicate = expireLayer2(network, this.tick)
      if (duplicate) this.news({ kind: 'duplicate', id: network.id, ...duplicate })
    }
    this.rounds++
    if (this.rounds % SELDOM !== 0) return
    if (this.vteps.strangers > 0) this.forgetIdleStrangers()
    this.askPaths()
  }

  /** For the inbound walk: an id for a stranger that `accept` lets in, or NONE. */
  addStranger(network: Network, a: number, b: number, c: number, d: number): number {
    if (this.vteps.strangers >= STRANGERS_MAX) return NONE
    const id = this.vteps.add(network.id, a, b, c, d, true)
    if (id === NONE) return NONE
    this.counters.clearVtep(id)
    this.placeStranger(id)
    this.learnMtu(id)
    return id
  }

  /** For the inbound walk: somebody else has our MAC. */
  ownMac(network: Network, vtep: number): void {
    const side = this.side(network.id)
    if (this.now - side.mentioned < MENTION) return
    side.mentioned = this.now
    this.news({ kind: 'own-mac', id: network.id, words: this.words(vtep) })
  }

  /** For the outbound walk, and after ICMP errors: asks the kernel for the path MTU towards a VTEP. */
  learnMtu(vtep: number): void {
    if (vtep >= MAX_VTEPS) {
      this.tunnels.endpoints.learnMtu(vtep - MAX_VTEPS)
      return
    }
    const tunnel = this.vteps.tunnel[vtep]!
    if (tunnel !== NONE) {
      this.tunnels.endpoints.learnMtu(tunnel)
      return
    }
    const mtu = this.farEnds.pathMtu(vtep)
    if (mtu === 0) return
    this.farEnds.setMtu(vtep, mtu)
    this.news({ kind: 'mtu', vtep, mtu })
  }

  // A path that was narrow becomes wide without a word: what an ICMP error said the kernel forgets after ten minutes
  // (net.ipv4.route.mtu_expires), and of strangers control does not know. Some of all each time, one after the other.
  private askPaths(): void {
    const { capacity, network } = this.vteps
    let left = PATHS
    for (let n = 0; n < capacity && left > 0; n++) {
      this.asked = (this.asked + 1) % capacity
      if (network[this.asked] === NONE) continue
      left--
      this.learnMtu(this.asked)
    }
  }

  private setDevice(o: Order & { kind: 'set-device' }): void {
    const network = this.networks.at(o.id)
    if (network) network.deviceMtu = o.mtu
    this.tunnels.endpoints.setPad(o.id, o.pad)
    this.native.setDevice(o.id, o.fd, o.layer2, o.tcp, o.udp, o.mtu)
  }

  // One may have spoken before its network knew by which sockets it answers; and a reload may name others.
  private setStrangers({ id, port, pool4, pool6 }: Order & { kind: 'set-strangers' }): void {
    const side = this.side(id)
    if (side.strangerPort === port && side.pool4 === pool4 && side.pool6 === pool6) return
    Object.assign(side, { strangerPort: port, pool4, pool6 })
    for (const vtep of this.strangersOf(id)) this.placeStranger(vtep)
  }

  private placeStranger(vtep: number): void {
    const { strangerPort, pool4, pool6 } = this.side(this.vteps.network[vtep]!)
    const words = this.words(vtep)
    const v6 = !(words[0] === 0 && words[1] === 0 && words[2] === 0xffff)
    this.farEnds.setEndpoint(vtep, sockaddr(v6, words, strangerPort), v6 ? pool6 : pool4)
  }

  private addNetwork(o: Order & { kind: 'add-network' }): void {
    const fdb = new Fdb(o.settings.macLimit, Math.ceil(o.settings.ageing / TICK), this.seed)
    this.networks.add(new Network(o.id, o.vni, o.layer2, o.port, fdb, new Routes(this.seed)))
    this.counters.clearNetwork(o.id)
    this.sides.set(o.id, {
      strangerPort: o.port,
      pool4: NONE,
      pool6: NONE,
      mentioned: Number.NEGATIVE_INFINITY,
    })
    this.farEnds.addNetwork(o.id)
    this.setNetwork(o.id, o.settings)
  }

  private setNetwork(id: number, s: Settings): void {
    const n = this.network(id)
    n.macHi = macHi(s.mac)
    n.macLo = macLo(s.mac)
    n.learning = s.learning
    n.floodOn = s.floodOn
    n.accept = s.accept
    n.ranges = s.ranges
    n.keepVlan = s.keepVlan
    n.copyEcn = s.copyEcn
    n.dscp = s.dscp
    n.hashPort = s.hashPort
    n.sourceCheck = s.sourceCheck
    n.mssClamp = s.mssClamp
    n.fdb.configure(s.macLimit, Math.ceil(s.ageing / TICK))
    configureLayer2(n, s, this.seed, this.now)
    if (!s.learning) n.fdb.forgetLearnedAll()
  }

  // Behind the settings: a stranger that they admit no longer may be a peer now, and keeps its stations. Others lose them with their ids.
  private setPeers(o: Order & { kind: 'set-peers' }): number[] {
    const n = this.network(o.id)
    const ids = this.farEnds.replace(n, o, this.tick)
    for (const vtep of this.strangersOf(o.id)) {
      const [a, b, c, d] = this.words(vtep) as [number, number, number, number]
      if (!n.admits(a, b, c, d)) this.farEnds.remove(n, vtep)
    }
    return ids
  }

  private removeNetwork(id: number): void {
    const network = this.network(id)
    this.farEnds.removeNetwork(network)
    this.networks.remove(id)
    this.sides.delete(id)
    this.counters.clearNetwork(id)
  }

  private forgetIdleStrangers(): void {
    const used = new Uint8Array(this.vteps.capacity)
    for (const n of this.networks.all()) {
      n.fdb.each(this.tick, (_hi, _lo, vtep) => {
        used[vtep] = 1
      })
    }
    for (let vtep = 0; vtep < this.vteps.capacity; vtep++) {
      if (this.vteps.stranger[vtep] === 0 || used[vtep] === 1) continue
      const network = this.networks.at(this.vteps.network[vtep]!)
      if (network) this.farEnds.remove(network, vtep)
    }
  }

  private strangersOf(id: number): number[] {
    const found: number[] = []
    const { capacity, network, stranger } = this.vteps
    for (let vtep = 0; vtep < capacity; vtep++) if (network[vtep] === id && stranger[vtep] === 1) found.push(vtep)
    return found
  }

  private words(vtep: number): number[] {
    return [...this.vteps.words.subarray(vtep * 4, vtep * 4 + 4)]
  }

  private network(id: number): Network {
    const n = this.networks.at(id)
    if (!n) throw new Error(`no network with id ${id}`)
    return n
  }

  // Somebody may ask while the network goes.
  private listed<T>(id: number, list: (n: Network) => T[]): T[] {
    const n = this.networks.at(id)
    return n ? list(n) : []
  }

  private side(id: number): Side {
    return this.sides.get(id)!
  }
}

// Jitter, which need not be secret: xorshift32 (Marsaglia 2003).
function chance(seed: number): () => number {
  let x = seed | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) / 2 ** 32
  }
}

// sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). The family is in host order; both bytes orders of this small number differ.
function sockaddr(v6: boolean, words: readonly number[], port: number): Uint8Array {
  const out = new Uint8Array(32)
  const view = new DataView(out.buffer)
  new Uint16Array(out.buffer, 0, 1)[0] = v6 ? 10 : 2
  view.setUint16(2, port)
  if (v6) for (let k = 0; k < 4; k++) view.setInt32(8 + k * 4, words[k]!)
  else view.setInt32(4, words[3]!)
  return out
}
