import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/crypto/sodium.ts'
import * as tai64n from '../../../src/crypto/tai64n.ts'
import { dh, generate, type KeyPair } from '../../../src/crypto/x25519.ts'
import * as wire from '../../../src/wire/wireguard.ts'
import { UNDER_LOAD_QUEUE, UNDER_LOAD_TIME } from '../../../src/wireguard/constants.ts'
import { CookieJar } from '../../../src/wireguard/cookie.ts'
import { Handshakes, type Outcome } from '../../../src/wireguard/handshakes.ts'
import * as noise from '../../../src/wireguard/noise.ts'
import { hex, text } from '../../support/bytes.ts'
import { chance, sockaddr, twoPairs } from '../../support/keys.ts'
import { seed } from '../../support/seed.ts'

beforeAll(() => ready())

const random = chance(seed)
const FROM = sockaddr([10, 0, 0, 1], 51820)
const WALL = 1_700_000_000_000
/** Ids that two hosts have for each other. */
const TO_B = 7
const TO_A = 9

interface Side {
  handshakes: Handshakes
  keys: KeyPair
}

function side(keys: KeyPair, peer: number, publicKey: Uint8Array, psk: Uint8Array | null = null): Side {
  const handshakes = new Handshakes(random)
  handshakes.setPrivateKey(keys.private)
  handshakes.addPeer(peer, publicKey, psk)
  return { handshakes, keys }
}

/** Two hosts that know each other; the first has the lower public key. */
function two(pskA: Uint8Array | null = null, pskB = pskA): [Handshakes, Handshakes, KeyPair, KeyPair] {
  const [ka, kb] = twoPairs(random)
  const a = side(ka, TO_B, kb.public, pskA)
  const b = side(kb, TO_A, ka.public, pskB)
  return [a.handshakes, b.handshakes, ka, kb]
}

function session(outcome: Outcome) {
  if (outcome.kind !== 'session') throw new Error(`want a session, got ${JSON.stringify(outcome)}`)
  return outcome
}

function why(outcome: Outcome): string {
  return outcome.kind === 'nothing' ? outcome.why : outcome.kind
}

/** Writes both MACs anew, after a change to what they cover. */
function resign(message: Uint8Array, to: Uint8Array): Uint8Array {
  new CookieJar(to).sign(message, 0)
  return message
}

describe('two that share a port', () => {
  it('use no index that the other has, and each knows its own', () => {
    const [ka, kb] = twoPairs(random)
    const seen: number[] = []
    // Chance that says the same thing three times over: the first two indices are taken.
    let n = 0
    const stubborn = (bytes: Uint8Array): void => {
      random(bytes)
      if (bytes.length === 4) bytes.fill(Math.floor(n++ / 3))
    }
    const mine = new Handshakes(stubborn, (index) => index === 0)
    mine.setPrivateKey(ka.private)
    mine.addPeer(TO_B, kb.public, null)
    seen.push(wire.sender(mine.initiate(TO_B, 0, WALL)!, 0))
    expect(seen).toEqual([0x01010101])
    expect([mine.uses(0x01010101), mine.uses(0)]).toEqual([true, false])
    mine.release(0x01010101)
    expect(mine.uses(0x01010101)).toBe(false)
  })
})

