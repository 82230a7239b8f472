// Two hosts, each with both halves of the protocol, and a wire between them: short stories in virtual time. At the end of each
// the law: what was given is out, dropped or waiting, and what arrived was opened once or refused with a reason.
//
//   a (lower public key, 10.0.0.1) ══ wire ══ b (10.0.0.2)          each calls the other peer 1
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../src/crypto/sodium.ts'
import { generate, type KeyPair } from '../../src/crypto/x25519.ts'
import * as wire from '../../src/wire/wireguard.ts'
import { HANDSHAKE_QUEUE } from '../../src/wireguard/constants.ts'
import { chance, twoPairs } from '../support/keys.ts'
import { seed } from '../support/seed.ts'
import { Host, Sky, type Weather } from '../support/wireguard-host.ts'

beforeAll(() => ready())

const A = '10.0.0.1:51820'
const B = '10.0.0.2:51820'
const PEER = 1
const SECOND = 1000

interface World {
  sky: Sky
  a: Host
  b: Host
  ka: KeyPair
  kb: KeyPair
}

function world(weather: Weather = {}, worldSeed = seed, keepalive = 0): World {
  const sky = new Sky(worldSeed, weather)
  const [ka, kb] = twoPairs(chance(worldSeed ^ 0x4e15))
  const a = new Host(sky, A, ka)
  const b = new Host(sky, B, kb)
  a.meet(PEER, kb.public, B, keepalive)
  b.meet(PEER, ka.public, A)
  return { sky, a, b, ka, kb }
}

/** How many messages of a type were sent, by whom if said, from a moment on. */
function count(w: World, type: number, from?: string, since = 0): number {
  return w.sky.seen.filter((s) => s.type === type && s.at >= since && (from === undefined || s.from === from)).length
}

function obeysTheLaw(w: World): void {
  let sealed = 0
  let arrived = 0
  for (const h of [w.a, w.b]) {
    expect(h.counts.sealed + h.counts.dropped + h.staged()).toBe(h.counts.given)
    const refused = Object.values(h.refused).reduce((n, m) => n + m, 0)
    expect(h.counts.opened + refused).toBe(h.counts.arrived)
    expect(h.got.length + h.counts.keepalives).toBe(h.counts.opened)
    expect(new Set(h.got).size, 'nothing came twice').toBe(h.got.length)
    sealed += h.counts.sealed
    arrived += h.got.length
  }
  expect(arrived).toBeLessThanOrEqual(sealed)
}

/** Both send something and it gets there. */
function talks(w: World, within = SECOND): void {
  const name = `talk ${w.sky.now}`
  w.a.send(PEER, `${name} from a`)
  w.b.send(PEER, `${name} from b`)
  w.sky.pass(within)
  expect(w.b.got).toContain(`${name} from a`)
  expect(w.a.got).toContain(`${name} from b`)
}

/** A world whose hosts have a session, begun by a. */
function acquainted(weather: Weather = {}, keepalive = 0): World {
  const w = world(weather, seed, keepalive)
  w.a.send(PEER, 'hello')
  w.sky.pass(SECOND)
  expect(w.b.got).toEqual(['hello'])
  expect(count(w, wire.INITIATION)).toBe(1)
  return w
}

