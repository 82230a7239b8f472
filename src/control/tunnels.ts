// The control thread's side of secure networks: which peer is which tunnel, and the handshakes with them (src/wireguard). The
// data thread asks for initiations, hands over what comes in, and gets sessions back. Cold; handshake arithmetic happens here,
// so that it never stalls a packet.
import { randomFillSync } from 'node:crypto'
import { isIP } from 'node:net'
import { type Counters, MAX_TUNNELS } from '../counters.ts'
import type { Mailbox, News } from '../datapath/mailbox.ts'
import * as drop from '../drop.ts'
import { sinceBoot } from '../host/addon.ts'
import * as sockaddr from '../host/sockaddr.ts'
import { Handshakes, type Nothing, type Outcome, ready, type Why } from '../wireguard/handshakes.ts'
import type { PeerSession } from './api/report.ts'
import type { PeerConfig } from './config/model.ts'
import { CODES } from './handshake-code.ts'
import { HandshakeFaults } from './handshake-faults.ts'
import { type Call, Visit } from './join/visit.ts'
import { Refusal } from './refusal.ts'
import { asPeer, type Guest, isSamePlace, type Place, type Remote, seenOf, sessionOf } from './remote.ts'
import type { Resolver } from './resolve.ts'
import type { Secret } from './secret.ts'
import type { Seen } from './wg/state.ts'

export type { Guest, Place } from './remote.ts'

/** What is said of a message that is for another key than ours, or for a handshake of another's. */
const NOT_OURS: readonly Why[] = ['no-key', 'bad-mac', 'no-handshake', 'bad-cookie']

/** Initiations in vain after which a peer's name is looked up again, whatever address it had. */
const RESOLVE_AFTER = 2

/** Outcomes that are told together at most: what the data thread has not heard of counts as waiting, and many of those as load. */
const TOLD_TOGETHER = 32

export interface TunnelsParts {
  readonly mailbox: Mailbox
  readonly counters: Counters
  readonly resolver: Resolver
  /** Looks a name up again; resolves to whether its address changed. */
  lookUp(host: string): Promise<boolean>
  /** A handshake with a peer went wrong, or something about it is worth a line in the log. */
  said(line: string): void
  /** A far end is somewhere else than before. */
  readonly moved?: () => void
  /** The agent at the far end of a tunnel says something to ours. */
  readonly told?: (speaker: Speaker, body: Uint8Array) => void
}

/** Who speaks through a tunnel. */
export interface Speaker {
  readonly publicKey: string
  /** Where it is, as far as is known. */
  readonly place: Place | null
  /** One of `setGuests`. */
  readonly guest: boolean
}

export class TunnelControl {
  private readonly p: TunnelsParts
  private readonly handshakes = new Handshakes(randomFillSync, (index) => this.visit?.uses(index) === true)
  private visit: Visit | null = null
  private readonly byKey = new Map<string, Remote>()
  private readonly byId: (Remote | undefined)[] = []
  private key: Secret | null = null
  private readonly faults = new HandshakeFaults()
  private outcomes: { tunnel: number; code: number; bytes: number }[] = []

  private constructor(parts: TunnelsParts) {
    this.p = parts
  }

  static async open(parts: TunnelsParts): Promise<TunnelControl> {
    return new TunnelControl(parts)
  }

  /** Our private key, from now on. */
  async setPrivateKey(key: Secret | null): Promise<void> {
    if (key === this.key || key?.equals(this.key)) return
    if (key) await ready()
    const first = this.key === null
    this.key = key
    const bytes = key?.copy() ?? null
    this.handshakes.setPrivateKey(bytes)
    bytes?.fill(0)
    if (first) return
    // Who learns of keys from the store has learned of this one, or will: what they have carries until then.
    const kept = [...this.byKey.values()].filter(({ held, listed }) => held && !listed).map(({ id }) => id)
    await this.p.mailbox.ask({ kind: 'renew-tunnels', kept })
  }

