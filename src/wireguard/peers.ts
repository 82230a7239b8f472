// The data thread's half of WireGuard: which session sends to a peer, which one an index means, and what is due when. Sans-IO:
// what is to be done goes out through Effects, time comes in as `now` (ms, monotonic). Read WG §6 before you edit.
// Temperature: hot (find, sender), warm (sent, received, nextDeadline), cold (the rest: handshakes, configuration, timers).
import { NONE } from '../drop.ts'
import {
  JITTER,
  MAX_ATTEMPTS,
  REJECT_AFTER_TIME,
  REKEY_AFTER_MESSAGES,
  REKEY_AFTER_TIME,
  REKEY_TIMEOUT,
} from './constants.ts'
import type { NewSession } from './new-session.ts'
import { type Chance, NEVER, Peer } from './peer.ts'
import { Session } from './session.ts'
import { SessionTable } from './session-table.ts'

/** What Peers wants done. Called from any method that has a `now`, never once per packet; it may call back into Peers. */
export interface Effects {
  /** Ask for an initiation to this peer. How often is decided here already. */
  initiate(peer: number): void
  /** Send one empty message with the current session (`sender(peer, 1, now)`), then say so with `sent(peer, false, now)`. */
  keepalive(peer: number): void
  /** There is a session to send with: staged packets may go. Whether there are any, and they go now or soon. */
  ready(peer: number): boolean
  /** Give up on staged packets. */
  dropStaged(peer: number): void
  /** Takes a key of 32 bytes and zeroes it. Its slot, or a negative number when there is no room. */
  installKey(key: Uint8Array, remoteIndex: number): number
  /** The slot's key is to be forgotten. */
  retireKey(slot: number): void
  /** Nothing is named by this index any more. */
  retired(localIndex: number): void
  /** Forget the handshake under way with this peer. */
  clearHandshake(peer: number): void
  /** Nothing came back: perhaps the local address that was used towards the peer is dead. */
  forgetSource(peer: number): void
}

/** As `status` shows it. */
export type State = 'idle' | 'handshaking' | 'up'

export class Peers {
  private readonly peers: (Peer | undefined)[] = []
  private readonly sessions: SessionTable
  private readonly effects: Effects
  private readonly random: Chance
  /** At most the earliest deadline of all: it goes down at once, and up when `expire` has looked at everybody. */
  private next = NEVER

  /** `seed`: 32 random bits. */
  constructor(effects: Effects, random: Chance, seed: number) {
    this.effects = effects
    this.random = random
    this.sessions = new SessionTable(seed)
  }

  // --- every packet ---

  /** The session of one of our indices, if it may still receive. */
  find(localIndex: number, now: number): Session | undefined {
    const session = this.sessions.find(localIndex)
    return session?.mayReceive(now) ? session : undefined
  }

  /**
   * The session to send `packets` messages with. The caller takes their counters: from session.counter on, which it adds
   * `packets` to. Undefined: the caller stages the packet, and hears `ready` or `dropStaged`.
   */
  sender(id: number, packets: number, now: number): Session | undefined {
    const peer = this.peers[id]
    if (peer === undefined) return undefined
    const session = peer.current
    if (session?.maySend(packets, now)) return session
    // What is overdue goes first: it might forget what is about to be staged, and the handshake for it.
    if (peer.deadline() <= now) this.fire(peer, now)
    this.request(peer, false, now)
    return undefined
  }

  // --- every batch ---

  /** Messages left for the peer; `data`: one of them at least was no keepalive. Once per batch and peer. */
  sent(id: number, data: boolean, now: number): void {
    const peer = this.peers[id]
    if (peer === undefined) return
    const arms = data && peer.newHandshake === NEVER
    if (arms) peer.dataSent(now, this.random())
    peer.authenticatedSent(now)
    const session = peer.current
    if (session !== undefined) {
      // WG §6.2: the initiator renews by time, so that both do not; either renews by number.
      const old = now - session.born >= session.rekeyAfter || session.counter > REKEY_AFTER_MESSAGES
      if (old) this.request(peer, false, now)
    }
    // All other deadlines have moved away, which `expire` will see.
    if (arms) this.note(peer)
  }

  /** Messages opened with the session and were new; `data`: one at least was no keepalive. Once per batch and session. */
  received(session: Session, data: boolean, now: number): void {
    const peer = this.peers[session.peer]
    if (peer === undefined) return
    peer.heard = session
    if (session === peer.next) this.promote(peer, now)
    if (peer.rekeysOnReceive(now)) this.request(peer, false, now)
    peer.authenticatedReceived(now)
    if (!data) return
    const arms = peer.keepalive === NEVER
    peer.dataReceived(now)
    if (arms) this.note(peer)
  }

