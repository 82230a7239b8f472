// Hosts that speak WireGuard over a wire in memory: both halves of each (Handshakes, Peers), a few milliseconds apart as two
// threads are, with the reference AEAD in native's place. One event queue and one clock for all of them.
import * as aead from '../../src/crypto/aead.ts'
import type { KeyPair } from '../../src/crypto/x25519.ts'
import * as wire from '../../src/wire/wireguard.ts'
import { Handshakes, type Outcome } from '../../src/wireguard/handshakes.ts'
import type { NewSession } from '../../src/wireguard/new-session.ts'
import { type Effects, Peers } from '../../src/wireguard/peers.ts'
import type { Session } from '../../src/wireguard/session.ts'
import { chance, sockaddr } from './keys.ts'
import { generator } from './seed.ts'

/** From one half of a host to the other, ms. */
const LAG = 1
const STAGED = 128

export interface Weather {
  /** Shares of 1. */
  loss?: number
  twice?: number
  /** One way, ms; the rest is added by chance. */
  latency?: number
  jitter?: number
}

/** One datagram, as the wire saw it. */
export interface Seen {
  at: number
  from: string
  to: string
  type: number
  bytes: Uint8Array
}

export class Sky {
  now = 1_000_000
  weather: Weather
  /** True: such a datagram does not arrive. */
  blocks: (from: string, to: string, type: number) => boolean = () => false
  readonly seen: Seen[] = []
  readonly fate = { lost: 0, doubled: 0, nobody: 0 }
  readonly hosts: Host[] = []
  readonly random: () => number
  private queue: { at: number; order: number; run: () => void }[] = []
  private order = 0

  constructor(seed: number, weather: Weather = {}) {
    this.random = generator(seed)
    this.weather = weather
  }

  after(ms: number, run: () => void): void {
    this.queue.push({ at: this.now + ms, order: this.order++, run })
  }

  carry(from: string, to: string, bytes: Uint8Array): void {
    const type = wire.check(bytes, 0, bytes.length)
    this.seen.push({ at: this.now, from, to, type, bytes: bytes.slice() })
    if (this.blocks(from, to, type) || this.chance(this.weather.loss)) {
      this.fate.lost++
      return
    }
    const twice = this.chance(this.weather.twice)
    if (twice) this.fate.doubled++
    for (let n = twice ? 2 : 1; n > 0; n--) {
      const { latency = 10, jitter = 0 } = this.weather
      this.after(latency + Math.floor((this.random() / 2 ** 32) * jitter), () => this.arrive(from, to, bytes.slice()))
    }
  }

  arrive(from: string, to: string, bytes: Uint8Array): void {
    const host = this.hosts.find((h) => h.address === to)
    if (host) host.receive(bytes, from)
    else this.fate.nobody++
  }

  /** Lets time pass: what is due happens at its time. */
  pass(ms: number): void {
    const end = this.now + ms
    for (;;) {
      this.queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const next = this.queue[0]?.at ?? Number.POSITIVE_INFINITY
      const deadline = Math.min(...this.hosts.map((h) => h.peers.nextDeadline()))
      const at = Math.min(next, deadline)
      if (at > end) break
      this.now = Math.max(this.now, at)
      for (const host of this.hosts) host.peers.expire(this.now)
      if (next <= this.now) this.queue.shift()!.run()
    }
    this.now = end
  }

  private chance(share = 0): boolean {
    return this.random() / 2 ** 32 < share
  }
}

interface Peer {
  endpoint: string | null
  staged: Uint8Array[]
}

export class Host implements Effects {
  readonly handshakes: Handshakes
  readonly peers: Peers
  /** Keys in native's place, by slot. */
  readonly keys = new Map<number, { key: Uint8Array; remote: number }>()
  readonly far = new Map<number, Peer>()
  /** Payloads that came out, in order, as text. */
  readonly got: string[] = []
  /** Transport messages and handshakes that came to nothing, by reason. */
  readonly refused: Record<string, number> = {}
  readonly declined: Record<string, number> = {}
  readonly counts = { given: 0, sealed: 0, dropped: 0, opened: 0, arrived: 0, keepalives: 0 }
  /** How many handshake messages this host pretends to have waiting. */
  waiting = 0
  /** Added to the wall clock, ms. */
  wallOffset = 1_700_000_000_000
  address: string
  private readonly sky: Sky
  private nextSlot = 0

  constructor(sky: Sky, address: string, keys: KeyPair) {
    this.sky = sky
    this.address = address
    this.handshakes = new Handshakes(chance(sky.random()))
    this.handshakes.setPrivateKey(keys.private)
    this.peers = new Peers(this, () => sky.random() / 2 ** 32, sky.random())
    sky.hosts.push(this)
  }

  meet(id: number, publicKey: Uint8Array, endpoint: string | null, keepalive = 0, psk: Uint8Array | null = null): void {
    this.handshakes.addPeer(id, publicKey, psk)
    this.peers.set(id, keepalive, this.sky.now)
    this.far.set(id, { endpoint, staged: [] })
  }

