import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import * as aead from '../../../src/crypto/aead.ts'
import { hash } from '../../../src/crypto/blake2s.ts'
import { ready } from '../../../src/crypto/sodium.ts'
import { dh, generate, type KeyPair, publicKey } from '../../../src/crypto/x25519.ts'
import * as noise from '../../../src/wireguard/noise.ts'
import { hex, text } from '../../support/bytes.ts'
import { chance } from '../../support/keys.ts'
import { seed } from '../../support/seed.ts'

beforeAll(() => ready())

const random = chance(seed)
const pair = (key: string): KeyPair => ({ private: hex(key), public: publicKey(hex(key)) })

describe('the constants', () => {
  // WG §5.4.2: HASH(Construction) and HASH(that ‖ Identifier), as every implementation has them in its source.
  it('hash to what they hash to everywhere', () => {
    const chain = hash(new TextEncoder().encode('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'))
    expect(text(chain)).toBe('60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36')
    expect(text(hash(chain, noise.IDENTIFIER))).toBe('2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3')
  })
})

describe('the vector of cacophony', () => {
  const vector = JSON.parse(readFileSync('test/vectors/noise-ikpsk2.json', 'utf8'))
  const [first, second, ...rest] = vector.messages as { payload: string; ciphertext: string }[]
  const psk = hex(vector.psk)

  it('comes out message by message, from both sides', () => {
    const own = pair(vector.initiatorStatic)
    const their = pair(vector.responderStatic)
    expect(text(their.public)).toBe(vector.responderStaticPublic)
    const ei = pair(vector.initiatorEphemeral)
    const er = pair(vector.responderEphemeral)
    const initiator = new noise.Transcript(their.public, hex(vector.prologue))
    const responder = new noise.Transcript(their.public, hex(vector.prologue))

    const to = { publicKey: their.public, staticStatic: dh(own.private, their.public)! }
    const sealed = noise.writeFirst(initiator, ei, own, to, hex(first!.payload))!
    expect(text(ei.public) + text(sealed.sealedStatic) + text(sealed.sealedPayload)).toBe(first!.ciphertext)

    const who = noise.readFirst(responder, their, ei.public, sealed.sealedStatic)!
    expect(who).toEqual(own.public)
    const payload = noise.readPayload(responder, dh(their.private, who)!, sealed.sealedPayload)
    expect(payload).toEqual(hex(first!.payload))

    // The file's handshake hash is the one before the preshared key is mixed in.
    const half = responder.copy()
    half.mixEphemeral(er.public)
    expect(text(half.hash)).toBe(vector.handshakeHash)

    const answer = noise.writeSecond(responder, er, { ephemeral: ei.public, static: who }, psk, hex(second!.payload))!
    expect(text(er.public) + text(answer)).toBe(second!.ciphertext)
    const message = { ephemeral: er.public, sealedPayload: answer }
    expect(noise.readSecond(initiator, ei, own, psk, message)).toEqual(hex(second!.payload))

    expect(responder.hash).toEqual(initiator.hash)
    const [send, receive] = initiator.split()
    expect(responder.split()).toEqual([send, receive])
    for (const [i, { payload, ciphertext }] of rest.entries()) {
      const key = i % 2 === 0 ? send! : receive!
      expect(text(aead.seal(key, i >> 1, hex(payload), null))).toBe(ciphertext)
    }
    expect(rest.length).toBe(4)
  })
})

/** One handshake with all that can be changed on its way. */
function handshake(change: {
  psk?: boolean
  identity?: boolean
  stamp?: boolean
  empty?: boolean
  initiatorEphemeral?: Uint8Array
  responderEphemeral?: Uint8Array
  responder?: Uint8Array
}) {
  const [own, their, ei, er] = [generate(random), generate(random), generate(random), generate(random)]
  const psk = new Uint8Array(32)
  const remote = change.responder ?? their.public
  const t = new noise.Transcript(remote)
  const to = { publicKey: remote, staticStatic: dh(own.private, their.public)! }
  const first = noise.writeFirst(t, ei, own, to, new Uint8Array(12))
  if (!first) return 'not written'
  if (change.identity) first.sealedStatic[0]! ^= 1
  if (change.stamp) first.sealedPayload[0]! ^= 1
  const r = new noise.Transcript(their.public)
  const ephemeral = change.initiatorEphemeral ?? ei.public
  const who = noise.readFirst(r, their, ephemeral, first.sealedStatic)
  if (!who) return 'static not read'
  const stamp = noise.readPayload(r, dh(their.private, who)!, first.sealedPayload)
  if (!stamp) return 'payload not read'
  const answer = noise.writeSecond(r, er, { ephemeral: ei.public, static: who }, psk)!
  if (change.empty) answer[0]! ^= 1
  const message = { ephemeral: change.responderEphemeral ?? er.public, sealedPayload: answer }
  const other = change.psk ? new Uint8Array(32).fill(1) : psk
  return noise.readSecond(t, ei, own, other, message) ? 'done' : 'answer not read'
}

describe('a handshake', () => {
  const low = hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')
  it.each([
    ['of two that agree', {}, 'done'],
    ['with the sealed static key changed', { identity: true }, 'static not read'],
    ['with the sealed timestamp changed', { stamp: true }, 'payload not read'],
    ['with the answer changed', { empty: true }, 'answer not read'],
    ['with different preshared keys', { psk: true }, 'answer not read'],
    ['with another ephemeral key', { initiatorEphemeral: new Uint8Array(32).fill(9) }, 'static not read'],
    ["with an initiator's ephemeral key of low order", { initiatorEphemeral: low }, 'static not read'],
    ["with a responder's ephemeral key of low order", { responderEphemeral: low }, 'answer not read'],
    ['towards a static key of low order', { responder: low }, 'not written'],
  ])('%s: %s', (_name, change, end) => {
    expect(handshake(change)).toBe(end)
  })

  it('is not answered to a static key of low order', () => {
    const t = new noise.Transcript(generate(random).public)
    const initiator = { ephemeral: generate(random).public, static: low }
    expect(noise.writeSecond(t, generate(random), initiator, new Uint8Array(32))).toBeNull()
  })
})

describe('a transcript', () => {
  it('that a forged message was tried on with a copy is as before', () => {
    const t = new noise.Transcript(generate(random).public)
    const key = () => new Uint8Array(32).fill(7)
    const sealed = t.copy().seal(key(), hex('c0ffee'))
    const before = text(t.hash)
    expect(
      t.copy().open(
        key(),
        sealed.map((b) => b ^ 1),
      ),
    ).toBeNull()
    expect(text(t.hash)).toBe(before)
    expect(t.open(key(), sealed)).toEqual(hex('c0ffee'))
  })

  it('wipes the keys it seals and opens with', () => {
    const t = new noise.Transcript(new Uint8Array(32))
    const key = new Uint8Array(32).fill(7)
    t.seal(key, new Uint8Array(1))
    expect(key).toEqual(new Uint8Array(32))
    key.fill(7)
    t.open(key, new Uint8Array(20))
    expect(key).toEqual(new Uint8Array(32))
  })
})