  /** Nothing is due before; Infinity: nothing at all. */
  nextDeadline(): number {
    return this.next
  }

  /** Does what is due. */
  expire(now: number): void {
    if (now < this.next) return
    this.next = NEVER
    for (let id = 0; id < this.peers.length; id++) {
      const peer = this.peers[id]
      if (peer === undefined) continue
      if (peer.deadline() <= now) this.fire(peer, now)
      this.note(peer)
    }
  }

  // --- configuration ---

  /** Adds a peer, or changes it. `keepaliveMs`: 0 for no persistent keepalive. */
  set(id: number, keepaliveMs: number, now: number): void {
    let peer = this.peers[id]
    if (peer === undefined) {
      peer = new Peer(id)
      while (this.peers.length <= id) this.peers[this.peers.length] = undefined
      this.peers[id] = peer
    }
    const starts = peer.interval === 0
    peer.interval = keepaliveMs
    if (keepaliveMs === 0) peer.persistent = NEVER
    else if (starts) peer.persistent = now
    else peer.persistent = Math.min(peer.persistent, now + keepaliveMs)
    this.note(peer)
  }

  /** The peer is gone, with its sessions and what was staged for it. */
  remove(id: number): void {
    const peer = this.peers[id]
    if (peer === undefined) return
    this.retireAll(peer)
    this.peers[id] = undefined
    this.effects.dropStaged(id)
  }

  /** Our own key has changed: nothing more is sent in the old one's sessions, and the next handshake need not wait. */
  expireAll(id: number): void {
    const peer = this.peers[id]
    if (peer === undefined) return
    peer.current?.retireSending()
    peer.next?.retireSending()
    peer.lastInitiation = -NEVER
  }

  /**
   * The same where the far end hears of our new key by other ways, and keeps the old one's sessions until then: they carry on
   * until there is one of the new key.
   */
  renew(id: number): void {
    const peer = this.peers[id]
    if (peer === undefined) return
    peer.current?.renewSoon()
    peer.next?.renewSoon()
    peer.lastInitiation = -NEVER
  }

  /** How it stands with a peer, for people. `completedAt`: ms, or -Infinity. */
  status(id: number, now: number): { state: State; completedAt: number } {
    const peer = this.peers[id]
    if (peer === undefined) return { state: 'idle', completedAt: -NEVER }
    const up = peer.current?.maySend(1, now) === true
    const state = up ? 'up' : peer.retransmit !== NEVER ? 'handshaking' : 'idle'
    return { state, completedAt: peer.completedAt }
  }

  // --- handshakes ---

  /** An initiation has left. */
  initiated(id: number, now: number): void {
    const peer = this.peers[id]
    if (peer === undefined) return
    peer.authenticatedSent(now)
    this.note(peer)
  }

  /** A handshake gave a session; as responder, the response is sent in the same moment. Its keys are zeroed. */
  begin(id: number, made: NewSession, now: number): void {
    const peer = this.peers[id]
    const session = peer === undefined ? undefined : this.install(peer, made, now)
    made.send.fill(0)
    made.receive.fill(0)
    if (peer === undefined || session === undefined) {
      this.effects.retired(made.local)
      return
    }
    peer.derived(now)
    peer.authenticatedReceived(now)
    if (made.initiator) this.beginAsInitiator(peer, session, now)
    else this.beginAsResponder(peer, session, now)
    peer.sessionsChanged()
    this.note(peer)
    // WG §5.4.6: the responder may send once it has heard from us, so it hears from us at once.
    if (made.initiator && !this.effects.ready(id)) this.effects.keepalive(id)
  }

  private install(peer: Peer, made: NewSession, now: number): Session | undefined {
    const sendKey = this.effects.installKey(made.send, made.remote)
    // A negative slot would mean "not sealed" in a batch: no session, rather than one in the clear.
    if (sendKey <= NONE) return undefined
    const receiveKey = this.effects.installKey(made.receive, made.remote)
    if (receiveKey <= NONE) {
      this.effects.retireKey(sendKey)
      return undefined
    }
    const { local, remote, initiator } = made
    const rekeyAfter = !initiator ? NEVER : made.yields ? REKEY_AFTER_TIME + 2 * REKEY_TIMEOUT : REKEY_AFTER_TIME
    const session = new Session(peer.id, now, { local, remote, initiator, sendKey, receiveKey, rekeyAfter })
    this.sessions.put(session)
    return session
  }

