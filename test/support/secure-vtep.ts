// Hosts of secure networks in memory: vtep.ts's walks with the sealed half around them (unseal, side door, sessions), joined as the
// data thread's loop joins them; control's half of the handshakes, one turn behind as another thread is; the reference AEAD in
// native's place. One wire and one clock for all of them, both the test's.
import { Batch } from '../../src/batch.ts'
import type { KeyPair } from '../../src/crypto/x25519.ts'
import { type News, type Order, SEALED } from '../../src/datapath/mailbox.ts'
import { Unseal } from '../../src/datapath/unseal.ts'
import { BAD_TAG, NONE } from '../../src/drop.ts'
import { pack, unpack } from '../../src/host/sockaddr.ts'
import { FULL, type Link } from '../../src/link.ts'
import { keyWords } from '../../src/overlay/vteps.ts'
import * as message from '../../src/wire/wireguard.ts'
import { Handshakes } from '../../src/wireguard/handshakes.ts'
import { chance } from './keys.ts'
import { datagrams, type Key, open } from './reference/seal.ts'
import { generator } from './seed.ts'
import { trains } from './virtual-wire.ts'
import { FakeNative, type Frame, far, type Sent, Vtep, type Wire } from './vtep.ts'

export const PORT = 51820
const SOCKET = 1
const EMSGSIZE = -90
const ENOKEY = -126
/** Outer headers over IPv4. */
const OUTER = 28

export interface Datagram {
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
  readonly tos: number
}

export class SealingNative extends FakeNative {
  readonly keys = new Map<number, Key>()
  readonly pads = new Map<number, number>()

  override setKey(slot: number, key: Uint8Array, remote: number): void {
    if (this.keys.has(slot)) throw new Error(`slot ${slot} has a key`)
    this.keys.set(slot, { key: key.slice(), remote })
  }

  override clearKey(slot: number): void {
    if (!this.keys.delete(slot)) throw new Error(`slot ${slot} has no key`)
  }

  override setEndpoint(id: number, address: Uint8Array, local: Uint8Array, pool: number, pad = 0): void {
    super.setEndpoint(id, address, local, pool)
    this.pads.set(id, pad)
  }

  override pathMtu(address: Uint8Array): number {
    return this.mtus.get(unpack(address)!.address) ?? 1500
  }
}

/** The WireGuard socket: seals, and refuses what is larger than the path. */
class SealedSocket implements Link {
  /** So many calls find it full. */
  full = 0
  private readonly native: SealingNative
  private readonly out: (to: string, bytes: Uint8Array, tos: number) => void
  private readonly mtu: (to: string) => number
  /** Of the batch in hand: the keys when it came. */
  private keys: (Key | undefined)[] = []

  constructor(native: SealingNative, out: SealedSocket['out'], mtu: SealedSocket['mtu']) {
    this.native = native
    this.out = out
    this.mtu = mtu
  }

  receive(): number {
    return 0
  }

  send(b: Batch): number {
    this.keys = Array.from({ length: b.count }, (_, j) => this.native.keys.get(b.key[j]!))
    return this.resume(b)
  }

  resume(b: Batch): number {
    if (this.full > 0) {
      this.full--
      return FULL
    }
    let failed = 0
    for (let j = 0; j < b.count; j++) {
      b.err[j] = this.sendOne(b, j)
      if (b.err[j] !== 0) failed++
    }
    return failed
  }

  private sendOne(b: Batch, j: number): number {
    const { native } = this
    const key = native.keys.get(b.key[j]!)
    // Gone, or another one's by now, while the socket was full.
    if (key !== this.keys[j] || (b.key[j]! >= 0 && key === undefined)) return ENOKEY
    const peer = b.peer[j]!
    const to = peer === NONE ? unpack(b.addr, j * 32)!.address : native.endpoints.get(peer)!.address
    const all = datagrams(b, j, key, native.pads.get(peer) ?? 0)
    const mtu = this.mtu(to)
    if (all.some((bytes) => bytes.length + OUTER > mtu)) {
      native.mtus.set(to, mtu)
      return EMSGSIZE
    }
    for (const bytes of all) this.out(to, bytes, b.tos[j]!)
    return 0
  }
}

/** A peer as `meet` takes it. */
export interface Met {
  readonly endpoint?: string
  readonly psk?: Uint8Array
  /** Milliseconds. */
  readonly keepalive?: number
  /** No agent: it is not asked for its path MTU. */
  readonly stock?: boolean
}

export class SecureVtep extends Vtep {
  address: string
  readonly handshakes: Handshakes
  readonly socket: SealedSocket
  /** Frames that the device is about to hand over, and those that it got. */
  readonly queue: Frame[] = []
  readonly got: Sent[] = []
  /** Sealed datagrams that reached the socket. */
  arrived = 0
  private readonly world: World
  private readonly unseal: Unseal
  private orders: Order[] = []
  private full = false
  private doorFull = false
  private sweptAt = 0

