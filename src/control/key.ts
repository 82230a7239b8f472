// Keys of 32 bytes as WireGuard writes them, in base64, and the public half of a private one. Only the canonical text is a
// key, as with wg(8): 44 characters whose last carries no stray bits, so that two texts are one key only when they are equal.
// By OpenSSL, which answers at once: a configuration is read without waiting for the handshake's library to load.
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'

export const KEY_LEN = 32
export const KEY_TEXT_LEN = 44

/** A canonical text, for JSON Schema and regular expressions. */
export const KEY_PATTERN = '^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$'
const KEY = new RegExp(KEY_PATTERN)
const PAD = 0x3d

/** RFC 8410 §7: PKCS #8 around the 32 bytes of an X25519 private key. */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex')

export function isKey(text: string): boolean {
  return KEY.test(text)
}

/** Whether all 32 bytes are zero: for WireGuard that is no key at all. */
export function isZeroKey(key: Uint8Array): boolean {
  return key.every((byte) => byte === 0)
}

/** The key that is written in `text`, 44 bytes of ASCII; null when they are none. Makes no string: those cannot be zeroed. */
export function keyFromBase64(text: Uint8Array): Uint8Array | null {
  if (text.length !== KEY_TEXT_LEN || text[KEY_TEXT_LEN - 1] !== PAD) return null
  const key = new Uint8Array(KEY_LEN)
  let bad = 0
  for (let i = 0, o = 0; i < KEY_TEXT_LEN; i += 4, o += 3) {
    const isLast = i + 4 === KEY_TEXT_LEN
    const fourth = isLast ? 0 : sextet(text[i + 3]!)
    const word = (sextet(text[i]!) << 18) | (sextet(text[i + 1]!) << 12) | (sextet(text[i + 2]!) << 6) | fourth
    // A sextet of -1 makes the word negative; the last group has a byte that no key holds.
    bad |= word < 0 || (isLast && (word & 0xff) !== 0) ? 1 : 0
    key[o] = word >> 16
    key[o + 1] = word >> 8
    if (!isLast) key[o + 2] = word
  }
  if (bad === 0) return key
  key.fill(0)
  return null
}

// Value of a base64 character (RFC 4648 §4), -1 for any other.
function sextet(c: number): number {
  if (c >= 0x41 && c <= 0x5a) return c - 0x41
  if (c >= 0x61 && c <= 0x7a) return c - 0x61 + 26
  if (c >= 0x30 && c <= 0x39) return c - 0x30 + 52
  return c === 0x2b ? 62 : c === 0x2f ? 63 : -1
}

/** Canonical text. A string cannot be zeroed: for what is printed, and for public keys. */
export function base64Of(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64')
}

/** The public key of a private one (RFC 7748 §5; clamping included). */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const der = Buffer.concat([PKCS8_X25519, privateKey])
  try {
    const half = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    return Uint8Array.from(half.export({ format: 'der', type: 'spki' }).subarray(-KEY_LEN))
  } finally {
    der.fill(0)
  }
}

/** A private key by the system's chance, clamped (RFC 7748 §5), as `wg genkey` makes it. */
export function generatePrivateKey(): Uint8Array {
  const key = generatePresharedKey()
  key[0]! &= 248
  key[31] = (key[31]! & 127) | 64
  return key
}

/** 32 random bytes. */
export function generatePresharedKey(): Uint8Array {
  return Uint8Array.from(randomBytes(KEY_LEN))
}
