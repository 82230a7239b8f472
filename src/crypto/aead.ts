// ChaCha20-Poly1305 (RFC 8439 §2.8) with WireGuard's nonces, and XChaCha20-Poly1305 for cookie replies. Handshakes only; packets
// are sealed in native code, for which this is the reference. Await `ready` of sodium.ts first. Cold.
import { sodium } from './sodium.ts'

export const TAG_LEN = 16
export const NONCE_LEN = 12
export const XNONCE_LEN = 24

/** Ciphertext and tag. `counter`: 0 .. 2^53, the nonce's last 8 bytes in little-endian order (WG §5.4). */
export function seal(key: Uint8Array, counter: number, plaintext: Uint8Array, ad: Uint8Array | null): Uint8Array {
  return sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce(counter), key)
}

/** The plaintext, or null when the tag is not right. */
export function open(key: Uint8Array, counter: number, sealed: Uint8Array, ad: Uint8Array | null): Uint8Array | null {
  if (sealed.length < TAG_LEN) return null
  return orNull(() => sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, ad, nonce(counter), key))
}

/** As `seal`, with a nonce of 24 random bytes. */
export function xseal(key: Uint8Array, nonce24: Uint8Array, plaintext: Uint8Array, ad: Uint8Array | null): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce24, key)
}

/** As `open`, with the nonce of `xseal`. */
export function xopen(
  key: Uint8Array,
  nonce24: Uint8Array,
  sealed: Uint8Array,
  ad: Uint8Array | null,
): Uint8Array | null {
  if (sealed.length < TAG_LEN) return null
  return orNull(() => sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, ad, nonce24, key))
}

function nonce(counter: number): Uint8Array {
  const bytes = new Uint8Array(NONCE_LEN)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, counter >>> 0, true)
  view.setUint32(8, Math.floor(counter / 2 ** 32), true)
  return bytes
}

// libsodium throws a plain Error for a wrong tag and a TypeError for arguments of a wrong length, which are our mistake.
function orNull(open: () => Uint8Array): Uint8Array | null {
  try {
    return open()
  } catch (error) {
    if (error instanceof TypeError) throw error
    return null
  }
}