describe('the first packet', () => {
  it('arrives after one and a half round trips, with what came behind it, in order', () => {
    const w = world({ latency: 50 })
    for (let i = 0; i < 5; i++) w.a.send(PEER, `${i}`)
    w.sky.pass(149)
    expect(w.b.got).toEqual([])
    w.sky.pass(10)
    expect(w.b.got).toEqual(['0', '1', '2', '3', '4'])
    expect([count(w, wire.INITIATION), count(w, wire.RESPONSE), count(w, wire.TRANSPORT)]).toEqual([1, 1, 5])
    obeysTheLaw(w)
  })

  it('that the responder has for the initiator waits for the first message from there', () => {
    const w = world({ latency: 50 })
    w.a.send(PEER, 'hello')
    w.sky.pass(60)
    w.b.send(PEER, 'answer')
    w.sky.pass(150)
    expect(w.a.got).toEqual(['answer'])
    expect(count(w, wire.INITIATION)).toBe(1)
  })

  it.each([
    ['initiation', wire.INITIATION],
    ['response', wire.RESPONSE],
  ])('whose %s is lost arrives with the next, 5 s later', (_name, type) => {
    const w = world()
    let lost = 0
    w.sky.blocks = (_from, _to, t) => t === type && lost++ === 0
    w.a.send(PEER, 'late')
    w.sky.pass(5 * SECOND - 1)
    expect(w.b.got).toEqual([])
    w.sky.pass(400)
    expect(w.b.got).toEqual(['late'])
    obeysTheLaw(w)
  })

  it('is given up with all the others after 20 initiations', () => {
    const w = world()
    w.sky.blocks = () => true
    for (let i = 0; i < 200; i++) w.a.send(PEER, `${i}`)
    expect(w.a.staged()).toBe(128)
    w.sky.pass(200 * SECOND)
    expect(count(w, wire.INITIATION)).toBe(20)
    expect(w.a.staged()).toBe(0)
    expect(w.a.counts.dropped).toBe(200)
    w.sky.blocks = () => false
    talks(w)
    obeysTheLaw(w)
  })

  it('does not come back from a host with another preshared key, until it is the same', () => {
    const w = world()
    w.b.handshakes.setPresharedKey(PEER, new Uint8Array(32).fill(1))
    w.a.send(PEER, 'first')
    w.sky.pass(4 * SECOND)
    expect(w.a.declined).toEqual({ 'bad-tag': 1 })
    w.a.handshakes.setPresharedKey(PEER, new Uint8Array(32).fill(1))
    w.sky.pass(2 * SECOND)
    expect(w.b.got).toEqual(['first'])
  })
})

describe('renewal', () => {
  it('under traffic both ways loses nothing and refuses nothing', () => {
    const w = acquainted({ latency: 20, jitter: 15 })
    for (let i = 0; i < 4000; i++) {
      w.a.send(PEER, `a${i}`)
      w.b.send(PEER, `b${i}`)
      w.sky.pass(100)
    }
    w.sky.pass(100)
    expect([w.a.got.length, w.b.got.length]).toEqual([4000, 4001])
    for (const h of [w.a, w.b]) expect([h.refused, h.declined]).toEqual([{}, {}])
    // At 0, 120, 240 and 360 s.
    expect([count(w, wire.INITIATION, A), count(w, wire.INITIATION, B)]).toEqual([4, 0])
    obeysTheLaw(w)
  })

  it('goes on through loss, reordering and doubles; all that arrives comes out once', () => {
    const w = world({ loss: 0.2, twice: 0.1, latency: 5, jitter: 400 })
    for (let i = 0; i < 3000; i++) {
      w.a.send(PEER, `a${i}`)
      w.b.send(PEER, `b${i}`)
      w.sky.pass(200)
    }
    w.sky.pass(SECOND)
    for (const [h, name] of [
      [w.a, 'a'],
      [w.b, 'b'],
    ] as const) {
      expect(h.got.length, name).toBeGreaterThan(3000 * 0.75)
      expect(h.refused['bad-tag']).toBeUndefined()
      expect(h.refused['replay'], name).toBeGreaterThan(100)
      // Of a session that was just replaced, at most.
      expect(h.refused['unknown-peer'] ?? 0).toBeLessThan(60)
    }
    expect(w.sky.fate.doubled).toBeGreaterThan(100)
    obeysTheLaw(w)
  })

  it('by the initiator that only receives comes in time as well', () => {
    const w = world()
    w.a.send(PEER, 'hello')
    w.sky.pass(SECOND)
    for (let i = 0; i < 300; i++) {
      w.b.send(PEER, `${i}`)
      w.sky.pass(SECOND)
    }
    expect(w.a.got.length).toBe(300)
    expect(w.b.staged()).toBe(0)
    obeysTheLaw(w)
  })
})

