// Bytes that nobody may read by accident: a private or a preshared key, a password. Logging, printing, JSON, inspecting or cloning one
// shows that it is there and nothing of it. Who works with the bytes takes a copy and zeroes it when done.
import { timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

const LEN = 32
const SHOWN = '(secret)'

export class Secret {
  readonly #bytes: Uint8Array

  /** Takes a copy; the caller zeroes its own. `length`: what is wanted, a key's unless it is no key. */
  constructor(bytes: Uint8Array, length = LEN) {
    if (bytes.length !== length) throw new RangeError(`want ${length} bytes, got ${bytes.length}`)
    this.#bytes = Uint8Array.from(bytes)
  }

  /** The bytes, the caller's to zero. */
  copy(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  /** In a time that says nothing of where they differ. */
  equals(other: Secret | null): boolean {
    return other !== null && other.#bytes.length === this.#bytes.length && timingSafeEqual(this.#bytes, other.#bytes)
  }

  /** When it is of no use any more: zeros are left. */
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
