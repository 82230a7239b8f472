// The data thread's side of secure networks: where each far end (a key, src/wireguard) is, what native knows of it, and what
// waits for a session. One owner: the data thread's loop. Hot: reachable, sender, sealedSent; warm: heard; the rest is cold.
//
//   a tunnel   one far end's number, the same here and in control
//   a member   a VTEP that is reached through it, one in each of its networks; all have the tunnel's endpoint
import { ADDR_LEN, type Batch, LOCAL_LEN } from '../batch.ts'
import {
  type Counters,
  MAX_TUNNELS,
  MAX_VTEPS,
  TUNNEL_HANDSHAKE,
  TUNNEL_HANDSHAKING,
  TUNNEL_IDLE,
  TUNNEL_RX_BYTES,
  TUNNEL_STATE,
  TUNNEL_TX_BYTES,
  TUNNEL_UP,
} from '../counters.ts'
import * as drop from '../drop.ts'
import type { Vteps } from '../overlay/vteps.ts'
import { KEEPALIVE_LEN } from '../wire/wireguard.ts'
import { HANDSHAKE_QUEUE } from '../wireguard/constants.ts'
import type { NewSession } from '../wireguard/new-session.ts'
import { type Effects, Peers } from '../wireguard/peers.ts'
import type { Session } from '../wireguard/session.ts'
import type { News } from './mailbox.ts'
import type { Sealer } from './outbound.ts'
import type { Settlement } from './settlement.ts'
import { type DoorKeeper, type Parcel, SideDoor } from './side-door.ts'
import { Staging } from './staging.ts'

/** What native does for it; host/addon's Engine has this shape. */
export interface TunnelNative {
  setEndpoint(id: number, address: Uint8Array, local: Uint8Array, pool: number, pad?: number): void
  clearEndpoint(id: number): void
  setKey(slot: number, key: Uint8Array, remoteIndex: number): void
  clearKey(slot: number): void
  /** The kernel's path MTU to a sockaddr, or -errno. */
  pathMtu(address: Uint8Array): number
}

export interface TunnelsParts {
  readonly native: TunnelNative
  readonly vteps: Vteps
  readonly counters: Counters
  readonly settlement: Settlement
  readonly random: () => number
  readonly seed: number
  news(n: News): void
  /** A member's path MTU, in bytes, is this from now on. */
  setMtu(vtep: number, mtu: number): void
}

/** Native's slots for keys: two for each of three sessions. */
const KEYS = MAX_TUNNELS * 6
const AF_INET6 = 10
/** Outer IPv4 or IPv6, UDP, and what seals. */
const OVERHEAD4 = 20 + 8 + KEEPALIVE_LEN
const OVERHEAD6 = 40 + 8 + KEEPALIVE_LEN
// errno(3) as native gives it: the address that we sent from is not ours any more.
const EINVAL = -22
const EADDRNOTAVAIL = -99
const ENETUNREACH = -101

export interface Handshake {
  readonly session: NewSession
  /** The sockaddr that its message came from, and our address that it came to. */
  readonly from: Uint8Array
  readonly local: Uint8Array
  /** The response to send. */
  readonly message: Uint8Array | null
}

interface Tunnel {
  readonly id: number
  readonly members: Set<number>
  /** A sockaddr; the family is 0 until somebody knows. */
  readonly address: Uint8Array
  /** Our address that it was last reached at; zero: the kernel chooses. */
  readonly local: Uint8Array
  known: boolean
  mtu: number
}

export class Tunnels implements Effects, Sealer, DoorKeeper {
  readonly peers: Peers
  readonly door: SideDoor
  /** Time of the batch in hand, milliseconds. */
  now = 0
  private readonly p: TunnelsParts
  private readonly tunnels: (Tunnel | undefined)[] = new Array(MAX_TUNNELS).fill(undefined)
  private readonly staging: Staging
  private readonly deviceMtu = new Map<number, number>()
  private readonly freeKeys: number[] = []
  private nextKey = 0
  private pool4: number = drop.NONE
  private pool6: number = drop.NONE
  /** Handshake messages that control has not answered for. */
  private waiting = 0

