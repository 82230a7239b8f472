// WireGuard messages, WG §5.4. Read §5.4.2–5.4.7 before you edit.      | type 1..4 | 0 0 0 | index (u32) | …
// Bytes only: what the fields mean and how they are sealed is src/wireguard. Integers are little-endian. Temperature: hot.
//
//   1 initiation 148  sender 4 | ephemeral 8 | static 40 (32+16) | timestamp 88 (12+16) | mac1 116 | mac2 132
//   2 response    92  sender 4 | receiver 8 | ephemeral 12 | empty 44 (0+16) | mac1 60 | mac2 76
//   3 cookie      64  receiver 4 | nonce 8 (24) | cookie 32 (16+16)
//   4 transport  32…  receiver 4 | counter 8 (u64) | ciphertext 16 … tag
import * as drop from '../drop.ts'

export const INITIATION = 1
export const RESPONSE = 2
export const COOKIE_REPLY = 3
export const TRANSPORT = 4

export const INITIATION_LEN = 148
export const RESPONSE_LEN = 92
export const COOKIE_REPLY_LEN = 64
/** In front of a transport message's ciphertext, and the tag behind it. */
export const HEADER_LEN = 16
export const TAG_LEN = 16
/** A transport message with nothing in it: a keepalive. */
export const KEEPALIVE_LEN = HEADER_LEN + TAG_LEN
export const MAC_LEN = 16

/** Where the sealed fields of handshake messages begin; see the drawing. */
export const INITIATION_EPHEMERAL = 8
export const INITIATION_STATIC = 40
export const INITIATION_TIMESTAMP = 88
export const INITIATION_MAC1 = 116
export const RESPONSE_EPHEMERAL = 12
export const RESPONSE_EMPTY = 44
export const RESPONSE_MAC1 = 60
export const COOKIE_NONCE = 8
export const COOKIE_SEALED = 32

const SENDER = 4
const RECEIVER = 4
const RESPONSE_RECEIVER = 8
const COUNTER = 8

/** Upper half of the first counter that a JS number does not hold exactly, 2^53. No honest session comes near (180 s). */
const COUNTER_HI_LIMIT = 2 ** 21

/** The type of the message that fills [off, end) exactly, or drop.NOT_WIREGUARD. Call before any reader below. */
export function check(buf: Uint8Array, off: number, end: number): number {
  const len = end - off
  // WG §5.4: three reserved zero bytes follow the type, so that the four are one little-endian word.
  if (len < 4 || (buf[off + 1]! | buf[off + 2]! | buf[off + 3]!) !== 0) return drop.NOT_WIREGUARD
  const type = buf[off]!
  if (type === TRANSPORT) return len >= KEEPALIVE_LEN ? TRANSPORT : drop.NOT_WIREGUARD
  if (type === INITIATION) return len === INITIATION_LEN ? INITIATION : drop.NOT_WIREGUARD
  if (type === RESPONSE) return len === RESPONSE_LEN ? RESPONSE : drop.NOT_WIREGUARD
  if (type === COOKIE_REPLY) return len === COOKIE_REPLY_LEN ? COOKIE_REPLY : drop.NOT_WIREGUARD
  return drop.NOT_WIREGUARD
}

/** Who is spoken to: the index (0 .. 2^32-1) in a transport message or a cookie reply. */
export function receiver(buf: Uint8Array, off: number): number {
  return u32(buf, off + RECEIVER)
}

/** A transport message's counter, or drop.NONE when it is 2^53 or more. */
export function counter(buf: Uint8Array, off: number): number {
  const hi = u32(buf, off + COUNTER + 4)
  if (hi >= COUNTER_HI_LIMIT) return drop.NONE
  return hi * 4294967296 + u32(buf, off + COUNTER)
}

/** A transport message's header, all 16 bytes. `counter` < 2^53. */
export function writeTransport(buf: Uint8Array, off: number, receiver: number, counter: number): void {
  writeType(buf, off, TRANSPORT)
  setU32(buf, off + RECEIVER, receiver)
  setU32(buf, off + COUNTER, counter >>> 0)
  setU32(buf, off + COUNTER + 4, Math.floor(counter / 4294967296))
}

/** Who speaks: the sender's index in an initiation or a response. */
export function sender(buf: Uint8Array, off: number): number {
  return u32(buf, off + SENDER)
}

/** Who is spoken to: the index in a response. */
export function responseReceiver(buf: Uint8Array, off: number): number {
  return u32(buf, off + RESPONSE_RECEIVER)
}

/** Whether a message of types 1 to 3, [off, end), ends with a MAC2: zeros are none (WG §5.4.4). A cookie reply ends with its tag. */
export function hasMac2(buf: Uint8Array, off: number, end: number): boolean {
  let bits = 0
  for (let o = Math.max(off, end - MAC_LEN); o < end; o++) bits |= buf[o]!
  return bits !== 0
}

/** An initiation's first 8 bytes. */
export function writeInitiation(buf: Uint8Array, off: number, sender: number): void {
  writeType(buf, off, INITIATION)
  setU32(buf, off + SENDER, sender)
}

/** A response's first 12 bytes. */
export function writeResponse(buf: Uint8Array, off: number, sender: number, receiver: number): void {
  writeType(buf, off, RESPONSE)
  setU32(buf, off + SENDER, sender)
  setU32(buf, off + RESPONSE_RECEIVER, receiver)
}

/** A cookie reply's first 8 bytes. */
export function writeCookieReply(buf: Uint8Array, off: number, receiver: number): void {
  writeType(buf, off, COOKIE_REPLY)
  setU32(buf, off + RECEIVER, receiver)
}

function writeType(buf: Uint8Array, off: number, type: number): void {
  buf[off] = type
  buf[off + 1] = 0
  buf[off + 2] = 0
  buf[off + 3] = 0
}

function u32(buf: Uint8Array, o: number): number {
  return (buf[o]! | (buf[o + 1]! << 8) | (buf[o + 2]! << 16) | (buf[o + 3]! << 24)) >>> 0
}

function setU32(buf: Uint8Array, o: number, value: number): void {
  buf[o] = value
  buf[o + 1] = value >>> 8
  buf[o + 2] = value >>> 16
  buf[o + 3] = value >>> 24
}
