// One keypair, WG §5.4.5: what the data thread knows of it. The keys themselves are native's, by slot. Temperature: hot.
import { REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME } from './constants.ts'
import { Replay } from './replay.ts'

/** What a session is made of, beside its peer and its birth. */
export interface SessionFields {
  readonly local: number
  readonly remote: number
  readonly initiator: boolean
  readonly sendKey: number
  readonly receiveKey: number
  readonly rekeyAfter: number
}

export class Session {
  /** The peer's id. */
  readonly peer: number
  /** Our index and theirs, 0 .. 2^32-1: what they write into messages to us, and we into messages to them. */
  readonly local: number
  readonly remote: number
  /** Key slots: what to put into a batch's `key` column. */
  readonly sendKey: number
  readonly receiveKey: number
  /** Whether we began the handshake: the initiator renews the session. */
  readonly initiator: boolean
  /** From this age (ms) on we renew when we send; Infinity for the responder. */
  rekeyAfter = Number.MAX_SAFE_INTEGER
  /** When it was derived, ms. */
  born = Number.MAX_SAFE_INTEGER
  /** The next message's counter; who takes n counters adds n. */
  counter = Number.MAX_SAFE_INTEGER
  readonly replay = new Replay()

  constructor(peer: number, born: number, as: SessionFields) {
    this.peer = peer
    this.local = as.local
    this.remote = as.remote
    this.sendKey = as.sendKey
    this.receiveKey = as.receiveKey
    this.initiator = as.initiator
    this.rekeyAfter = as.rekeyAfter
    // All have held a double from the start, so that their representation never changes.
    this.born = born
    this.counter = 0
  }

  /** Whether `n` more messages may be sealed with it. WG §6.2: never beyond the limits of time and number. */
  maySend(n: number, now: number): boolean {
    return now - this.born < REJECT_AFTER_TIME && this.counter + n <= REJECT_AFTER_MESSAGES
  }

  /** Whether messages may still be opened with it. */
  mayReceive(now: number): boolean {
    return now - this.born < REJECT_AFTER_TIME
  }

  /** The next that we send asks for another session; until there is one this one carries. */
  renewSoon(): void {
    this.rekeyAfter = 0
  }

  /** No more sending: our own key has changed. What is under way may still arrive. */
  retireSending(): void {
    this.counter = REJECT_AFTER_MESSAGES
  }
}