  constructor(parts: TunnelsParts) {
    this.p = parts
    this.peers = new Peers(this, parts.random, parts.seed)
    this.door = new SideDoor(this, parts.settlement)
    this.staging = new Staging((packets) => parts.counters.dropped(drop.NO_SESSION, packets))
  }

  // --- the walks ---

  reachable(tunnel: number): boolean {
    return this.tunnels[tunnel]?.known === true
  }

  sender(tunnel: number, packets: number): Session | undefined {
    return this.peers.sender(tunnel, packets, this.now)
  }

  stage(datagrams: Batch, j: number, tunnel: number): void {
    this.staging.put(tunnel, datagrams, j)
  }

  /** For the settlement: data left. */
  sealedSent(tunnel: number, bytes: number): void {
    this.p.counters.addTunnel(tunnel, TUNNEL_TX_BYTES, bytes)
    this.peers.sent(tunnel, true, this.now)
  }

  /** For the settlement: data could not leave. */
  sealedFailed(tunnel: number, error: number): void {
    if (error === ENETUNREACH || error === EINVAL || error === EADDRNOTAVAIL) this.forgetSource(tunnel)
  }

  /** Authenticated messages came in slot m of what a socket received; the newest that there were of this session. */
  heard(session: Session, data: boolean, messages: Batch, m: number): void {
    const t = this.tunnels[session.peer]
    if (t === undefined) return
    this.moved(t, messages.addr, m * ADDR_LEN, messages.local, m * LOCAL_LEN)
    this.peers.received(session, data, this.now)
    this.publish(t.id)
  }

  /** A message of types 1 to 3: control's, if it is not too busy. */
  handshake(messages: Batch, m: number, off: number, end: number): void {
    if (this.waiting >= HANDSHAKE_QUEUE) {
      this.p.counters.dropped(drop.HANDSHAKE_LIMITED, 1)
      return
    }
    this.waiting++
    this.p.news({
      kind: 'handshake',
      message: messages.bytes.slice(off, end),
      from: messages.addr.slice(m * ADDR_LEN, (m + 1) * ADDR_LEN),
      local: messages.local.slice(m * LOCAL_LEN, (m + 1) * LOCAL_LEN),
      waiting: this.waiting,
    })
  }

  // --- control's orders ---

  /** Adds a tunnel, or changes it. `endpoint`: a sockaddr, or null: where it is now. */
  set(id: number, keepalive: number, endpoint: Uint8Array | null): void {
    let t = this.tunnels[id]
    if (t === undefined) {
      const [address, local] = [new Uint8Array(ADDR_LEN), new Uint8Array(LOCAL_LEN)]
      t = { id, members: new Set(), address, local, known: false, mtu: 0 }
      this.tunnels[id] = t
      this.p.counters.clearTunnel(id)
    }
    if (endpoint) {
      t.address.set(endpoint)
      t.local.fill(0)
      this.place(t)
    }
    this.peers.set(id, keepalive, this.now)
  }

  /** Its members have been removed before. */
  remove(id: number): void {
    if (this.tunnels[id] === undefined) return
    this.peers.remove(id)
    this.tunnels[id] = undefined
    this.p.native.clearEndpoint(this.endpoint(id))
  }

  /** By which sockets sealed messages leave. */
  setPools(pool4: number, pool6: number): void {
    this.pool4 = pool4
    this.pool6 = pool6
    for (const t of this.tunnels) if (t?.known) this.place(t)
  }

  /** A network's device takes packets of this length: what is sealed is not filled up beyond. */
  setDeviceMtu(network: number, mtu: number): void {
    this.deviceMtu.set(network, mtu)
    for (const t of this.tunnels) if (t?.known) this.placeMembers(t)
  }

  adopt(vtep: number, tunnel: number): void {
    const t = this.tunnels[tunnel]
    if (t === undefined) throw new Error(`no tunnel with number ${tunnel}`)
    t.members.add(vtep)
    if (t.known) this.placeMembers(t)
  }

  abandon(vtep: number): void {
    this.tunnels[this.p.vteps.tunnel[vtep]!]?.members.delete(vtep)
  }