describe('both begin at once', () => {
  it('and neither waits; one of them renews', () => {
    const w = world({ latency: 50 })
    w.a.send(PEER, 'from a')
    w.b.send(PEER, 'from b')
    w.sky.pass(200)
    expect([w.a.got, w.b.got]).toEqual([['from b'], ['from a']])
    const began = w.sky.now
    for (let i = 0; i < 150; i++) {
      talks(w)
    }
    // b has the higher key.
    expect(count(w, wire.INITIATION, B, began)).toBe(1)
    expect(count(w, wire.INITIATION, A, began)).toBe(0)
    for (const h of [w.a, w.b]) expect([h.refused, h.declined]).toEqual([{}, {}])
    obeysTheLaw(w)
  })

  it.each([
    ["a's initiation", A, wire.INITIATION],
    ["b's initiation", B, wire.INITIATION],
    ["a's response", A, wire.RESPONSE],
    ["b's response", B, wire.RESPONSE],
  ])('and %s is lost: the other handshake is enough', (_name, from, type) => {
    const w = world({ latency: 50 })
    w.sky.blocks = (f, _to, t) => f === from && t === type
    w.a.send(PEER, 'from a')
    w.b.send(PEER, 'from b')
    w.sky.pass(300)
    expect([w.a.got, w.b.got]).toEqual([['from b'], ['from a']])
    for (let i = 0; i < 400; i++) {
      w.a.send(PEER, `a${i}`)
      w.b.send(PEER, `b${i}`)
      w.sky.pass(SECOND)
    }
    expect([w.a.got.length, w.b.got.length]).toEqual([401, 401])
    obeysTheLaw(w)
  })

  it('and a moment apart: whatever the distance, nobody waits', () => {
    for (let apart = 0; apart < 250; apart += 7) {
      const w = world({ latency: 50 }, seed + apart)
      w.b.send(PEER, 'from b')
      w.sky.pass(apart)
      w.a.send(PEER, 'from a')
      w.sky.pass(300)
      expect([w.a.got, w.b.got], `${apart} ms`).toEqual([['from b'], ['from a']])
    }
  })
})

describe('under load', () => {
  it('a host answers with cookies, and who has one gets through', () => {
    const w = world()
    w.b.waiting = HANDSHAKE_QUEUE / 4
    w.a.send(PEER, 'first')
    w.sky.pass(4 * SECOND)
    expect([count(w, wire.COOKIE_REPLY), count(w, wire.RESPONSE)]).toEqual([1, 0])
    // The cookie alone starts nothing (WG §6.6).
    expect(count(w, wire.INITIATION)).toBe(1)
    w.sky.pass(2 * SECOND)
    expect(count(w, wire.RESPONSE)).toBe(1)
    expect(w.b.got).toEqual(['first'])
    obeysTheLaw(w)
  })

  it('sessions are renewed all the time, though each cookie ends', () => {
    const w = world()
    w.a.waiting = HANDSHAKE_QUEUE
    w.b.waiting = HANDSHAKE_QUEUE
    w.a.send(PEER, 'first')
    w.b.send(PEER, 'first')
    w.sky.pass(20 * SECOND)
    const before = w.a.got.length
    for (let i = 0; i < 500; i++) {
      w.a.send(PEER, `a${i}`)
      w.b.send(PEER, `b${i}`)
      w.sky.pass(SECOND)
    }
    expect([w.a.got.length, w.b.got.length]).toEqual([before + 500, before + 500])
    expect(count(w, wire.COOKIE_REPLY)).toBeGreaterThan(2)
    obeysTheLaw(w)
  })

  it('who does not receive at its address gets no further than a cookie', () => {
    const w = world()
    w.b.waiting = HANDSHAKE_QUEUE
    w.sky.blocks = (_from, _to, type) => type === wire.COOKIE_REPLY
    w.a.send(PEER, 'first')
    w.sky.pass(60 * SECOND)
    expect(count(w, wire.INITIATION)).toBeGreaterThan(10)
    expect(count(w, wire.COOKIE_REPLY)).toBe(count(w, wire.INITIATION))
    expect(count(w, wire.RESPONSE)).toBe(0)
  })
})