describe('a handshake', () => {
  it.each([
    ['without a preshared key', null],
    ['with one', new Uint8Array(32).fill(5)],
  ])('%s gives both the same keys, the other way round', (_name, psk) => {
    const [a, b] = two(psk)
    const initiation = a.initiate(TO_B, 0, WALL)!
    expect(wire.check(initiation, 0, initiation.length)).toBe(wire.INITIATION)
    const theirs = session(b.handle(initiation, FROM, 0, 0))
    expect(theirs.peer).toBe(TO_A)
    expect(wire.check(theirs.message!, 0, theirs.message!.length)).toBe(wire.RESPONSE)
    const ours = session(a.handle(theirs.message!, FROM, 0, 0))
    expect(ours.peer).toBe(TO_B)
    expect(ours.message).toBeNull()
    expect(ours.session.send).toEqual(theirs.session.receive)
    expect(ours.session.receive).toEqual(theirs.session.send)
    expect(text(ours.session.send)).not.toBe(text(ours.session.receive))
    expect([ours.session.local, ours.session.remote]).toEqual([theirs.session.remote, theirs.session.local])
    expect([ours.session.initiator, theirs.session.initiator]).toEqual([true, false])
    expect([ours.session.yields, theirs.session.yields]).toEqual([false, false])
  })

  it('with different preshared keys ends at the initiator, until they are the same', () => {
    const [a, b] = two(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2))
    const first = session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))
    expect(why(a.handle(first.message!, FROM, 0, 0))).toBe('bad-tag')
    b.setPresharedKey(TO_A, new Uint8Array(32).fill(1))
    const second = session(b.handle(a.initiate(TO_B, 5000, WALL + 5000)!, FROM, 0, 5000))
    expect(why(a.handle(second.message!, FROM, 0, 5000))).toBe('session')
  })

  it('makes new keys every time', () => {
    const [a, b] = two()
    const seen = new Set<string>()
    for (let now = 0; now < 5000; now += 1000) {
      const theirs = session(b.handle(a.initiate(TO_B, now, WALL + now)!, FROM, 0, now))
      const ours = session(a.handle(theirs.message!, FROM, 0, now))
      seen.add(text(ours.session.send)).add(text(ours.session.receive))
    }
    expect(seen.size).toBe(10)
  })
})

describe('no initiation', () => {
  it('without a private key, or when it is taken away', () => {
    const [a, , ka] = two()
    a.setPrivateKey(null)
    expect(a.publicKey).toBeNull()
    expect(a.initiate(TO_B, 0, WALL)).toBeNull()
    a.setPrivateKey(new Uint8Array(32))
    expect(a.initiate(TO_B, 0, WALL)).toBeNull()
    a.setPrivateKey(ka.private)
    expect(a.publicKey).toEqual(ka.public)
    expect(a.initiate(TO_B, 0, WALL)).not.toBeNull()
  })

  it('to a peer that is not there, or not any more', () => {
    const [a] = two()
    expect(a.initiate(1234, 0, WALL)).toBeNull()
    a.removePeer(TO_B)
    expect(a.initiate(TO_B, 0, WALL)).toBeNull()
  })

  it('to ourselves', () => {
    const keys = generate(random)
    const { handshakes } = side(keys, 1, keys.public)
    expect(handshakes.initiate(1, 0, WALL)).toBeNull()
    // With another key of ours it is a peer like any other.
    handshakes.setPrivateKey(generate(random).private)
    expect(handshakes.initiate(1, 0, WALL)).not.toBeNull()
  })

  // The seven keys of the kernel's netns.sh.
  it.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ])('to the key of low order %s', (key) => {
    const { handshakes } = side(generate(random), 1, hex(key))
    expect(handshakes.initiate(1, 0, WALL)).toBeNull()
  })
})