  /** A handshake gave a session. */
  begin(id: number, how: Handshake): void {
    const t = this.tunnels[id]
    const { session: made, from, local, message } = how
    if (t === undefined) {
      made.send.fill(0)
      made.receive.fill(0)
      this.retired(made.local)
      return
    }
    this.moved(t, from, 0, local, 0)
    if (message) this.door.put({ kind: 'message', tunnel: id, bytes: message, initiation: false })
    this.peers.begin(id, made, this.now)
    this.publish(id)
  }

  /** Control made the initiation that was asked for. */
  initiation(id: number, bytes: Uint8Array): void {
    if (this.reachable(id)) this.door.put({ kind: 'message', tunnel: id, bytes, initiation: true })
  }

  /** A cookie for an address that may be anybody's. */
  answer(bytes: Uint8Array, to: Uint8Array, local: Uint8Array): void {
    this.door.put({ kind: 'answer', bytes, to, local, pool: this.poolFor(to) })
  }

  /** Control is done with so many handshake messages; `code`: 0, or why one came to nothing. */
  handled(outcomes: readonly { tunnel: number; code: number; bytes: number }[]): void {
    const { counters } = this.p
    for (const { tunnel, code, bytes } of outcomes) {
      this.waiting--
      if (code !== 0) counters.dropped(code, 1)
      else counters.addControl(1)
      if (code === 0 && tunnel !== drop.NONE) counters.addTunnel(tunnel, TUNNEL_RX_BYTES, bytes)
    }
  }

  /** Our own key has changed. */
  renewAll(): void {
    for (const t of this.tunnels) if (t) this.peers.expireAll(t.id)
  }

  /** Routes or addresses of the host have changed. */
  forgetSources(): void {
    for (const t of this.tunnels) if (t?.known) this.forgetSource(t.id)
  }

  /** Does what is due. */
  expire(): void {
    if (this.peers.nextDeadline() > this.now) return
    this.peers.expire(this.now)
  }

  /** Milliseconds until something is due, at most `atMost`. */
  patience(atMost: number): number {
    const left = this.peers.nextDeadline() - this.now
    return left >= atMost ? atMost : Math.max(0, Math.ceil(left))
  }

  /** Once a second: states for `status`. */
  sweep(): void {
    for (const t of this.tunnels) if (t) this.publish(t.id)
  }

  /** After ICMP errors: asks the kernel for the path MTU. `id`: native's number of the endpoint. */
  learnMtu(id: number): void {
    const t = this.tunnels[id - MAX_VTEPS]
    if (t?.known) this.askMtu(t)
  }

  /** The same for a member. */
  learnMemberMtu(vtep: number): void {
    const t = this.tunnels[this.p.vteps.tunnel[vtep]!]
    if (t?.known) this.askMtu(t)
  }

  /** The sockaddr of its far end; undefined when nobody knows. Borrowed. */
  addressOf(tunnel: number): Uint8Array | undefined {
    const t = this.tunnels[tunnel]
    return t?.known ? t.address : undefined
  }

  // --- the side door ---

  endpoint(tunnel: number): number {
    return MAX_VTEPS + tunnel
  }

  seal(tray: Batch, j: number, tunnel: number, packets: number): boolean {
    const session = this.sender(tunnel, packets)
    if (session === undefined) return false
    tray.key[j] = session.sendKey
    tray.ctr[j] = session.counter
    session.counter += packets
    return true
  }

  refused(parcel: Parcel): void {
    if (parcel.kind === 'staged') this.staging.add(parcel.tunnel, parcel.one)
  }

  left(parcel: Parcel, bytes: number, error: number): void {
    if (parcel.kind === 'answer' || parcel.kind === 'staged') return
    const { tunnel } = parcel
    if (error !== 0) {
      this.sealedFailed(tunnel, error)
      return
    }
    const sealed = parcel.kind === 'message' ? bytes : bytes + KEEPALIVE_LEN
    this.p.counters.addTunnel(tunnel, TUNNEL_TX_BYTES, sealed)
    if (parcel.kind !== 'message') this.peers.sent(tunnel, false, this.now)
    else if (parcel.initiation) this.peers.initiated(tunnel, this.now)
  }

  // --- what Peers wants done ---