describe('roaming', () => {
  it('a host is answered where it spoke last', () => {
    const w = acquainted()
    w.a.address = '10.9.9.9:1234'
    w.b.send(PEER, 'to the old address')
    w.sky.pass(SECOND)
    expect(w.a.got).not.toContain('to the old address')
    w.a.send(PEER, 'here I am')
    w.sky.pass(SECOND)
    talks(w)
    expect(w.b.far.get(PEER)!.endpoint).toBe('10.9.9.9:1234')
    expect(count(w, wire.INITIATION)).toBe(1)
    obeysTheLaw(w)
  })

  it('is not for what does not open, or came before', () => {
    const w = acquainted()
    const old = w.sky.seen.filter((s) => s.from === A && s.type === wire.TRANSPORT)
    expect(old.length).toBeGreaterThan(0)
    for (const s of old) w.sky.arrive('10.6.6.6:6', B, s.bytes.slice())
    const forged = old.at(-1)!.bytes.slice()
    forged[20]! ^= 1
    w.sky.arrive('10.6.6.6:6', B, forged)
    w.sky.pass(SECOND)
    expect(w.b.far.get(PEER)!.endpoint).toBe(A)
    expect(w.b.refused).toEqual({ replay: old.length, 'bad-tag': 1 })
    talks(w)
  })

  it('of both at once is mended by who still finds the other', () => {
    const w = world({}, seed, 25 * SECOND)
    talks(w)
    w.a.address = '10.9.9.9:1234'
    w.sky.pass(26 * SECOND)
    talks(w)
  })
})

describe('the clock', () => {
  it.each([
    ['an hour back', -3600 * SECOND],
    ['a year back', -365 * 86400 * SECOND],
    ['to 1970', -1_700_000_000 * SECOND],
    ['a year ahead', 365 * 86400 * SECOND],
  ])('on the wall is set %s, and the next handshake is answered all the same', (_name, by) => {
    const w = world()
    w.a.send(PEER, 'before')
    w.sky.pass(200 * SECOND)
    w.a.wallOffset += by
    w.a.send(PEER, 'after')
    w.sky.pass(SECOND)
    expect(w.b.got).toEqual(['before', 'after'])
    expect(w.b.declined).toEqual({})
  })

  it('jumps over everything that was due, and all goes on', () => {
    const w = acquainted()
    w.sky.now += 3600 * SECOND
    talks(w)
    obeysTheLaw(w)
  })
})

describe('the end of a session', () => {
  it('comes after 180 s: what is sent in it by somebody else is refused', () => {
    const w = world()
    talks(w)
    const last = w.sky.seen.filter((s) => s.type === wire.TRANSPORT && s.from === A).at(-1)!
    w.sky.pass(181 * SECOND)
    expect([w.a.keys.size, w.b.keys.size]).toEqual([0, 0])
    w.sky.arrive(A, B, last.bytes.slice())
    expect(w.b.refused).toEqual({ 'unknown-peer': 1 })
    talks(w)
  })

  it('comes for all of them; after 540 s no key is left, nor a handshake', () => {
    const w = world()
    talks(w)
    w.sky.blocks = () => true
    w.a.send(PEER, 'into the void')
    w.sky.pass(545 * SECOND)
    expect([w.a.keys.size, w.b.keys.size]).toEqual([0, 0])
    expect([w.a.staged(), w.b.staged()]).toEqual([0, 0])
    expect([w.a.peers.nextDeadline(), w.b.peers.nextDeadline()]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ])
    const sent = w.sky.seen.length
    w.sky.pass(3600 * SECOND)
    expect(w.sky.seen.length).toBe(sent)
    w.sky.blocks = () => false
    talks(w)
    obeysTheLaw(w)
  })
})