describe('what comes in', () => {
  it('and is no handshake message of the right length is not read', () => {
    const [a, b] = two()
    const initiation = a.initiate(TO_B, 0, WALL)!
    const transport = new Uint8Array(32)
    wire.writeTransport(transport, 0, 1, 0)
    const odd = [new Uint8Array(0), initiation.subarray(0, 147), Uint8Array.from([...initiation, 0]), transport]
    for (const message of odd) expect(why(b.handle(message, FROM, 0, 0))).toBe('not-wireguard')
  })

  it('is not answered without a private key', () => {
    const [a, b] = two()
    const initiation = a.initiate(TO_B, 0, WALL)!
    b.setPrivateKey(null)
    expect(why(b.handle(initiation, FROM, 0, 0))).toBe('no-key')
  })

  it('for another key is not answered', () => {
    const [a] = two()
    const [, b] = two()
    expect(why(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))).toBe('bad-mac')
  })

  it.each([
    ['the ephemeral key', wire.INITIATION_EPHEMERAL, 'bad-tag'],
    ['the static key', wire.INITIATION_STATIC, 'bad-tag'],
    ['the timestamp', wire.INITIATION_TIMESTAMP, 'bad-tag'],
    ['MAC1', wire.INITIATION_MAC1, 'bad-mac'],
  ])('with %s changed is not answered', (_name, at, reason) => {
    const [a, b, , kb] = two()
    const initiation = a.initiate(TO_B, 0, WALL)!
    initiation[at]! ^= 1
    if (at !== wire.INITIATION_MAC1) resign(initiation, kb.public)
    expect(why(b.handle(initiation, FROM, 0, 0))).toBe(reason)
  })

  it('from a key that is not configured, or not any more, is not answered', () => {
    const [a, b, ka, kb] = two()
    const keys = generate(random)
    const stranger = side(keys, 1, kb.public)
    const outcome = b.handle(stranger.handshakes.initiate(1, 0, WALL)!, FROM, 0, 0)
    expect(outcome).toEqual({ kind: 'nothing', why: 'unknown-peer', peer: -1, caller: keys.public })
    b.removePeer(TO_A)
    expect(why(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))).toBe('unknown-peer')
    b.addPeer(TO_A + 1, ka.public, null)
    expect(session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0)).peer).toBe(TO_A + 1)
  })

  it('from our own key is not answered, though it is configured', () => {
    const keys = generate(random)
    const { handshakes } = side(keys, 1, keys.public)
    // `initiate` makes no such message; somebody who has our key can.
    const ephemeral = generate(random)
    const to = { publicKey: keys.public, staticStatic: dh(keys.private, keys.public)! }
    const sealed = noise.writeFirst(new noise.Transcript(keys.public), ephemeral, keys, to, tai64n.encode(WALL))!
    const message = new Uint8Array(wire.INITIATION_LEN)
    wire.writeInitiation(message, 0, 1)
    message.set(ephemeral.public, wire.INITIATION_EPHEMERAL)
    message.set(sealed.sealedStatic, wire.INITIATION_STATIC)
    message.set(sealed.sealedPayload, wire.INITIATION_TIMESTAMP)
    expect(why(handshakes.handle(resign(message, keys.public), FROM, 0, 0))).toBe('unknown-peer')
  })

  it('a second time is a replay', () => {
    const [a, b] = two()
    const initiation = a.initiate(TO_B, 0, WALL)!
    session(b.handle(initiation, FROM, 0, 0))
    expect(why(b.handle(initiation, FROM, 0, 60_000))).toBe('replay')
  })

  it('with an older timestamp is a replay, though it was never seen', () => {
    const [a, b] = two()
    const older = a.initiate(TO_B, 0, WALL)!
    const newer = a.initiate(TO_B, 5000, WALL + 5000)!
    session(b.handle(newer, FROM, 0, 5000))
    expect(why(b.handle(older, FROM, 0, 10_000))).toBe('replay')
  })

  it('in quick succession is a flood, and does not move the timestamp', () => {
    const [a, b] = two()
    session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 1000))
    const second = a.initiate(TO_B, 20, WALL + 20)!
    expect(why(b.handle(second, FROM, 0, 1020))).toBe('flood')
    expect(why(b.handle(second, FROM, 0, 1021))).toBe('session')
  })

  it('is answered after our clock was set back, or stands still', () => {
    const [a, b] = two()
    for (const [i, wall] of [WALL, WALL - 3600_000, WALL - 3600_000, 0].entries()) {
      expect(why(b.handle(a.initiate(TO_B, i * 5000, wall)!, FROM, 0, i * 5000))).toBe('session')
    }
  })
})