  constructor(world: World, address: string, keys: KeyPair) {
    const native = new SealingNative()
    super({ native, seed: world.random(), datagrams: 16, frames: 16 })
    this.world = world
    this.address = address
    this.port = 0
    this.handshakes = new Handshakes(chance(world.random()))
    this.handshakes.setPrivateKey(keys.private)
    this.socket = new SealedSocket(
      native,
      (to, bytes, tos) => world.carry({ from: this.address, to, bytes, tos }),
      (to) => world.mtu(this.address, to),
    )
    const { tunnels, ports } = this.tables
    this.unseal = new Unseal({
      peers: tunnels.peers,
      counters: this.counters,
      ports,
      opened: new Batch(32, this.slabIn),
      open: (b) => open(b, native.keys),
      handshake: (b, m, off, end) => tunnels.handshake(b, m, off, end),
      heard: (session, data, b, m) => tunnels.heard(session, data, b, m),
    })
    this.setClock()
    this.tables.handle({ kind: 'set-socket', id: SOCKET, fd: 1, port: SEALED })
    this.tables.handle({ kind: 'set-tunnel-pools', pool4: 0, pool6: 0 })
    world.hosts.push(this)
  }

  meet(tunnel: number, publicKey: Uint8Array, met: Met = {}): void {
    this.setClock()
    this.handshakes.addPeer(tunnel, publicKey, met.psk ?? null)
    const endpoint = met.endpoint === undefined ? null : pack(met.endpoint, PORT)
    const { keepalive = 0, stock = false } = met
    this.tables.handle({ kind: 'set-tunnel', tunnel, keepalive, endpoint, stock })
  }

  /** One turn of the data thread, then one of control. Whether there was anything to do. */
  turn(came: readonly Datagram[]): boolean {
    this.setClock()
    const { tunnels } = this.tables
    this.answers.begin(this.world.now)
    const orders = this.orders.splice(0)
    for (const order of orders) this.tables.handle(order)
    if (came.length > 0) this.carryInbound(came)
    this.goOn()
    const frames = this.full || this.doorFull ? [] : this.queue.splice(0, 20)
    if (frames.length > 0) this.carryOutbound(frames)
    this.answers.flush()
    tunnels.expire()
    if (!this.full && !this.doorFull && !tunnels.door.empty) this.doorFull = !tunnels.door.flush(this.socket)
    if (this.world.now - this.sweptAt >= 1000) this.sweep()
    this.got.push(...this.device.take())
    this.control()
    const busy = this.full || this.doorFull || this.queue.length > 0 || this.orders.length > 0 || !tunnels.door.empty
    return busy || orders.length + came.length + frames.length > 0
  }

  /** When it wants its next turn although nothing has come. */
  deadline(): number {
    return this.world.now + this.tables.tunnels.patience(1000)
  }

  /** Packets that wait: for a session, or for control. */
  waiting(): number {
    const { tunnels } = this.tables
    const staged = [...tunnels['staging']['waiting'].values()].flat()
    return staged.reduce((n, one) => n + one.packets, 0) + tunnels['waiting']
  }

  /** Both sides of the law: in + copies, and out + dropped + control's + waiting. */
  override law(): [number, number] {
    const [given, told] = super.law()
    return [given, told + this.counters.control + this.waiting()]
  }

  private setClock(): void {
    this.tables.now = this.world.now
    this.tables.tunnels.now = this.world.now
  }

  private carryInbound(came: readonly Datagram[]): void {
    this.arrived += came.length
    const wires = came.map((d): Wire => ({ ...d, port: PORT, socket: SOCKET }))
    const b = this.fillDatagrams(trains(wires))
    const { tick } = this.tables
    this.inbound.begin(b, tick, false)
    while (this.inbound.step()) this.inbound.send(this.device)
    this.unseal.begin(b, this.world.now)
    while (this.unseal.step()) {
      this.inbound.begin(this.unseal['p'].opened, tick, true)
      while (this.inbound.step()) this.inbound.send(this.device)
    }
  }

  private goOn(): void {
    if (this.full) {
      this.full = !this.outbound.resume(this.socket)
      if (!this.full) this.pump()
    } else if (this.doorFull) {
      this.doorFull = !this.tables.tunnels.door.resume(this.socket)
      if (!this.doorFull) this.pump()
    }
  }

  private carryOutbound(frames: readonly Frame[]): void {
    this.fill(frames)
    this.pump()
  }

  private pump(): void {
    const { door } = this.tables.tunnels
    while (!this.full && !this.doorFull && this.outbound.step()) {
      this.full = !this.outbound.send(this.socket)
      if (!this.full && !door.empty) this.doorFull = !door.flush(this.socket)
    }
  }

