// What the data thread knows of one peer: up to three sessions (WG §6.3) and the deadlines that its packets move (WG §6.4–6.5).
// This file only moves deadlines; peers.ts acts on them. Temperature: warm (once per batch and peer).
//
//   retransmit    an initiation left                    → say it again           stopped by: a handshake is complete
//   keepalive     data came                             → an empty message       stopped by: we sent anything
//   newHandshake  data left                             → a new handshake        stopped by: anything came
//   zero          a session was made                    → forget all keys        restarted by: the next session
//   persistent    anything came or left                 → an empty message       only where the configuration has an interval
//   expiry        a session was made                    → that session goes
import {
  JITTER,
  KEEPALIVE_TIMEOUT,
  NEW_HANDSHAKE_TIME,
  REJECT_AFTER_TIME,
  REKEY_ON_RECEIVE_TIME,
  ZERO_AFTER_TIME,
} from './constants.ts'
import type { Session } from './session.ts'

/** Something from 0 to 1, for jitter. */
export type Chance = () => number

/** A deadline that is not set. */
export const NEVER = Number.POSITIVE_INFINITY

export class Peer {
  readonly id: number
  /** Receives only: what was under way when `current` took over. */
  previous: Session | undefined = undefined
  /** Sends and receives. */
  current: Session | undefined = undefined
  /** Receives only, until a packet shows that the initiator has the session too; then it becomes `current`. */
  next: Session | undefined = undefined
  /** Which one something came on last. */
  heard: Session | undefined = undefined

  /** Deadlines, ms of the monotonic clock. */
  retransmit = NEVER
  keepalive = NEVER
  newHandshake = NEVER
  zero = NEVER
  persistent = NEVER
  expiry = NEVER

  /** ms between persistent keepalives; 0: none. */
  interval = 0
  /** When the last initiation was asked for, or the last response sent. */
  lastInitiation = -NEVER
  /** When the last handshake was complete; -Infinity: never. */
  completedAt = -NEVER
  /** Repetitions of an initiation that was asked for. */
  attempts = 0
  /** More data came while `keepalive` ran. */
  needAnother = false
  /** WG §6.2: one renewal for receiving, per session. */
  lastMinute = false

  constructor(id: number) {
    this.id = id
  }

  /** The earliest deadline. */
  deadline(): number {
    return Math.min(this.retransmit, this.keepalive, this.newHandshake, this.zero, this.persistent, this.expiry)
  }

  /** Any message left for the peer that shows who we are: initiation, response, data, keepalive. */
  authenticatedSent(now: number): void {
    this.keepalive = NEVER
    this.traversed(now)
  }

  /** Any such message came from it. */
  authenticatedReceived(now: number): void {
    this.newHandshake = NEVER
    this.traversed(now)
  }

  /** `chance`: 0 .. 1. */
  dataSent(now: number, chance: number): void {
    if (this.newHandshake === NEVER) this.newHandshake = now + NEW_HANDSHAKE_TIME + Math.floor(chance * JITTER)
  }

  dataReceived(now: number): void {
    if (this.keepalive === NEVER) this.keepalive = now + KEEPALIVE_TIMEOUT
    else this.needAnother = true
  }

  /** Both sides have the session: the initiator has the response, the responder the first packet. */
  complete(now: number): void {
    this.retransmit = NEVER
    this.lastMinute = false
    this.completedAt = now
  }

  /** Sessions have come or gone. */
  sessionsChanged(): void {
    const first = Math.min(bornOf(this.previous), bornOf(this.current), bornOf(this.next))
    this.expiry = first + REJECT_AFTER_TIME
  }

  derived(now: number): void {
    this.zero = now + ZERO_AFTER_TIME
  }

  /** WG §6.2: whether what just came was received on a session that we began and that will soon be too old. */
  rekeysOnReceive(now: number): boolean {
    const session = this.current
    if (this.lastMinute || session === undefined || !session.initiator || !session.maySend(1, now)) return false
    if (now - session.born < REKEY_ON_RECEIVE_TIME) return false
    this.lastMinute = true
    return true
  }

  private traversed(now: number): void {
    if (this.interval > 0) this.persistent = now + this.interval
  }
}

function bornOf(session: Session | undefined): number {
  return session === undefined ? NEVER : session.born
}