  /** Adds and changes tunnels, so that there is one for each of these peers. `port`: of an endpoint without one. */
  async want(peers: readonly PeerConfig[], port: number): Promise<void> {
    for (const peer of peers) {
      const had = this.byKey.get(peer.publicKey!)
      if (had) await this.change(had, peer, port)
      else await this.add(peer, port)
      this.byKey.get(peer.publicKey!)!.listed = true
    }
  }

  /**
   * The same for one that the configuration knows nothing of, until `release`. Answers its number, or NONE: there are
   * too many already.
   */
  async hold(peer: PeerConfig, port: number): Promise<number> {
    const had = this.byKey.get(peer.publicKey!)
    // One is left for a visit.
    if (!had && this.byKey.size >= MAX_TUNNELS - 1) return drop.NONE
    if (!had) await this.add(peer, port)
    else if (!had.listed && !had.guest) await this.change(had, peer, port)
    const remote = this.byKey.get(peer.publicKey!)!
    remote.held = true
    return remote.id
  }

  /** Nothing refers to it any more on behalf of `hold`. */
  async release(publicKey: string): Promise<void> {
    const remote = this.byKey.get(publicKey)
    if (!remote) return
    remote.held = false
    if (!remote.listed && !remote.guest) await this.remove(publicKey, remote)
  }

  /** Lets go of all others. Nothing refers to them any more. */
  async retain(peers: readonly PeerConfig[]): Promise<void> {
    const keys = new Set(peers.map((p) => p.publicKey))
    for (const [key, remote] of this.byKey) {
      remote.listed = keys.has(key)
      if (!remote.listed && !remote.held && !remote.guest) await this.remove(key, remote)
    }
  }

  /** These keys, and no others beside the peers, may speak to our control thread. */
  async setGuests(guests: readonly Guest[]): Promise<void> {
    const keys = new Set(guests.map((g) => g.publicKey))
    for (const [key, remote] of this.byKey) if (remote.guest && !keys.has(key)) await this.remove(key, remote)
    for (const guest of guests) if (!this.byKey.has(guest.publicKey)) await this.add(asPeer(guest), 0, true)
  }

  /** Opens a tunnel to a host as somebody else, one at a time. `told` hears what its agent says. */
  async beginVisit(call: Call, told: (body: Uint8Array) => void): Promise<Visit> {
    await ready()
    if (this.visit) throw new Error('one visit at a time')
    const { mailbox } = this.p
    const taken = (index: number): boolean => this.handshakes.uses(index)
    this.visit = new Visit(call, { mailbox, tunnel: this.freeId(), taken, told })
    return this.visit
  }

  async endVisit(): Promise<void> {
    const { visit } = this
    this.visit = null
    await visit?.end()
  }

  /** Says something to a peer's agent; it may get lost, as when there is no session yet: that begins one. */
  tell(publicKey: string, body: Uint8Array): void {
    const remote = this.byKey.get(publicKey)
    if (remote) this.p.mailbox.tell({ kind: 'tell', tunnel: remote.id, body })
  }

  /** The tunnel to a key that `want` has named. */
  tunnel(publicKey: string): number {
    return this.byKey.get(publicKey)!.id
  }

  /** Where a key is, as far as is known. */
  place(publicKey: string): Place | null {
    return this.byKey.get(publicKey)?.place ?? null
  }

  /** For `status`. */
  session(publicKey: string): PeerSession | null {
    const remote = this.byKey.get(publicKey)
    return remote ? sessionOf(remote, this.p.counters) : null
  }

  /** For wg(8); null: there is no tunnel to this key. */
  seen(publicKey: string): Seen | null {
    const remote = this.byKey.get(publicKey)
    return remote ? seenOf(remote, this.p.counters, sinceBoot()) : null
  }

  /** For metrics: seconds since the epoch; null: none with this key. */
  handshakeAt(publicKey: string): number | null {
    const at = this.seen(publicKey)?.lastHandshake
    return at ? at.sec + at.nsec / 1e9 : null
  }

  /** Somebody says where a peer is, in the same words as before: it is called there, wherever it has moved,
   * and from whichever address of ours leads there. */
  async recall(publicKey: string): Promise<void> {
    const remote = this.byKey.get(publicKey)
    if (remote?.configured) await this.order(remote, remote.configured)
  }

