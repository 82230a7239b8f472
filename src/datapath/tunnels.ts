// The data thread's side of secure networks: sessions with far ends (keys, src/wireguard), where they are (endpoints.ts), what
// native knows of them, and what waits for a session. One owner: the data thread's loop. Hot: reachable, sender, sealedSent; warm: heard; the rest is cold.
import { ADDR_LEN, type Batch, LOCAL_LEN } from '../batch.ts'
import {
  type Counters,
  MAX_TUNNELS,
  TUNNEL_HANDSHAKE,
  TUNNEL_HANDSHAKING,
  TUNNEL_IDLE,
  TUNNEL_RX_BYTES,
  TUNNEL_STATE,
  TUNNEL_TX_BYTES,
  TUNNEL_UP,
} from '../counters.ts'
import * as drop from '../drop.ts'
import * as agentMessage from '../wire/agent-message.ts'
import * as wireguard from '../wire/wireguard.ts'
import { HANDSHAKE_QUEUE, HANDSHAKE_QUEUE_PLAIN } from '../wireguard/constants.ts'
import type { NewSession } from '../wireguard/new-session.ts'
import { type Effects, Peers } from '../wireguard/peers.ts'
import type { Session } from '../wireguard/session.ts'
import { type EndpointNative, Endpoints, type EndpointsParts } from './endpoints.ts'
import type { Sealer } from './outbound.ts'
import { PathMtus } from './path-mtus.ts'
import type { Settlement } from './settlement.ts'
import { type DoorKeeper, type Parcel, SideDoor } from './side-door.ts'
import { type Staged, Staging } from './staging.ts'

/** What native does for it; host/addon's Engine has this shape. */
export interface TunnelNative extends EndpointNative {
  setKey(slot: number, key: Uint8Array, remoteIndex: number): void
  clearKey(slot: number): void
}

export interface TunnelsParts extends EndpointsParts {
  readonly native: TunnelNative
  readonly counters: Counters
  readonly settlement: Settlement
  readonly random: () => number
  readonly seed: number
}

/** Native's slots for keys: two for each of three sessions. */
const KEYS = MAX_TUNNELS * 6
/** Parcels in the side door beyond which what we say of our own waits for nobody: it is not said. */
const DOOR_MAX = 1024
/** Messages for control that may wait. */
const TOLD_MAX = 256
// errno(3) as native gives it: the address that we sent from is not ours any more.
const EINVAL = -22
const EMSGSIZE = -90
const EADDRNOTAVAIL = -99
const ENETUNREACH = -101

/** What control says about a tunnel: mailbox.ts `set-tunnel`. */
export interface TunnelSettings {
  /** Milliseconds, 0: none. */
  readonly keepalive: number
  /** A sockaddr, or null: where it is now. */
  readonly endpoint: Uint8Array | null
  /** The far end is no agent. */
  readonly stock?: boolean
}

export interface Handshake {
  readonly session: NewSession
  /** The sockaddr that its message came from, and our address that it came to. */
  readonly from: Uint8Array
  readonly local: Uint8Array
  /** The response to send. */
  readonly message: Uint8Array | null
}

export class Tunnels implements Effects, Sealer, DoorKeeper {
  readonly peers: Peers
  readonly door: SideDoor
  readonly paths: PathMtus
  /** Time of the batch in hand, milliseconds. */
  now = 0
  private readonly p: TunnelsParts
  readonly endpoints: Endpoints
  private readonly staging: Staging
  private readonly freeKeys: number[] = []
  private nextKey = 0
  /** Handshake messages that control has not answered for. */
  private waiting = 0
  /** The same for what far ends have told it. */
  private told = 0

  constructor(parts: TunnelsParts) {
    this.p = parts
    this.endpoints = new Endpoints(parts, (tunnel, path) => this.paths.setCeiling(tunnel, path, this.now))
    this.paths = new PathMtus({
      send: (tunnel, bytes) => this.say(tunnel, bytes),
      overhead: (tunnel) => this.endpoints.overhead(tunnel),
      found: (tunnel, mtu) => this.endpoints.setProbed(tunnel, mtu),
    })
    this.peers = new Peers(this, parts.random, parts.seed)
    this.door = new SideDoor(this, parts.settlement)
    this.staging = new Staging((packets) => parts.counters.dropped(drop.NO_SESSION, packets))
  }

  // --- the walks ---

  reachable(tunnel: number): boolean {
    return this.endpoints.reachable(tunnel)
  }

  sender(tunnel: number, packets: number): Session | undefined {
    return this.peers.sender(tunnel, packets, this.now)
  }

  stage(datagrams: Batch, j: number, tunnel: number): void {
    this.staging.put(tunnel, datagrams, j)
  }

  leave(tunnel: number, one: Staged): void {
    this.door.put({ kind: 'staged', tunnel, one })
  }

  /** For the settlement: data left, `longest` bytes of it as one train or packet. */
  sealedSent(tunnel: number, bytes: number, longest = bytes): void {
    this.p.counters.addTunnel(tunnel, TUNNEL_TX_BYTES, bytes)
    this.peers.sent(tunnel, true, this.now)
    this.paths.sent(tunnel, longest)
  }

  /** For the settlement: data could not leave. */
  sealedFailed(tunnel: number, error: number): void {
    if (error === ENETUNREACH || error === EINVAL || error === EADDRNOTAVAIL) this.forgetSource(tunnel)
  }

  /** Authenticated messages came in slot m of what a socket received; the newest that there were of this session. */
  heard(session: Session, data: boolean, messages: Batch, m: number): void {
    const tunnel = session.peer
    this.endpoints.moved(tunnel, messages.addr, m * ADDR_LEN, messages.local, m * LOCAL_LEN)
    this.peers.received(session, data, this.now)
  }