describe('silence', () => {
  it('of one side is broken by keepalives, so that the other knows it is there', () => {
    const w = acquainted()
    for (let i = 0; i < 60; i++) {
      w.a.send(PEER, `${i}`)
      w.sky.pass(SECOND)
    }
    expect(w.a.counts.keepalives).toBeGreaterThanOrEqual(5)
    expect(count(w, wire.INITIATION)).toBe(1)
    obeysTheLaw(w)
  })

  it('of a peer that was started again ends after 15 s', () => {
    const w = world()
    talks(w)
    w.sky.hosts.splice(w.sky.hosts.indexOf(w.b), 1)
    const b = new Host(w.sky, B, w.kb)
    b.meet(PEER, w.ka.public, null)
    for (let i = 0; i < 20; i++) {
      w.a.send(PEER, `again ${i}`)
      w.sky.pass(SECOND)
    }
    expect(b.got.length).toBeGreaterThanOrEqual(4)
    expect(b.far.get(PEER)!.endpoint).toBe(A)
  })
})

describe('persistent keepalive', () => {
  it('keeps a session up without a word, and whoever waits behind it reachable', () => {
    const w = world({}, seed, 25 * SECOND)
    // b does not know where a is.
    w.b.far.get(PEER)!.endpoint = null
    w.sky.pass(1000 * SECOND)
    expect(w.b.counts.keepalives).toBeGreaterThanOrEqual(40)
    expect(w.b.counts.keepalives).toBeLessThanOrEqual(60)
    w.b.send(PEER, 'at once')
    w.sky.pass(20)
    expect(w.a.got).toEqual(['at once'])
  })
})

describe('somebody records everything and sends it again', () => {
  it('and nothing comes of it, at any time', () => {
    const w = world()
    for (let i = 0; i < 150; i++) talks(w)
    const [a, b] = [w.a.got.length, w.b.got.length]
    const recorded = [...w.sky.seen]
    for (const wait of [0, 60, 180, 540]) {
      w.sky.pass(wait * SECOND)
      const sent = w.sky.seen.length
      for (const s of recorded) w.sky.arrive(s.from, s.to, s.bytes.slice())
      w.sky.pass(SECOND)
      expect(w.sky.seen.length, `${wait} s later`).toBe(sent)
    }
    expect([w.a.got.length, w.b.got.length]).toEqual([a, b])
    talks(w)
  })
})

describe('a new private key', () => {
  it('is used by the next packet, and the old one is not heard any more', () => {
    const w = world()
    talks(w)
    const fresh = generate(chance(seed ^ 77))
    w.a.handshakes.setPrivateKey(fresh.private)
    w.a.peers.expireAll(PEER)
    w.b.handshakes.removePeer(PEER)
    w.b.peers.remove(PEER)
    w.b.meet(PEER, fresh.public, A)
    talks(w)
    obeysTheLaw(w)
  })
})

describe('any weather', () => {
  it('the law holds, and when it clears up both talk within 15 s', () => {
    for (let n = 0; n < 25; n++) {
      const draw = chance(seed + n)
      const dice = new Uint8Array(4)
      draw(dice)
      const weather = { loss: dice[0]! / 400, twice: dice[1]! / 800, latency: dice[2]!, jitter: dice[3]! * 4 }
      const w = world(weather, seed + n)
      for (let i = 0; i < 400; i++) {
        if (w.sky.random() % 3 !== 0) w.a.send(PEER, `a${i}`)
        if (w.sky.random() % 3 !== 0) w.b.send(PEER, `b${i}`)
        w.sky.pass(w.sky.random() % 2000)
      }
      w.sky.weather = {}
      const clear = w.sky.now
      const reached = () => w.a.got.includes('clear') && w.b.got.includes('clear')
      w.a.send(PEER, 'clear')
      w.b.send(PEER, 'clear')
      while (!reached() && w.sky.now < clear + 20 * SECOND) w.sky.pass(100)
      expect(w.sky.now - clear, JSON.stringify({ n, weather })).toBeLessThan(16 * SECOND)
      obeysTheLaw(w)
    }
  })
})
