// The control thread's half of WireGuard: who we are, who may speak to us, and handshakes with them. Messages in, messages and
// sessions out; sans-IO: `now` is ms of the monotonic clock, `wallMs` ms since 1970. Read WG §5.3–5.4 before you edit. Cold.
//
//   we begin      initiate ─▶ pending ─▶ handle(response) ─▶ session
//   they begin    handle(initiation) ─▶ session and the response to send, at once: nothing is pending
//
// Order of checks on what comes in (WG §5.3): length, MAC1, and under load MAC2 and the sender's budget; only then arithmetic.

import * as tai64n from '../crypto/tai64n.ts'
import { clamp, dh, generate, KEY_LEN, type KeyPair, publicKey, type Random } from '../crypto/x25519.ts'
import { NONE } from '../drop.ts'
import * as wire from '../wire/wireguard.ts'
import { INITIATION_INTERVAL, UNDER_LOAD_QUEUE, UNDER_LOAD_TIME } from './constants.ts'
import { CookieChecker, CookieJar } from './cookie.ts'
import type { NewSession } from './new-session.ts'
import * as noise from './noise.ts'
import { RateLimit } from './rate-limit.ts'

/** To be awaited before the first key: libsodium is loaded then. */
export { ready } from '../crypto/sodium.ts'

/** Why a message came to nothing, for counters and logs. */
export type Why =
  | 'not-wireguard' // no handshake message, or of a wrong length
  | 'no-key' // we have no private key
  | 'bad-mac' // MAC1 is not right: meant for another key
  | 'rate-limited' // under load, and this source has had its share
  | 'unknown-peer' // a key that the configuration does not name, or our own
  | 'bad-tag' // what is sealed does not open: forged, damaged, or another preshared key
  | 'replay' // an initiation no newer than one seen before
  | 'flood' // initiations in too quick a succession
  | 'no-handshake' // the answer to nothing that we have under way
  | 'bad-cookie' // a cookie reply to nothing that we sent

/** `caller`: the public key that an initiation names, where it is no peer's; whoever sent it need not have the private one. */
export interface Nothing {
  readonly kind: 'nothing'
  readonly why: Why
  readonly peer: number
  readonly caller: Uint8Array | null
}

/** What `handle` made of a message. The caller owns all bytes, and zeroes the session's keys when it has passed them on. */
export type Outcome =
  | Nothing
  /** A cookie reply, for the address that the message came from. Nothing is authenticated. */
  | { kind: 'send'; message: Uint8Array }
  /** The peer is at the message's source (roaming). `message`: the response to send there, when they began. */
  | { kind: 'session'; peer: number; session: NewSession; message: Uint8Array | null }
  /** The next initiation will carry it; until then nothing is to be done (WG §6.6). */
  | { kind: 'cookie-taken'; peer: number }

/** An initiation of ours that nobody has answered yet. */
interface Pending {
  readonly local: number
  readonly ephemeral: KeyPair
  readonly transcript: noise.Transcript
  /** Theirs came in the meantime, and we answered it. */
  crossed: boolean
}

interface Remote {
  readonly id: number
  readonly publicKey: Uint8Array
  readonly psk: Uint8Array
  readonly jar: CookieJar
  /** The secret of both static keys; null: there is none to be had, undefined: not asked for yet. */
  staticStatic: Uint8Array | null | undefined
  pending: Pending | null
  /** The newest timestamp seen, and sent. */
  greatest: Uint8Array
  stamped: Uint8Array
  lastInitiation: number
}

export class Handshakes {
  private readonly random: Random
  private own: KeyPair | null = null
  private checker: CookieChecker | null = null
  private readonly remotes = new Map<number, Remote>()
  private readonly byKey = new Map<string, Remote>()
  /** Whom an index of ours belongs to: pending handshakes, and sessions until `release`. */
  private readonly indices = new Map<number, Remote>()
  private readonly limit = new RateLimit()
  private loadedUntil = Number.NEGATIVE_INFINITY
  private readonly taken: (index: number) => boolean

  /** `random`: cryptographically strong. `taken`: indices that others on the same port use. */
  constructor(random: Random, taken: (index: number) => boolean = () => false) {
    this.random = random
    this.taken = taken
  }

  // --- configuration ---

  /** Our public key, or null. */
  get publicKey(): Uint8Array | null {
    return this.own?.public ?? null
  }

  /** Copies the key. Handshakes under way end; sessions are the other half's to expire. All-zero or null: no key. */
  setPrivateKey(key: Uint8Array | null): void {
    this.own?.private.fill(0)
    this.checker?.wipe()
    this.own = null
    this.checker = null
    for (const remote of this.remotes.values()) {
      this.endPending(remote)
      remote.staticStatic?.fill(0)
      remote.staticStatic = undefined
    }
    if (key === null || key.every((byte) => byte === 0)) return
    const own = key.slice()
    clamp(own)
    this.own = { private: own, public: publicKey(own) }
    this.checker = new CookieChecker(this.own.public, this.random)
  }