  /** The host's routes or addresses have changed. */
  async hostChanged(): Promise<void> {
    if (this.byKey.size > 0) await this.p.mailbox.ask({ kind: 'forget-sources' })
  }

  /** What the data thread says; false: it is about something else. */
  hear(n: News): boolean {
    if (n.kind === 'told') this.p.mailbox.tell({ kind: 'heard', count: 1 })
    if (this.visit?.hear(n, sinceBoot())) return true
    switch (n.kind) {
      case 'handshake':
        this.take(n)
        return true
      case 'initiate':
        this.initiate(n.tunnel)
        return true
      case 'retired':
        this.handshakes.release(n.index)
        return true
      case 'clear-handshake':
        this.handshakes.clear(n.tunnel)
        return true
      case 'told':
        this.told(n.tunnel, n.body)
        return true
      case 'roamed':
        this.roamed(n.tunnel, n.address)
        return true
      default:
        return false
    }
  }

  /** Forgets every key. */
  close(): void {
    this.handshakes.setPrivateKey(null)
    this.visit?.close()
    for (const remote of this.byKey.values()) this.handshakes.removePeer(remote.id)
    this.byKey.clear()
  }

  private async add(peer: PeerConfig, port: number, guest = false): Promise<void> {
    const id = this.freeId()
    const psk = peer.presharedKey?.copy() ?? null
    this.handshakes.addPeer(id, Buffer.from(peer.publicKey!, 'base64'), psk)
    psk?.fill(0)
    const configured = this.configured(peer, port)
    const never = { at: 0, wallMs: 0 }
    const remote: Remote = {
      id,
      guest,
      listed: false,
      held: false,
      peer,
      configured,
      place: null,
      attempts: 0,
      handshake: never,
    }
    this.byKey.set(peer.publicKey!, remote)
    this.byId[id] = remote
    await this.order(remote, configured)
  }

  private async remove(key: string, remote: Remote): Promise<void> {
    this.byKey.delete(key)
    this.byId[remote.id] = undefined
    this.faults.forget(remote.id)
    this.handshakes.removePeer(remote.id)
    await this.p.mailbox.ask({ kind: 'remove-tunnel', tunnel: remote.id })
  }

  private async change(remote: Remote, peer: PeerConfig, port: number): Promise<void> {
    const before = remote.peer
    remote.peer = peer
    if (!(peer.presharedKey?.equals(before.presharedKey) ?? before.presharedKey === null)) {
      const psk = peer.presharedKey?.copy() ?? null
      this.handshakes.setPresharedKey(remote.id, psk)
      psk?.fill(0)
    }
    const configured = this.configured(peer, port)
    // An endpoint that says the same as before does not call a roaming peer back.
    const moved = configured !== null && !isSamePlace(configured, remote.configured)
    if (configured !== null) remote.configured = configured
    const changed = peer.keepaliveSec !== before.keepaliveSec || peer.type !== before.type
    if (moved || changed) await this.order(remote, moved ? configured : null)
  }

  private async order(remote: Remote, place: Place | null): Promise<void> {
    if (place) this.placed(remote, place)
    await this.p.mailbox.ask({
      kind: 'set-tunnel',
      tunnel: remote.id,
      keepalive: remote.peer.keepaliveSec * 1000,
      endpoint: place ? sockaddr.pack(place.address, place.port) : null,
      stock: remote.guest || remote.peer.type === 'wireguard',
    })
  }

  private configured({ endpoint }: PeerConfig, port: number): Place | null {
    if (!endpoint) return null
    const address = this.p.resolver.address(endpoint.host)
    return address === undefined ? null : { address, port: endpoint.port ?? port }
  }

  private take(n: News & { kind: 'handshake' }): void {
    const outcome = this.outcomeOf(n)
    this.report(outcome, n.message.length)
    if (outcome.kind === 'nothing') this.complain(outcome, n)
    const { mailbox } = this.p
    if (outcome.kind === 'send') {
      mailbox.tell({ kind: 'answer', message: outcome.message, to: n.from, local: n.local })
    } else if (outcome.kind === 'session') {
      const remote = this.byId[outcome.peer]
      if (remote) remote.attempts = 0
      this.faults.succeeded(outcome.peer)
      const send = moved(outcome.session.send)
      const receive = moved(outcome.session.receive)
      const session = { ...outcome.session, send, receive }
      const { from, local } = n
      mailbox.tell({ kind: 'session', tunnel: outcome.peer, session, from, local, message: outcome.message }, [
        send.buffer,
        receive.buffer,
      ])
    }
  }