describe('a response', () => {
  it('is taken once', () => {
    const [a, b] = two()
    const { message } = session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))
    session(a.handle(message!, FROM, 0, 0))
    expect(why(a.handle(message!, FROM, 0, 0))).toBe('no-handshake')
  })

  it('to an initiation that a newer one has replaced is not taken', () => {
    const [a, b] = two()
    const first = session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))
    const second = session(b.handle(a.initiate(TO_B, 5000, WALL + 5000)!, FROM, 0, 5000))
    expect(why(a.handle(first.message!, FROM, 0, 5000))).toBe('no-handshake')
    expect(why(a.handle(second.message!, FROM, 0, 5000))).toBe('session')
  })

  it('is not taken after the handshake was forgotten, or our key changed', () => {
    for (const forget of [
      (a: Handshakes) => a.clear(TO_B),
      (a: Handshakes, keys: KeyPair) => a.setPrivateKey(keys.private),
      (a: Handshakes) => a.removePeer(TO_B),
    ]) {
      const [a, b, ka] = two()
      const { message } = session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))
      forget(a, ka)
      expect(why(a.handle(message!, FROM, 0, 0))).toBe('no-handshake')
    }
  })

  it('that was forged does not end the handshake', () => {
    const [a, b, ka] = two()
    const { message } = session(b.handle(a.initiate(TO_B, 0, WALL)!, FROM, 0, 0))
    for (const at of [wire.RESPONSE_EPHEMERAL, wire.RESPONSE_EMPTY]) {
      const forged = message!.slice()
      forged[at]! ^= 1
      expect(why(a.handle(forged, FROM, 0, 0))).toBe('bad-mac')
      expect(why(a.handle(resign(forged, ka.public), FROM, 0, 0))).toBe('bad-tag')
    }
    const low = message!.slice()
    low.fill(0, wire.RESPONSE_EPHEMERAL, wire.RESPONSE_EMPTY)
    expect(why(a.handle(resign(low, ka.public), FROM, 0, 0))).toBe('bad-tag')
    expect(why(a.handle(message!, FROM, 0, 0))).toBe('session')
  })
})

describe('under load', () => {
  const LOADED = UNDER_LOAD_QUEUE

  it('begins with an eighth of the queue, and lasts a second longer than that', () => {
    const [a, b] = two()
    const at = (now: number, waiting: number) => why(b.handle(a.initiate(TO_B, now, WALL + now)!, FROM, waiting, now))
    expect(at(1000, LOADED - 1)).toBe('session')
    expect(at(2000, LOADED)).toBe('send')
    expect(at(2000 + UNDER_LOAD_TIME - 1, 0)).toBe('send')
    expect(at(2000 + UNDER_LOAD_TIME, 0)).toBe('session')
  })

  it('an initiation is answered with a cookie, and the next one with a response', () => {
    const [a, b] = two()
    const reply = b.handle(a.initiate(TO_B, 0, WALL)!, FROM, LOADED, 0)
    if (reply.kind !== 'send') throw new Error(reply.kind)
    expect(a.handle(reply.message, FROM, 0, 0)).toEqual({ kind: 'cookie-taken', peer: TO_B })
    expect(why(a.handle(reply.message, FROM, 0, 0))).toBe('bad-cookie')
    const next = a.initiate(TO_B, 5000, WALL + 5000)!
    expect(why(b.handle(next, sockaddr([10, 0, 0, 1], 51821), LOADED, 5000))).toBe('send')
    expect(why(b.handle(next, FROM, LOADED, 5000))).toBe('session')
  })

  it('costs whoever asks more than it costs us: nothing but MAC1 is looked at', () => {
    const [, b, , kb] = two()
    const nonsense = new Uint8Array(wire.INITIATION_LEN)
    wire.writeInitiation(nonsense, 0, 0xdeadbeef)
    expect(why(b.handle(nonsense, FROM, LOADED, 0))).toBe('bad-mac')
    const reply = b.handle(resign(nonsense, kb.public), FROM, LOADED, 0)
    if (reply.kind !== 'send') throw new Error(reply.kind)
    expect(wire.receiver(reply.message, 0)).toBe(0xdeadbeef)
    expect(reply.message.length).toBeLessThan(nonsense.length)
  })

  it('a response is answered with a cookie too', () => {
    const [a, b] = two()
    const initiation = a.initiate(TO_B, 0, WALL)!
    const theirs = session(b.handle(initiation, FROM, 0, 0))
    const reply = a.handle(theirs.message!, FROM, LOADED, 0)
    if (reply.kind !== 'send') throw new Error(reply.kind)
    // It names the session that the response came with.
    expect(b.handle(reply.message, FROM, 0, 0)).toEqual({ kind: 'cookie-taken', peer: TO_A })
  })

  it('one source has 5 at once', () => {
    const [a, b] = two()
    const reply = b.handle(a.initiate(TO_B, 0, WALL)!, FROM, LOADED, 0)
    if (reply.kind === 'send') a.handle(reply.message, FROM, 0, 0)
    const ends = Array.from({ length: 8 }, () => why(b.handle(a.initiate(TO_B, 10, WALL)!, FROM, LOADED, 10)))
    expect(ends).toEqual(['session', ...Array(4).fill('flood'), ...Array(3).fill('rate-limited')])
  })

  it.each([
    ['that names nobody', (m: Uint8Array) => m.fill(0xee, 4, 8)],
    ['that was forged', (m: Uint8Array) => m.set([m[40]! ^ 1], 40)],
  ])('a cookie reply %s is not taken', (_name, change) => {
    const [a, b] = two()
    const reply = b.handle(a.initiate(TO_B, 0, WALL)!, FROM, LOADED, 0)
    if (reply.kind !== 'send') throw new Error(reply.kind)
    change(reply.message)
    expect(why(a.handle(reply.message, FROM, 0, 0))).toBe('bad-cookie')
  })
})

