// The handshake's arithmetic: Noise IKpsk2 (Noise §5, §7.5, §9) as WireGuard writes it down, WG §5.4.1–5.4.5. Read those before you edit.
// Pure: no state but the Transcript in hand, no peers, no messages; the four functions at the end are the two messages, each
// from both sides, in the order in which the paper lists the steps. Whoever makes a Transcript wipes it. Cold.
import * as aead from '../crypto/aead.ts'
import { hash } from '../crypto/blake2s.ts'
import { kdf1, kdf2, kdf3 } from '../crypto/kdf.ts'
import { dh, type KeyPair } from '../crypto/x25519.ts'

const text = new TextEncoder()
const CONSTRUCTION = text.encode('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s')
/** The prologue, which keeps WireGuard's handshakes apart from everybody else's. */
export const IDENTIFIER = text.encode('WireGuard v1 zx2c4 Jason@zx2c4.com')

const INITIAL_CHAIN = hash(CONSTRUCTION)
const NOTHING = new Uint8Array(0)

/** Chaining key and hash: what both sides must have in common before they can read each other. */
export class Transcript {
  private chain: Uint8Array = INITIAL_CHAIN.slice()
  private running: Uint8Array

  /** A handshake with the owner of `responder`, a static public key. */
  constructor(responder: Uint8Array, prologue: Uint8Array = IDENTIFIER) {
    this.running = hash(hash(INITIAL_CHAIN, prologue), responder)
  }

  /** The hash over everything so far: Noise's handshake hash once both messages are in. */
  get hash(): Uint8Array {
    return this.running
  }

  mixHash(bytes: Uint8Array): void {
    this.running = hash(this.running, bytes)
  }

  /** An ephemeral public key goes into both, since there may be a preshared key (Noise §9.2). */
  mixEphemeral(key: Uint8Array): void {
    this.mixHash(key)
    this.setChain(kdf1(this.chain, key))
  }

  /** A shared secret goes into the chain. */
  mixSecret(secret: Uint8Array): void {
    this.setChain(kdf1(this.chain, secret))
  }

  /** A shared secret goes into the chain, and gives a key for what comes next. */
  mixKey(secret: Uint8Array): Uint8Array {
    const [chain, key] = kdf2(this.chain, secret)
    this.setChain(chain)
    return key
  }

  /** The preshared key goes into both, and gives a key for what comes next. */
  mixPreshared(psk: Uint8Array): Uint8Array {
    const [chain, mixed, key] = kdf3(this.chain, psk)
    this.setChain(chain)
    this.mixHash(mixed)
    mixed.fill(0)
    return key
  }

  /** Seals under a key that seals nothing else, and wipes it. */
  seal(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = aead.seal(key, 0, plaintext, this.running)
    key.fill(0)
    this.mixHash(sealed)
    return sealed
  }

  /** The other way round; null when the tag is not right, and then the transcript is of no more use. */
  open(key: Uint8Array, sealed: Uint8Array): Uint8Array | null {
    const plaintext = aead.open(key, 0, sealed, this.running)
    key.fill(0)
    if (plaintext) this.mixHash(sealed)
    return plaintext
  }

  /** WG §5.4.5: what the initiator sends with, and what it receives with. */
  split(): [Uint8Array, Uint8Array] {
    return kdf2(this.chain, NOTHING)
  }

  /** The same state again, to try a message on that may be forged. */
  copy(): Transcript {
    const copy = new Transcript(NOTHING, NOTHING)
    copy.setChain(this.chain.slice())
    copy.running = this.running.slice()
    return copy
  }

  wipe(): void {
    this.chain.fill(0)
    this.running.fill(0)
  }

  private setChain(chain: Uint8Array): void {
    this.chain.fill(0)
    this.chain = chain
  }
}

/** Initiator, first message (WG §5.4.2): sealed static key and payload. Null: the responder's key is of low order. */
export function writeFirst(
  t: Transcript,
  ephemeral: KeyPair,
  own: KeyPair,
  to: { publicKey: Uint8Array; staticStatic: Uint8Array },
  payload: Uint8Array,
): { sealedStatic: Uint8Array; sealedPayload: Uint8Array } | null {
  t.mixEphemeral(ephemeral.public)
  const es = dh(ephemeral.private, to.publicKey)
  if (!es) return null
  const sealedStatic = t.seal(t.mixKey(es), own.public)
  es.fill(0)
  const sealedPayload = t.seal(t.mixKey(to.staticStatic), payload)
  return { sealedStatic, sealedPayload }
}

/** Responder, first message, up to who it is: the initiator's static public key. Null: not for us, or forged. */
export function readFirst(
  t: Transcript,
  own: KeyPair,
  ephemeral: Uint8Array,
  sealedStatic: Uint8Array,
): Uint8Array | null {
  t.mixEphemeral(ephemeral)
  const es = dh(own.private, ephemeral)
  if (!es) return null
  const initiator = t.open(t.mixKey(es), sealedStatic)
  es.fill(0)
  return initiator
}

/** Responder, the first message's rest: its payload. Null: forged. */
export function readPayload(t: Transcript, staticStatic: Uint8Array, sealedPayload: Uint8Array): Uint8Array | null {
  return t.open(t.mixKey(staticStatic), sealedPayload)
}

/** Responder, second message (WG §5.4.3): the sealed payload. Null: one of the initiator's keys is of low order. */
export function writeSecond(
  t: Transcript,
  ephemeral: KeyPair,
  initiator: { ephemeral: Uint8Array; static: Uint8Array },
  psk: Uint8Array,
  payload: Uint8Array = NOTHING,
): Uint8Array | null {
  t.mixEphemeral(ephemeral.public)
  if (!mixShared(t, ephemeral.private, initiator.ephemeral)) return null
  if (!mixShared(t, ephemeral.private, initiator.static)) return null
  return t.seal(t.mixPreshared(psk), payload)
}

/** Initiator, second message: its payload. Null: forged, another preshared key, or an ephemeral key of low order. */
export function readSecond(
  t: Transcript,
  ephemeral: KeyPair,
  own: KeyPair,
  psk: Uint8Array,
  message: { ephemeral: Uint8Array; sealedPayload: Uint8Array },
): Uint8Array | null {
  t.mixEphemeral(message.ephemeral)
  if (!mixShared(t, ephemeral.private, message.ephemeral)) return null
  if (!mixShared(t, own.private, message.ephemeral)) return null
  return t.open(t.mixPreshared(psk), message.sealedPayload)
}

function mixShared(t: Transcript, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
  const secret = dh(privateKey, publicKey)
  if (!secret) return false
  t.mixSecret(secret)
  secret.fill(0)
  return true
}
