// Our index → Session, for every message that comes in. Open addressing, linear probing, load at most one half; entries move on
// removal (backward shift). Temperature: hot (find); put and remove run once a session and may allocate.
import type { Session } from './session.ts'

const FIRST_CAPACITY = 64

export class SessionTable {
  /** Number of sessions. */
  size = 0
  private mask = FIRST_CAPACITY - 1
  private keys = new Int32Array(FIRST_CAPACITY)
  private sessions: (Session | undefined)[] = empty(FIRST_CAPACITY)
  private readonly seed: number

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.seed = seed | 0
  }

  find(local: number): Session | undefined {
    return this.sessions[this.slot(local | 0)]
  }

  /** Adds a session under its local index, which no other one has. */
  put(session: Session): void {
    if ((this.size + 1) * 2 > this.mask + 1) this.grow()
    this.insert(session)
    this.size++
  }

  /** Removes the session, if it is there. */
  remove(session: Session): void {
    let hole = this.slot(session.local | 0)
    if (this.sessions[hole] !== session) return
    let j = hole
    for (;;) {
      j = (j + 1) & this.mask
      if (this.sessions[j] === undefined) break
      const home = this.home(this.keys[j]!)
      if (((j - home) & this.mask) < ((j - hole) & this.mask)) continue
      this.keys[hole] = this.keys[j]!
      this.sessions[hole] = this.sessions[j]
      hole = j
    }
    this.sessions[hole] = undefined
    this.size--
  }

  // The slot that holds a key, or the free one where it belongs.
  private slot(key: number): number {
    let i = this.home(key)
    while (this.sessions[i] !== undefined && this.keys[i] !== key) i = (i + 1) & this.mask
    return i
  }

  private home(key: number): number {
    const h = Math.imul(key ^ this.seed, 0x9e3779b1)
    return (h ^ (h >>> 15)) & this.mask
  }

  private insert(session: Session): void {
    const i = this.slot(session.local | 0)
    this.keys[i] = session.local | 0
    this.sessions[i] = session
  }

  private grow(): void {
    const old = this.sessions
    const capacity = old.length * 2
    this.mask = capacity - 1
    this.keys = new Int32Array(capacity)
    this.sessions = empty(capacity)
    for (let i = 0; i < old.length; i++) {
      const session = old[i]
      if (session !== undefined) this.insert(session)
    }
  }
}

function empty(capacity: number): (Session | undefined)[] {
  return new Array<Session | undefined>(capacity).fill(undefined)
}