  initiate(peer: number): void {
    if (this.reachable(peer)) this.p.news({ kind: 'initiate', tunnel: peer })
  }

  keepalive(peer: number): void {
    if (this.reachable(peer)) this.door.put({ kind: 'keepalive', tunnel: peer })
  }

  ready(peer: number): boolean {
    const list = this.staging.take(peer)
    for (const one of list) this.door.put({ kind: 'staged', tunnel: peer, one })
    return list.length > 0
  }

  dropStaged(peer: number): void {
    for (const one of this.staging.take(peer)) this.p.counters.dropped(drop.NO_SESSION, one.packets)
  }

  installKey(key: Uint8Array, remoteIndex: number): number {
    const slot = this.freeKeys.pop() ?? (this.nextKey < KEYS ? this.nextKey++ : drop.NONE)
    try {
      if (slot !== drop.NONE) this.p.native.setKey(slot, key, remoteIndex)
      return slot
    } finally {
      key.fill(0)
    }
  }

  retireKey(slot: number): void {
    this.p.native.clearKey(slot)
    this.freeKeys.push(slot)
  }

  retired(localIndex: number): void {
    this.p.news({ kind: 'retired', index: localIndex })
  }

  clearHandshake(peer: number): void {
    this.p.news({ kind: 'clear-handshake', tunnel: peer })
  }

  forgetSource(peer: number): void {
    const t = this.tunnels[peer]
    if (t === undefined || t.local.every((byte) => byte === 0)) return
    t.local.fill(0)
    this.place(t)
  }

  // WG §2.1: the far end is where its newest authentic message came from, and is answered from where it went to.
  private moved(t: Tunnel, addr: Uint8Array, at: number, local: Uint8Array, localAt: number): void {
    if (t.known && same(t.address, addr, at) && same(t.local, local, localAt)) return
    const roamed = !t.known || !same(t.address, addr, at)
    t.address.set(addr.subarray(at, at + ADDR_LEN))
    t.local.set(local.subarray(localAt, localAt + LOCAL_LEN))
    this.place(t)
    if (roamed) this.p.news({ kind: 'roamed', tunnel: t.id, address: t.address.slice() })
  }

  private place(t: Tunnel): void {
    t.known = true
    this.p.native.setEndpoint(this.endpoint(t.id), t.address, t.local, this.poolFor(t.address))
    this.askMtu(t)
    this.placeMembers(t)
  }

  private placeMembers(t: Tunnel): void {
    const { vteps, native } = this.p
    const overhead = isV6(t.address) ? OVERHEAD6 : OVERHEAD4
    for (const vtep of t.members) {
      vteps.overhead[vtep] = overhead
      if (vteps.mtu[vtep] !== t.mtu) this.p.setMtu(vtep, t.mtu)
      const device = this.deviceMtu.get(vteps.network[vtep]!) ?? 0
      const pad = t.mtu === 0 ? device : Math.min(device, t.mtu - overhead)
      vteps.pad[vtep] = Math.max(0, pad)
      native.setEndpoint(vtep, t.address, t.local, this.poolFor(t.address), vteps.pad[vtep])
    }
  }

  private askMtu(t: Tunnel): void {
    const mtu = this.p.native.pathMtu(t.address)
    // No route at the moment: what was known stays.
    if (mtu <= 0 || mtu === t.mtu) return
    const first = t.mtu === 0
    t.mtu = mtu
    this.placeMembers(t)
    const [vtep] = t.members
    if (!first && vtep !== undefined) this.p.news({ kind: 'mtu', vtep, mtu })
  }

  private poolFor(address: Uint8Array): number {
    return isV6(address) ? this.pool6 : this.pool4
  }

  private publish(id: number): void {
    const { counters } = this.p
    const { state, completedAt } = this.peers.status(id, this.now)
    const number = state === 'up' ? TUNNEL_UP : state === 'handshaking' ? TUNNEL_HANDSHAKING : TUNNEL_IDLE
    counters.setTunnel(id, TUNNEL_STATE, number)
    counters.setTunnel(id, TUNNEL_HANDSHAKE, completedAt > 0 ? completedAt : 0)
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
