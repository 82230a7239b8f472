// BLAKE2s (RFC 7693) as WireGuard uses it: plain, keyed and shortened, and inside HMAC (RFC 2104). Cold.
import { blake2s } from '@noble/hashes/blake2.js'
import { hmac as hmacOf } from '@noble/hashes/hmac.js'

export const HASH_LEN = 32
export const MAC_LEN = 16

/** 32 bytes over `parts` laid end to end. */
export function hash(...parts: Uint8Array[]): Uint8Array {
  const state = blake2s.create({ dkLen: HASH_LEN })
  for (const part of parts) state.update(part)
  return state.digest()
}

/** 16 bytes: BLAKE2s's own keyed mode, not HMAC. The key has 1..32 bytes. */
export function mac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const state = blake2s.create({ dkLen: MAC_LEN, key })
  for (const part of parts) state.update(part)
  return state.digest()
}

/** 32 bytes: HMAC over BLAKE2s with blocks of 64 bytes. */
export function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const state = hmacOf.create(blake2s, key)
  for (const part of parts) state.update(part)
  return state.digest()
}

/** Whether two MACs are equal, in a time that does not tell where they differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