  /** Copies the keys. A peer with our own key is kept, but neither spoken to nor answered. Ids and keys are unique. */
  addPeer(id: number, publicKey: Uint8Array, psk: Uint8Array | null): void {
    const key = hex(publicKey)
    if (this.remotes.has(id) || this.byKey.has(key)) throw new Error(`peer ${id} or its public key is there already`)
    const remote: Remote = {
      id,
      publicKey: publicKey.slice(),
      psk: new Uint8Array(KEY_LEN),
      jar: new CookieJar(publicKey),
      staticStatic: undefined,
      pending: null,
      greatest: new Uint8Array(tai64n.LEN),
      stamped: new Uint8Array(tai64n.LEN),
      lastInitiation: Number.NEGATIVE_INFINITY,
    }
    if (psk) remote.psk.set(psk)
    this.remotes.set(id, remote)
    this.byKey.set(key, remote)
  }

  /** Null: none. Counts from the next handshake on. */
  setPresharedKey(id: number, psk: Uint8Array | null): void {
    const remote = this.remotes.get(id)
    remote?.psk.fill(0)
    if (psk) remote?.psk.set(psk)
  }

  removePeer(id: number): void {
    const remote = this.remotes.get(id)
    if (!remote) return
    this.clear(id)
    remote.psk.fill(0)
    remote.staticStatic?.fill(0)
    for (const [index, owner] of this.indices) if (owner === remote) this.indices.delete(index)
    this.remotes.delete(id)
    this.byKey.delete(hex(remote.publicKey))
  }

  // --- what the other half asks for ---

  /** An initiation (148 bytes) for the peer, which replaces one that is under way. Null: no private key, or a peer whose key
   * allows no handshake: of low order, or our own. */
  initiate(id: number, now: number, wallMs: number): Uint8Array | null {
    const { own } = this
    const remote = this.remotes.get(id)
    const staticStatic = own && remote ? this.staticStaticOf(own, remote) : null
    if (!own || !remote || !staticStatic) return null
    this.endPending(remote)
    const ephemeral = generate(this.random)
    const transcript = new noise.Transcript(remote.publicKey)
    const stamp = tai64n.next(wallMs, remote.stamped)
    const to = { publicKey: remote.publicKey, staticStatic }
    const sealed = noise.writeFirst(transcript, ephemeral, own, to, stamp)
    if (!sealed) return null
    remote.stamped = stamp
    remote.pending = { local: this.newIndex(remote), ephemeral, transcript, crossed: false }
    const message = new Uint8Array(wire.INITIATION_LEN)
    wire.writeInitiation(message, 0, remote.pending.local)
    message.set(ephemeral.public, wire.INITIATION_EPHEMERAL)
    message.set(sealed.sealedStatic, wire.INITIATION_STATIC)
    message.set(sealed.sealedPayload, wire.INITIATION_TIMESTAMP)
    remote.jar.sign(message, now)
    return message
  }

  /** Whether the index is that of a handshake or a session of ours. */
  uses(index: number): boolean {
    return this.indices.has(index)
  }

  /** A session has ended: its index is free. */
  release(index: number): void {
    this.indices.delete(index)
  }

  /** Forgets the handshake under way with a peer, and its cookie. */
  clear(id: number): void {
    const remote = this.remotes.get(id)
    if (!remote) return
    this.endPending(remote)
    remote.jar.wipe()
  }

  // --- what comes in ---

  /**
   * Takes a message of types 1 to 3. `from`: the sockaddr it came from; `waiting`: how many more wait in the queue, whose
   * capacity is HANDSHAKE_QUEUE.
   */
  handle(message: Uint8Array, from: Uint8Array, waiting: number, now: number): Outcome {
    const type = wire.check(message, 0, message.length)
    const { own, checker } = this
    if (type === wire.COOKIE_REPLY) return this.takeCookie(message, now)
    if (type !== wire.INITIATION && type !== wire.RESPONSE) return nothing('not-wireguard')
    if (!own || !checker) return nothing('no-key')
    if (!checker.hasMac1(message)) return nothing('bad-mac')
    if (waiting >= UNDER_LOAD_QUEUE) this.loadedUntil = now + UNDER_LOAD_TIME
    if (now < this.loadedUntil) {
      if (!checker.hasMac2(message, from, now)) {
        return { kind: 'send', message: checker.reply(message, wire.sender(message, 0), from, now) }
      }
      if (!this.limit.allow(from, now)) return nothing('rate-limited')
    }
    return type === wire.INITIATION ? this.takeInitiation(own, message, now) : this.takeResponse(own, message)
  }

  private takeCookie(message: Uint8Array, now: number): Outcome {
    const remote = this.indices.get(wire.receiver(message, 0))
    if (!remote) return nothing('bad-cookie')
    return remote.jar.take(message, now) ? { kind: 'cookie-taken', peer: remote.id } : nothing('bad-cookie', remote)
  }

