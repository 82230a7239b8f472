// 32 bytes that nobody may read by accident: a private or a preshared key. Logging, printing, JSON, inspecting or cloning one
// shows that it is there and nothing of it. Who works with the bytes takes a copy and zeroes it when done.
import { timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

const LEN = 32
const SHOWN = '(secret)'

export class Secret {
  readonly #bytes = new Uint8Array(LEN)

  /** Takes a copy of 32 bytes; the caller zeroes its own. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== LEN) throw new RangeError(`want ${LEN} bytes, got ${bytes.length}`)
    this.#bytes.set(bytes)
  }

  /** The bytes, the caller's to zero. */
  copy(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  /** In a time that says nothing of where they differ. */
  equals(other: Secret | null): boolean {
    return other !== null && timingSafeEqual(this.#bytes, other.#bytes)
  }

  /** When it is of no use any more: 32 zeros are left. */
  zero(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}
