// MAC1, MAC2 and cookies, WG §5.3, §5.4.4, §5.4.7: a handshake message shows that its sender knows our public key (MAC1), and
// under load that it receives what is sent to its address (MAC2, made with a cookie that we sent there). Cold.
import * as aead from '../crypto/aead.ts'
import { equal, hash, MAC_LEN, mac } from '../crypto/blake2s.ts'
import type { Random } from '../crypto/x25519.ts'
import * as wire from '../wire/wireguard.ts'
import { COOKIE_LATENCY, COOKIE_REFRESH } from './constants.ts'
import { address, port } from './source.ts'

const text = new TextEncoder()
const LABEL_MAC1 = text.encode('mac1----')
const LABEL_COOKIE = text.encode('cookie--')
const SECRET_LEN = 32

/** Checks what is sent to the owner of a public key, and hands out cookies. */
export class CookieChecker {
  private readonly mac1Key: Uint8Array
  private readonly cookieKey: Uint8Array
  private readonly random: Random
  private readonly secret = new Uint8Array(SECRET_LEN)
  private secretAt = Number.NEGATIVE_INFINITY

  constructor(publicKey: Uint8Array, random: Random) {
    this.mac1Key = hash(LABEL_MAC1, publicKey)
    this.cookieKey = hash(LABEL_COOKIE, publicKey)
    this.random = random
  }

  /** Whether the message (an initiation or a response) is meant for us. */
  hasMac1(message: Uint8Array): boolean {
    return equal(mac(this.mac1Key, message.subarray(0, mac1At(message))), mac1Of(message))
  }

  /** Whether its sender has received a cookie at `from` (a sockaddr). */
  hasMac2(message: Uint8Array, from: Uint8Array, now: number): boolean {
    if (now - this.secretAt >= COOKIE_REFRESH) return false
    return equal(mac(this.cookie(from), message.subarray(0, mac2At(message))), mac2Of(message))
  }

  /** A cookie for whoever sent the message; `sender` is its index in it. Smaller than what it answers. */
  reply(message: Uint8Array, sender: number, from: Uint8Array, now: number): Uint8Array {
    if (now - this.secretAt >= COOKIE_REFRESH) {
      this.random(this.secret)
      this.secretAt = now
    }
    const reply = new Uint8Array(wire.COOKIE_REPLY_LEN)
    wire.writeCookieReply(reply, 0, sender)
    const nonce = reply.subarray(wire.COOKIE_NONCE, wire.COOKIE_SEALED)
    this.random(nonce)
    reply.set(aead.xseal(this.cookieKey, nonce, this.cookie(from), mac1Of(message)), wire.COOKIE_SEALED)
    return reply
  }

  wipe(): void {
    this.secret.fill(0)
    this.secretAt = Number.NEGATIVE_INFINITY
  }

  // WG §5.4.7: of what the sender cannot choose freely. How it is made is ours alone to know.
  private cookie(from: Uint8Array): Uint8Array {
    return mac(this.secret, address(from), port(from))
  }
}

/** Writes the MACs of what is sent to the owner of a public key, and keeps the cookie that it sent. */
export class CookieJar {
  private readonly mac1Key: Uint8Array
  private readonly cookieKey: Uint8Array
  private readonly cookie = new Uint8Array(MAC_LEN)
  private cookieAt = Number.NEGATIVE_INFINITY
  /** MAC1 of the last message, until a cookie reply to it is taken. */
  private unanswered: Uint8Array | null = null

  constructor(publicKey: Uint8Array) {
    this.mac1Key = hash(LABEL_MAC1, publicKey)
    this.cookieKey = hash(LABEL_COOKIE, publicKey)
  }

  /** Fills in both MACs of an initiation or a response; MAC2 stays zero without a fresh cookie. */
  sign(message: Uint8Array, now: number): void {
    const mac1 = mac(this.mac1Key, message.subarray(0, mac1At(message)))
    message.set(mac1, mac1At(message))
    this.unanswered = mac1
    const at = mac2At(message)
    if (now - this.cookieAt < COOKIE_REFRESH - COOKIE_LATENCY)
      message.set(mac(this.cookie, message.subarray(0, at)), at)
    else message.fill(0, at)
  }

  /** Takes a cookie reply to the last message; whether it was one. Only the first counts. */
  take(reply: Uint8Array, now: number): boolean {
    if (!this.unanswered) return false
    const nonce = reply.subarray(wire.COOKIE_NONCE, wire.COOKIE_SEALED)
    const cookie = aead.xopen(this.cookieKey, nonce, reply.subarray(wire.COOKIE_SEALED), this.unanswered)
    if (!cookie) return false
    this.cookie.set(cookie)
    this.cookieAt = now
    this.unanswered = null
    return true
  }

  wipe(): void {
    this.cookie.fill(0)
    this.cookieAt = Number.NEGATIVE_INFINITY
    this.unanswered = null
  }
}

// Both MACs stand at the end of the two messages that have them.
function mac2At(message: Uint8Array): number {
  return message.length - MAC_LEN
}

function mac1At(message: Uint8Array): number {
  return message.length - 2 * MAC_LEN
}

function mac1Of(message: Uint8Array): Uint8Array {
  return message.subarray(mac1At(message), mac2At(message))
}

function mac2Of(message: Uint8Array): Uint8Array {
  return message.subarray(mac2At(message))
}
