// Which counters of a session have been seen: RFC 6479, a ring of bits that moves on without shifting. Ask only about messages
// whose tag is right, or anybody could move the window. Temperature: hot.
//
//   counters   … ─────[ highest - 8128 ……………… highest ]───── …     left of it: refused; right of it: the window moves on
//   ring       256 words of 32 bits = 8192 counters, of which the kernel's window (128 words of 64 bits, one spare) is 8128
import { REJECT_AFTER_MESSAGES } from './constants.ts'

/** How far behind the highest counter a message may arrive: the kernel's COUNTER_WINDOW_SIZE. */
export const WINDOW = 8128

const BITS = 8192
const WORDS = BITS / 32
const WORD_MASK = WORDS - 1

export class Replay {
  /** One more than the highest counter seen; 0: none. The kernel counts so, and its test table expects it. */
  private highest = Number.MAX_SAFE_INTEGER
  private readonly ring = new Uint32Array(WORDS)

  constructor() {
    // The field has held a double from the start, so that its representation never changes.
    this.highest = 0
  }

  /** Whether `counter` (0 .. 2^53-1) is new; it is not from now on. */
  accept(counter: number): boolean {
    if (counter >= REJECT_AFTER_MESSAGES) return false
    const n = counter + 1
    const highest = this.highest
    if (n + WINDOW < highest) return false
    const ring = this.ring
    // Modulo 2^32 first: the ring's size divides it, and the rest is integer arithmetic.
    const word = (n >>> 5) & WORD_MASK
    if (n > highest) {
      if (n - highest > BITS - 32) ring.fill(0)
      else this.clear((highest >>> 5) & WORD_MASK, word)
      this.highest = n
    }
    const bit = 1 << (n & 31)
    if ((ring[word]! & bit) !== 0) return false
    ring[word] = ring[word]! | bit
    return true
  }

  // Frees the words behind `from` up to `to`: what they said of counters one ring before is out of the window by now.
  private clear(from: number, to: number): void {
    let i = from
    while (i !== to) {
      i = (i + 1) & WORD_MASK
      this.ring[i] = 0
    }
  }
}
