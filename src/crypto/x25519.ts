// X25519 (RFC 7748 §5): key pairs and shared secrets. Await `ready` of sodium.ts first. Cold: about 0.2 ms a call.
import { sodium } from './sodium.ts'

export const KEY_LEN = 32

/** Fills `into` with random bytes. Chance is always an argument. */
export type Random = (into: Uint8Array) => void

export interface KeyPair {
  readonly private: Uint8Array
  readonly public: Uint8Array
}

/** A new pair; whoever asked for it zeroes the private half. */
export function generate(random: Random): KeyPair {
  const key = new Uint8Array(KEY_LEN)
  random(key)
  clamp(key)
  return { private: key, public: publicKey(key) }
}

/** The public key of a private one, clamped or not. */
export function publicKey(privateKey: Uint8Array): Uint8Array {
  return sodium.crypto_scalarmult_base(privateKey)
}

/** RFC 7748 §5, in place: what every use of a private key does to it anyway. */
export function clamp(privateKey: Uint8Array): void {
  privateKey[0]! &= 0xf8
  privateKey[31] = (privateKey[31]! & 0x7f) | 0x40
}

/**
 * The secret that two keys share, or null where it would be all zero: the public key is one of the points of low order, and
 * anybody would know the secret (RFC 7748 §6.1).
 */
export function dh(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
  try {
    return sodium.crypto_scalarmult(privateKey, publicKey)
  } catch (error) {
    // libsodium's word for it is a plain Error; a key of a wrong length is a TypeError, and our mistake.
    if (error instanceof TypeError) throw error
    return null
  }
}