  /** A message of types 1 to 3: control's, if it is not too busy. */
  handshake(messages: Batch, m: number, off: number, end: number): void {
    const room = wireguard.hasMac2(messages.bytes, off, end) ? HANDSHAKE_QUEUE : HANDSHAKE_QUEUE_PLAIN
    if (this.waiting >= room) {
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

  /** A message of the far end's agent, [off, end): 0, or why it is dropped. */
  agentMessage(tunnel: number, b: Batch, off: number, end: number): number {
    const kind = agentMessage.check(b.bytes, off, end)
    if (kind < 0) return kind
    if (kind === agentMessage.CONTROL) {
      if (this.told >= TOLD_MAX) return drop.UNKNOWN_PAYLOAD
      this.told++
      this.p.news({ kind: 'told', tunnel, body: b.bytes.slice(off + agentMessage.LEN, end) })
    } else if (kind === agentMessage.PROBE) {
      this.paths.arrived(tunnel, b.bytes, off)
    } else {
      this.paths.answered(tunnel, b.bytes, off, this.now)
    }
    this.p.counters.addControl(1)
    return 0
  }

  // --- control's orders ---

  /** Adds a tunnel, or changes it. */
  set(id: number, { keepalive, endpoint, stock }: TunnelSettings): void {
    if (!this.endpoints.has(id)) {
      this.endpoints.add(id)
      this.p.counters.clearTunnel(id)
    }
    if (this.paths.set(id, stock !== true)) this.endpoints.tellPath(id)
    if (stock) this.endpoints.setProbed(id, 0)
    if (endpoint) this.endpoints.set(id, endpoint)
    this.peers.set(id, keepalive, this.now)
  }

  /** Its members have been removed before. */
  remove(id: number): void {
    if (!this.endpoints.has(id)) return
    this.peers.remove(id)
    this.paths.set(id, false)
    this.endpoints.remove(id)
  }

  /** A handshake gave a session. */
  begin(id: number, how: Handshake): void {
    const { session: made, from, local, message } = how
    if (!this.endpoints.has(id)) {
      made.send.fill(0)
      made.receive.fill(0)
      this.retired(made.local)
      return
    }
    this.endpoints.moved(id, from, 0, local, 0)
    // The kernel forgets what it has learned of a path (ip_rt_mtu_expires), and tells nobody.
    this.endpoints.learnMtu(id)
    this.paths.begun(id)
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
    this.door.put({ kind: 'answer', bytes, to, local, pool: this.endpoints.poolFor(to) })
  }

  /** A message of our control thread's for the far end's. */
  tell(tunnel: number, body: Uint8Array): void {
    if (!this.reachable(tunnel)) return
    const bytes = new Uint8Array(agentMessage.LEN + body.length)
    agentMessage.write(bytes, 0, agentMessage.CONTROL)
    bytes.set(body, agentMessage.LEN)
    this.door.put({ kind: 'probe', tunnel, bytes })
  }

  toldHeard(count: number): void {
    this.told -= count
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

  /** Our own key has changed. `kept`: what these have goes on until they have a session of the new key. */
  renewAll(kept: readonly number[] = []): void {
    const gently = new Set(kept)
    this.endpoints.each((tunnel) => {
      if (gently.has(tunnel)) this.peers.renew(tunnel)
      else this.peers.expireAll(tunnel)
    })
  }

  /** Routes or addresses of the host have changed. */
  forgetSources(): void {
    this.endpoints.each((tunnel) => this.endpoints.forgetSource(tunnel))
  }

  /** Does what is due. */
  expire(): void {
    if (this.peers.nextDeadline() <= this.now) this.peers.expire(this.now)
    if (this.paths.nextDeadline() <= this.now) this.paths.expire(this.now)
  }

  /** Milliseconds until something is due, at most `atMost`. */
  patience(atMost: number): number {
    const left = Math.min(this.peers.nextDeadline(), this.paths.nextDeadline()) - this.now
    return left >= atMost ? atMost : Math.max(0, Math.ceil(left))
  }

  /** Once a second: states for `status`. */
  sweep(): void {
    this.endpoints.each((tunnel) => this.publish(tunnel))
  }

  // --- the side door ---

  endpoint(tunnel: number): number {
    return this.endpoints.id(tunnel)
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
      if (error === EMSGSIZE) this.endpoints.learnMtu(tunnel)
      if (parcel.kind === 'probe') this.paths.unsent(tunnel, parcel.bytes)
      this.sealedFailed(tunnel, error)
      return
    }
    const sealed = parcel.kind === 'message' ? bytes : bytes + wireguard.KEEPALIVE_LEN
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
    this.publish(peer)
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
    this.endpoints.forgetSource(peer)
  }

  // Something of our own for the far end's agent. It begins no handshake, and what cannot go at once is not worth waiting for.
  private say(tunnel: number, bytes: Uint8Array): void {
    const up = this.reachable(tunnel) && this.peers.status(tunnel, this.now).state === 'up'
    if (up && this.door.length < DOOR_MAX) this.door.put({ kind: 'probe', tunnel, bytes })
    else this.paths.unsent(tunnel, bytes)
  }

  private publish(id: number): void {
    const { counters } = this.p
    const { state, completedAt } = this.peers.status(id, this.now)
    // Of a peer that nobody knows a place of handshakes are due, and none leaves.
    const isCalled = state === 'handshaking' && this.reachable(id)
    const number = state === 'up' ? TUNNEL_UP : isCalled ? TUNNEL_HANDSHAKING : TUNNEL_IDLE
    counters.setTunnel(id, TUNNEL_STATE, number)
    counters.setTunnel(id, TUNNEL_HANDSHAKE, completedAt > 0 ? completedAt : 0)
  }
}