describe('both begin at once', () => {
  it('and both handshakes succeed; the lower key leaves renewal to the other', () => {
    const [low, high] = two()
    const [i, j] = [low.initiate(TO_B, 0, WALL)!, high.initiate(TO_A, 0, WALL)!]
    const atHigh = session(high.handle(i, FROM, 0, 10))
    const atLow = session(low.handle(j, FROM, 0, 10))
    const lowEnd = session(low.handle(atHigh.message!, FROM, 0, 20))
    const highEnd = session(high.handle(atLow.message!, FROM, 0, 20))
    expect(lowEnd.session.send).toEqual(atHigh.session.receive)
    expect(highEnd.session.send).toEqual(atLow.session.receive)
    expect([lowEnd.session.yields, highEnd.session.yields]).toEqual([true, false])
    expect([atHigh.session.yields, atLow.session.yields]).toEqual([false, false])
    const again = session(high.handle(low.initiate(TO_B, 5000, WALL + 5000)!, FROM, 0, 5000))
    expect(session(low.handle(again.message!, FROM, 0, 5000)).session.yields).toBe(false)
  })
})

describe('an index', () => {
  it('is not given twice while it is in use', () => {
    // Draws the same four bytes for every index until somebody insists.
    let draws = 0
    const stubborn = (into: Uint8Array) => {
      if (into.length !== 4) return random(into)
      into.fill(0)
      into[3] = draws++ < 3 ? 1 : 2
    }
    const [ka, kb] = twoPairs(random)
    const a = new Handshakes(stubborn)
    a.setPrivateKey(ka.private)
    a.addPeer(TO_B, kb.public, null)
    a.addPeer(TO_B + 1, generate(random).public, null)
    const first = a.initiate(TO_B, 0, WALL)!
    const second = a.initiate(TO_B + 1, 0, WALL)!
    expect(wire.sender(first, 0)).toBe(1)
    expect(wire.sender(second, 0)).toBe(2)
    expect(draws).toBe(4)
  })

  it('is free again when its session has ended', () => {
    let index = 1
    const counting = (into: Uint8Array) => {
      if (into.length !== 4) return random(into)
      new DataView(into.buffer).setUint32(0, index)
    }
    const [ka, kb] = twoPairs(random)
    const a = new Handshakes(counting)
    a.setPrivateKey(ka.private)
    a.addPeer(TO_B, kb.public, null)
    const { handshakes: b } = side(kb, TO_A, ka.public)
    const { session: made } = session(a.handle(b.initiate(TO_A, 0, WALL)!, FROM, 0, 0))
    expect(made.local).toBe(1)
    a.release(1)
    expect(wire.sender(a.initiate(TO_B, 0, WALL)!, 0)).toBe(1)
    // One that is replaced is free as well.
    index = 2
    expect(wire.sender(a.initiate(TO_B, 0, WALL)!, 0)).toBe(2)
    index = 1
    expect(wire.sender(a.initiate(TO_B, 0, WALL)!, 0)).toBe(1)
  })
})

describe('a peer', () => {
  it('is added once', () => {
    const [a, , , kb] = two()
    expect(() => a.addPeer(TO_B, generate(random).public, null)).toThrow('there already')
    expect(() => a.addPeer(1, kb.public, null)).toThrow('there already')
  })
})