  private sweep(): void {
    this.sweptAt = this.world.now
    this.tables.expire()
    this.tables.tunnels.sweep()
  }

  // control/tunnels.ts in short.
  private control(): void {
    const outcomes: { tunnel: number; code: number; bytes: number }[] = []
    for (const n of this.news.splice(0)) this.hear(n, outcomes)
    if (outcomes.length > 0) this.orders.push({ kind: 'handled', outcomes })
  }

  private hear(n: News, outcomes: { tunnel: number; code: number; bytes: number }[]): void {
    const { handshakes, world } = this
    if (n.kind === 'initiate') {
      const initiation = handshakes.initiate(n.tunnel, world.now, world.now + 1_700_000_000_000)
      if (initiation) this.orders.push({ kind: 'initiation', tunnel: n.tunnel, message: initiation })
    } else if (n.kind === 'retired') handshakes.release(n.index)
    else if (n.kind === 'clear-handshake') handshakes.clear(n.tunnel)
    else if (n.kind === 'handshake') this.handle(n, outcomes)
    else this.heard.push(n)
  }

  /** Other news. */
  readonly heard: News[] = []

  private handle(n: News & { kind: 'handshake' }, outcomes: { tunnel: number; code: number; bytes: number }[]): void {
    const outcome = this.handshakes.handle(n.message, n.from, n.waiting, this.world.now)
    const tunnel = 'peer' in outcome ? outcome.peer : NONE
    outcomes.push({ tunnel, code: outcome.kind === 'nothing' ? BAD_TAG : 0, bytes: n.message.length })
    if (outcome.kind === 'send') {
      this.orders.push({ kind: 'answer', message: outcome.message, to: n.from, local: n.local })
    } else if (outcome.kind === 'session') {
      const { session, message } = outcome
      this.orders.push({ kind: 'session', tunnel: outcome.peer, session, from: n.from, local: n.local, message })
    }
  }
}

/** A peer's place in a network, behind a tunnel. */
export function through(tunnel: number, prefixes: ReturnType<typeof far>['prefixes'] = []): ReturnType<typeof far> {
  return far('198.18.0.1', { words: keyWords(tunnel), tunnel, mtu: 0, pool: NONE, prefixes })
}

export interface Weather {
  /** Shares of 1. */
  loss?: number
  twice?: number
  late?: number
}

export class World {
  /** Milliseconds. */
  now = 1_000_000
  readonly hosts: SecureVtep[] = []
  readonly random: () => number
  readonly fate = { carried: 0, lost: 0, doubled: 0, nobody: 0 }
  weather: Weather
  /** True: it is lost. */
  blocks: (d: Datagram) => boolean = () => false
  /** Between two addresses, as the sender's kernel knows it. */
  mtu: (from: string, to: string) => number = () => 1500
  /** Sees everything on the wire. */
  watch: (d: Datagram) => void = () => {}
  private flying: Datagram[] = []

  constructor(seed: number, weather: Weather = {}) {
    this.random = generator(seed)
    this.weather = weather
  }

  carry(d: Datagram): void {
    this.fate.carried++
    this.watch(d)
    if (this.blocks(d) || this.chance(this.weather.loss)) {
      this.fate.lost++
      return
    }
    this.flying.push(d)
    if (!this.chance(this.weather.twice)) return
    this.fate.doubled++
    this.flying.push({ ...d, bytes: d.bytes.slice() })
  }

  /** Puts a datagram on the wire that nobody sends. */
  inject(d: Datagram): void {
    this.fate.carried++
    this.flying.push(d)
  }

  /** Lets time pass, a millisecond a turn while anything happens, else up to the next deadline. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.now < end) {
      const busy = this.turn()
      const next = busy ? this.now + 1 : Math.min(...this.hosts.map((h) => Math.max(h.deadline(), this.now + 1)))
      this.now = Math.min(end, next)
    }
  }

  /** Until nothing is under way; what waits for a timer may wait. */
  settle(): void {
    for (let turns = 0; turns < 100_000; turns++) {
      if (!this.turn()) return
      this.now++
    }
    throw new Error('never idle')
  }

  private turn(): boolean {
    const { flying } = this
    this.flying = []
    const now: Datagram[] = []
    for (const d of flying) {
      if (this.chance(this.weather.late)) this.flying.push(d)
      else now.push(d)
    }
    this.fate.nobody += now.filter((d) => !this.hosts.some((h) => h.address === d.to)).length
    let busy = flying.length > 0
    for (const host of this.hosts) {
      const came = now.filter((d) => d.to === host.address)
      busy = host.turn(came) || busy
    }
    return busy || this.flying.length > 0
  }

  private chance(share = 0): boolean {
    return this.random() / 2 ** 32 < share
  }
}

/** The type of a WireGuard message on the wire. */
export function typeOf({ bytes }: Datagram): number {
  return message.check(bytes, 0, bytes.length)
}