  /** Data for a peer. */
  send(id: number, payload: string): void {
    this.counts.given++
    const bytes = new TextEncoder().encode(payload)
    if (this.transmit(id, bytes)) return
    const { staged } = this.far.get(id)!
    staged.push(bytes)
    if (staged.length > STAGED) {
      staged.shift()
      this.counts.dropped++
    }
  }

  receive(bytes: Uint8Array, from: string): void {
    const type = wire.check(bytes, 0, bytes.length)
    if (type === wire.TRANSPORT) this.receiveTransport(bytes, from)
    else this.sky.after(LAG, () => this.receiveHandshake(bytes, from))
  }

  /** Packets that wait for a session. */
  staged(): number {
    return [...this.far.values()].reduce((sum, peer) => sum + peer.staged.length, 0)
  }

  // --- the data thread's part ---

  private transmit(id: number, payload: Uint8Array): boolean {
    const session = this.peers.sender(id, 1, this.sky.now)
    if (!session) return false
    const counter = session.counter
    session.counter += 1
    const { key, remote } = this.keys.get(session.sendKey)!
    const message = new Uint8Array(wire.HEADER_LEN + payload.length + wire.TAG_LEN)
    wire.writeTransport(message, 0, remote, counter)
    message.set(aead.seal(key, counter, payload, null), wire.HEADER_LEN)
    const { endpoint } = this.far.get(id)!
    if (payload.length > 0) this.counts.sealed++
    if (endpoint) this.sky.carry(this.address, endpoint, message)
    this.peers.sent(id, payload.length > 0, this.sky.now)
    return true
  }

  private receiveTransport(bytes: Uint8Array, from: string): void {
    const { now } = this.sky
    this.counts.arrived++
    const session = this.peers.find(wire.receiver(bytes, 0), now)
    const payload = session ? this.open(session, bytes) : 'unknown-peer'
    if (!session || typeof payload === 'string') {
      add(this.refused, String(payload))
      return
    }
    this.counts.opened++
    this.far.get(session.peer)!.endpoint = from
    if (payload.length > 0) this.got.push(new TextDecoder().decode(payload))
    else this.counts.keepalives++
    this.peers.received(session, payload.length > 0, now)
  }

  // The payload, or why there is none.
  private open(session: Session, bytes: Uint8Array): Uint8Array | string {
    const { key } = this.keys.get(session.receiveKey)!
    const counter = wire.counter(bytes, 0)
    const payload = aead.open(key, counter, bytes.subarray(wire.HEADER_LEN), null)
    if (!payload) return 'bad-tag'
    return session.replay.accept(counter) ? payload : 'replay'
  }

  initiate(peer: number): void {
    this.sky.after(LAG, () => {
      const message = this.handshakes.initiate(peer, this.sky.now, this.sky.now + this.wallOffset)
      const endpoint = this.far.get(peer)?.endpoint
      if (!message || !endpoint) return
      this.sky.carry(this.address, endpoint, message)
      this.sky.after(LAG, () => this.peers.initiated(peer, this.sky.now))
    })
  }

  keepalive(peer: number): void {
    this.transmit(peer, new Uint8Array(0))
  }

  ready(peer: number): boolean {
    const staged = this.far.get(peer)!.staged.splice(0)
    for (const payload of staged) this.transmit(peer, payload)
    return staged.length > 0
  }

  dropStaged(peer: number): void {
    this.counts.dropped += this.far.get(peer)?.staged.splice(0).length ?? 0
  }

  installKey(key: Uint8Array, remote: number): number {
    this.keys.set(this.nextSlot, { key: key.slice(), remote })
    key.fill(0)
    return this.nextSlot++
  }

  retireKey(slot: number): void {
    if (!this.keys.delete(slot)) throw new Error(`slot ${slot} is empty`)
  }

  retired(localIndex: number): void {
    this.sky.after(LAG, () => this.handshakes.release(localIndex))
  }

  clearHandshake(peer: number): void {
    this.sky.after(LAG, () => this.handshakes.clear(peer))
  }

  forgetSource(): void {}

  // --- the control thread's part ---

  private receiveHandshake(bytes: Uint8Array, from: string): void {
    const outcome = this.handshakes.handle(bytes, sockaddrOf(from), this.waiting, this.sky.now)
    this.follow(outcome, from)
  }

  private follow(outcome: Outcome, from: string): void {
    if (outcome.kind === 'nothing') add(this.declined, outcome.why)
    if (outcome.kind === 'send') this.sky.carry(this.address, from, outcome.message)
    if (outcome.kind !== 'session') return
    const { peer, session, message } = outcome
    this.far.get(peer)!.endpoint = from
    if (message) this.sky.carry(this.address, from, message)
    const passed: NewSession = { ...session, send: session.send.slice(), receive: session.receive.slice() }
    session.send.fill(0)
    session.receive.fill(0)
    this.sky.after(LAG, () => this.peers.begin(peer, passed, this.sky.now))
  }
}

function add(to: Record<string, number>, why: string): void {
  to[why] = (to[why] ?? 0) + 1
}

/** "10.0.0.1:51820" as batches have it. */
function sockaddrOf(address: string): Uint8Array {
  const [host, port] = address.split(':') as [string, string]
  return sockaddr(host.split('.').map(Number), Number(port))
}