  // WG §6.3, and noise.c's add_new_keypair where the paper is silent: what nobody has used yet is kept for receiving.
  private beginAsInitiator(peer: Peer, session: Session, now: number): void {
    if (peer.next !== undefined) {
      this.retire(peer.previous)
      this.retire(peer.current)
      peer.previous = peer.next
      peer.next = undefined
    } else if (peer.previous !== undefined && peer.heard === peer.previous) {
      // Both had begun at once, and each sends with its own: `previous` is what the far end still uses.
      this.retire(peer.current)
    } else {
      this.retire(peer.previous)
      peer.previous = peer.current
    }
    peer.current = session
    peer.complete(now)
  }

  private beginAsResponder(peer: Peer, session: Session, now: number): void {
    // The reference forgets `previous` too. It may be what the far end sends with (`heard`) until our response has come.
    this.retire(peer.next)
    peer.next = session
    peer.lastInitiation = now
    peer.authenticatedSent(now)
  }

  private promote(peer: Peer, now: number): void {
    this.retire(peer.previous)
    peer.previous = peer.current
    peer.current = peer.next
    peer.next = undefined
    peer.sessionsChanged()
    peer.complete(now)
    this.effects.ready(peer.id)
  }

  // --- timers ---

  private fire(peer: Peer, now: number): void {
    if (peer.expiry <= now) this.retireOld(peer, now)
    // Before whatever asks for a handshake, which it would forget.
    if (peer.zero <= now) this.forgetKeys(peer)
    if (peer.retransmit <= now) this.retransmit(peer, now)
    if (peer.keepalive <= now) {
      peer.keepalive = NEVER
      this.keepalive(peer, now)
      if (peer.needAnother) {
        peer.needAnother = false
        peer.dataReceived(now)
      }
    }
    if (peer.newHandshake <= now) {
      peer.newHandshake = NEVER
      this.effects.forgetSource(peer.id)
      this.request(peer, false, now)
    }
    if (peer.persistent <= now) {
      peer.persistent = now + peer.interval
      this.keepalive(peer, now)
    }
  }

  private retransmit(peer: Peer, now: number): void {
    peer.retransmit = NEVER
    if (peer.attempts <= MAX_ATTEMPTS) {
      peer.attempts++
      this.effects.forgetSource(peer.id)
      this.request(peer, true, now)
      return
    }
    // WG §6.4: nobody answers; the next packet begins anew.
    peer.keepalive = NEVER
    this.effects.dropStaged(peer.id)
    if (peer.zero === NEVER) peer.derived(now)
  }

  private keepalive(peer: Peer, now: number): void {
    if (peer.current?.maySend(1, now) === true) this.effects.keepalive(peer.id)
    else this.request(peer, false, now)
  }

  // Asks for an initiation, at most every REKEY_TIMEOUT; asked earlier, it happens when that is over.
  private request(peer: Peer, again: boolean, now: number): void {
    if (!again) peer.attempts = 0
    const may = now - peer.lastInitiation >= REKEY_TIMEOUT
    if (!may && peer.retransmit !== NEVER) return
    if (may) peer.lastInitiation = now
    peer.retransmit = peer.lastInitiation + REKEY_TIMEOUT + Math.floor(this.random() * JITTER)
    this.note(peer)
    if (may) this.effects.initiate(peer.id)
  }

  private forgetKeys(peer: Peer): void {
    peer.zero = NEVER
    this.retireAll(peer)
    this.effects.clearHandshake(peer.id)
    this.effects.dropStaged(peer.id)
  }

  private retireOld(peer: Peer, now: number): void {
    const { previous, current, next } = peer
    if (previous !== undefined && now - previous.born >= REJECT_AFTER_TIME) peer.previous = this.retire(previous)
    if (current !== undefined && now - current.born >= REJECT_AFTER_TIME) peer.current = this.retire(current)
    if (next !== undefined && now - next.born >= REJECT_AFTER_TIME) peer.next = this.retire(next)
    peer.sessionsChanged()
  }

  private retireAll(peer: Peer): void {
    peer.previous = this.retire(peer.previous)
    peer.current = this.retire(peer.current)
    peer.next = this.retire(peer.next)
    peer.sessionsChanged()
  }

  private retire(session: Session | undefined): undefined {
    if (session === undefined) return undefined
    this.sessions.remove(session)
    this.effects.retireKey(session.sendKey)
    this.effects.retireKey(session.receiveKey)
    this.effects.retired(session.local)
    return undefined
  }

  private note(peer: Peer): void {
    const deadline = peer.deadline()
    if (deadline < this.next) this.next = deadline
  }
}
