// HKDF (RFC 5869) over BLAKE2s with no `info`, as Noise has it: a chaining key and some input give one, two or three keys.
// WG §5.4: KDF1, KDF2, KDF3. The caller owns what is returned, and zeroes it. Cold.
import { hmac } from './blake2s.ts'

const ONE = Uint8Array.of(1)
const TWO = Uint8Array.of(2)
const THREE = Uint8Array.of(3)

export function kdf1(key: Uint8Array, input: Uint8Array): Uint8Array {
  const extracted = hmac(key, input)
  const first = hmac(extracted, ONE)
  extracted.fill(0)
  return first
}

export function kdf2(key: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const extracted = hmac(key, input)
  const first = hmac(extracted, ONE)
  const second = hmac(extracted, first, TWO)
  extracted.fill(0)
  return [first, second]
}

export function kdf3(key: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const extracted = hmac(key, input)
  const first = hmac(extracted, ONE)
  const second = hmac(extracted, first, TWO)
  const third = hmac(extracted, second, THREE)
  extracted.fill(0)
  return [first, second, third]
}