  private takeInitiation(own: KeyPair, message: Uint8Array, now: number): Outcome {
    const transcript = new noise.Transcript(own.public)
    try {
      const ephemeral = message.subarray(wire.INITIATION_EPHEMERAL, wire.INITIATION_STATIC)
      const sealedStatic = message.subarray(wire.INITIATION_STATIC, wire.INITIATION_TIMESTAMP)
      const initiator = noise.readFirst(transcript, own, ephemeral, sealedStatic)
      if (!initiator) return nothing('bad-tag')
      const remote = this.byKey.get(hex(initiator))
      const staticStatic = remote ? this.staticStaticOf(own, remote) : null
      if (!remote || !staticStatic) return { ...nothing('unknown-peer'), caller: initiator }
      const sealedStamp = message.subarray(wire.INITIATION_TIMESTAMP, wire.INITIATION_MAC1)
      const stamp = noise.readPayload(transcript, staticStatic, sealedStamp)
      if (!stamp) return nothing('bad-tag', remote)
      if (tai64n.compare(stamp, remote.greatest) <= 0) return nothing('replay', remote)
      if (now - remote.lastInitiation <= INITIATION_INTERVAL) return nothing('flood', remote)
      remote.greatest = stamp
      remote.lastInitiation = now
      return this.respond(remote, transcript, message, now)
    } finally {
      transcript.wipe()
    }
  }

  private respond(remote: Remote, transcript: noise.Transcript, initiation: Uint8Array, now: number): Outcome {
    const ephemeral = generate(this.random)
    const theirs = initiation.subarray(wire.INITIATION_EPHEMERAL, wire.INITIATION_STATIC)
    const empty = noise.writeSecond(transcript, ephemeral, { ephemeral: theirs, static: remote.publicKey }, remote.psk)
    ephemeral.private.fill(0)
    if (!empty) return nothing('bad-tag', remote)
    const local = this.newIndex(remote)
    const theirIndex = wire.sender(initiation, 0)
    const message = new Uint8Array(wire.RESPONSE_LEN)
    wire.writeResponse(message, 0, local, theirIndex)
    message.set(ephemeral.public, wire.RESPONSE_EPHEMERAL)
    message.set(empty, wire.RESPONSE_EMPTY)
    remote.jar.sign(message, now)
    // The protocol's reference forgets its own initiation here. When both do, both wait for 5 s; one that is kept does no harm.
    if (remote.pending) remote.pending.crossed = true
    const [receive, send] = transcript.split()
    const session = { local, remote: theirIndex, initiator: false, yields: false, send, receive }
    return { kind: 'session', peer: remote.id, session, message }
  }

  private takeResponse(own: KeyPair, message: Uint8Array): Outcome {
    const local = wire.responseReceiver(message, 0)
    const remote = this.indices.get(local)
    const pending = remote?.pending
    if (!remote || pending?.local !== local) return nothing('no-handshake', remote)
    const theirs = {
      ephemeral: message.subarray(wire.RESPONSE_EPHEMERAL, wire.RESPONSE_EMPTY),
      sealedPayload: message.subarray(wire.RESPONSE_EMPTY, wire.RESPONSE_MAC1),
    }
    // A forged response must not end a handshake, so it is read with a copy.
    const transcript = pending.transcript.copy()
    const empty = noise.readSecond(transcript, pending.ephemeral, own, remote.psk, theirs)
    if (!empty) {
      transcript.wipe()
      return nothing('bad-tag', remote)
    }
    const [send, receive] = transcript.split()
    transcript.wipe()
    const yields = pending.crossed && Buffer.compare(own.public, remote.publicKey) < 0
    // The index now names the session.
    this.wipePending(remote)
    const session = { local, remote: wire.sender(message, 0), initiator: true, yields, send, receive }
    return { kind: 'session', peer: remote.id, session, message: null }
  }

  private staticStaticOf(own: KeyPair, remote: Remote): Uint8Array | null {
    if (remote.staticStatic === undefined) {
      const isOurs = Buffer.compare(own.public, remote.publicKey) === 0
      remote.staticStatic = isOurs ? null : dh(own.private, remote.publicKey)
    }
    return remote.staticStatic
  }

  private newIndex(remote: Remote): number {
    const bytes = new Uint8Array(4)
    for (;;) {
      this.random(bytes)
      const index = new DataView(bytes.buffer).getUint32(0)
      if (this.indices.has(index) || this.taken(index)) continue
      this.indices.set(index, remote)
      return index
    }
  }

  private endPending(remote: Remote): void {
    if (!remote.pending) return
    this.indices.delete(remote.pending.local)
    this.wipePending(remote)
  }

  private wipePending(remote: Remote): void {
    remote.pending?.ephemeral.private.fill(0)
    remote.pending?.transcript.wipe()
    remote.pending = null
  }
}

function nothing(why: Why, remote?: Remote): Nothing {
  return { kind: 'nothing', why, peer: remote ? remote.id : NONE, caller: null }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