  private complain(outcome: Nothing, { message, from }: News & { kind: 'handshake' }): void {
    const name = this.byId[outcome.peer]?.peer.name ?? null
    const line = this.faults.hear(outcome, { name, message, from, own: this.handshakes.publicKey }, sinceBoot())
    if (line) this.p.said(line)
  }

  private outcomeOf(n: News & { kind: 'handshake' }): Outcome {
    const ours = this.handshakes.handle(n.message, n.from, n.waiting, sinceBoot())
    if (!this.visit || ours.kind !== 'nothing' || !NOT_OURS.includes(ours.why)) return ours
    const its = this.visit.handle(n, sinceBoot())
    return its.kind === 'nothing' ? ours : its
  }

  // Told together: under a flood a reply for each would cost more than the message did.
  private report(outcome: Outcome, bytes: number): void {
    const tunnel = 'peer' in outcome ? outcome.peer : drop.NONE
    const told = this.outcomes.push({ tunnel, code: outcome.kind === 'nothing' ? CODES[outcome.why] : 0, bytes })
    if (told === TOLD_TOGETHER) this.tellOutcomes()
    else if (told === 1) setImmediate(() => this.tellOutcomes())
  }

  private tellOutcomes(): void {
    const { outcomes } = this
    this.outcomes = []
    if (outcomes.length > 0) this.p.mailbox.tell({ kind: 'handled', outcomes })
  }

  private initiate(tunnel: number): void {
    const remote = this.byId[tunnel]
    if (!remote) return
    const message = this.handshakes.initiate(tunnel, sinceBoot(), Date.now())
    if (message) this.p.mailbox.tell({ kind: 'initiation', tunnel, message })
    remote.attempts++
    if (remote.attempts > RESOLVE_AFTER) void this.resolveAgain(remote).catch((e: unknown) => this.p.said(String(e)))
  }

  // Nobody answers: the name may stand for another address by now, or the peer may be back where it began.
  private async resolveAgain(remote: Remote): Promise<void> {
    const { endpoint, name } = remote.peer
    if (!endpoint || isIP(endpoint.host) !== 0) return
    await this.p.lookUp(endpoint.host)
    const address = this.p.resolver.address(endpoint.host)
    if (address === undefined || this.byId[remote.id] !== remote || address === remote.place?.address) return
    const port = endpoint.port ?? remote.configured?.port ?? remote.place?.port
    if (port === undefined) return
    const before = remote.place ? `no answer from ${remote.place.address}; ` : ''
    this.p.said(`peer ${name}: ${before}${endpoint.host} is ${address} now`)
    remote.configured = { address, port }
    await this.order(remote, remote.configured)
  }

  private told(tunnel: number, body: Uint8Array): void {
    const remote = this.byId[tunnel]
    if (!remote) return
    const { peer, place, guest } = remote
    this.p.told?.({ publicKey: peer.publicKey!, place, guest }, body)
  }

  private roamed(tunnel: number, address: Uint8Array): void {
    const remote = this.byId[tunnel]
    const place = sockaddr.unpack(address)
    if (remote && place) this.placed(remote, place)
  }

  private placed(remote: Remote, place: Place): void {
    const isElsewhere = place.address !== remote.place?.address
    remote.place = place
    if (isElsewhere) this.p.moved?.()
  }

  private freeId(): number {
    for (let id = 0; id < MAX_TUNNELS; id++) if (!this.byId[id] && id !== this.visit?.tunnel) return id
    throw new Refusal(`peers: at most ${MAX_TUNNELS} with a publicKey in one agent`, 2)
  }
}

/** A copy in memory of its own, which can be moved; the original is zeroed. */
function moved(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(key)
  key.fill(0)
  return out
}
