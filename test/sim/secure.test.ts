// Hosts of secure networks, whole but for native: walks, sessions, staging, side door and handshakes, on a wire in memory. Short
// stories, and at the end of each the law that every packet is sent, dropped or waits, and is counted once.
//
//   stations 1..3 ─ host 1 ══ wire ══ host 2 ─ stations 1..3          networks 0 and 1 (VNI 42, 43); in layer 3 only 0, 10.42.h.0/24
import { beforeAll, describe, expect, test } from 'vitest'
import { Batch } from '../../src/batch.ts'
import { TX_PACKETS } from '../../src/counters.ts'
import { generate } from '../../src/crypto/x25519.ts'
import { pack } from '../../src/host/sockaddr.ts'
import * as message from '../../src/wire/wireguard.ts'
import { HANDSHAKE_QUEUE, HANDSHAKE_QUEUE_PLAIN } from '../../src/wireguard/constants.ts'
import { ready } from '../../src/wireguard/handshakes.ts'
import { text } from '../support/bytes.ts'
import { chance } from '../support/keys.ts'
import { type Datagram, PORT, SecureVtep, through, typeOf, type Weather, World } from '../support/secure-vtep.ts'
import { generator, seed } from '../support/seed.ts'
import { frame, GROUP, idOf, packet, train } from '../support/stations.ts'
import type { Frame } from '../support/vtep.ts'

const STATIONS = 3
/** WG §6: what data without an answer waits for a new handshake at most, and a handshake for its repetition. */
const NEW_HANDSHAKE = 15_334
const REPEATED = 5334

beforeAll(() => ready())

interface Shape {
  readonly layer2: boolean
  readonly weather?: Weather
  readonly seed?: number
  /** Numbers of the hosts that know no endpoint. */
  readonly quiet?: readonly number[]
}

const addressOf = (n: number): string => `198.18.0.${n}`

interface Told {
  readonly world: World
  readonly hosts: SecureVtep[]
  readonly layer2: boolean
  /** Everything that was said, by id. */
  readonly said: Map<number, { bytes: Uint8Array; link: number; host: number }>
}

function hostsOf(count: number, shape: Shape): Told {
  const worldSeed = shape.seed ?? seed
  const world = new World(worldSeed, shape.weather)
  const keys = Array.from({ length: count }, () => generate(chance(world.random())))
  const { layer2, quiet = [] } = shape
  const hosts = keys.map((own, i) => {
    const host = new SecureVtep(world, addressOf(i + 1), own)
    join(
      host,
      i + 1,
      keys.map((k) => k.public),
      layer2,
      quiet.includes(i + 1),
    )
    return host
  })
  return { world, hosts, layer2, said: new Map() }
}

/** Gives host n its peers, tunnel k - 1 to host k, and its networks. */
function join(host: SecureVtep, n: number, keys: readonly Uint8Array[], layer2: boolean, quiet: boolean): void {
  const others = keys.map((_, i) => i + 1).filter((k) => k !== n)
  for (const k of others) host.meet(k - 1, keys[k - 1]!, quiet ? {} : { endpoint: addressOf(k) })
  const behind = (k: number) => [{ words: [(10 << 24) | (42 << 16) | (k << 8), 0, 0, 0], v6: false, length: 24 }]
  const fars = others.map((k) => through(k - 1, layer2 ? [] : behind(k)))
  const mac = Uint8Array.from([0x02, 0xff, 0, 0, 0, n])
  host.network(0, 42, fars, { mac }, layer2)
  if (layer2) host.network(1, 43, fars, { mac }, layer2)
  for (const id of layer2 ? [0, 1] : [0]) {
    const pad = layer2 ? 0 : 1400
    host.tables.handle({ kind: 'set-device', id, fd: 9, layer2, tcp: true, udp: true, mtu: 1400, pad })
  }
}

/** Has a station say something of this length (of the whole frame or packet); its id. */
function say(t: Told, from: number[], to: number[] | null, length = 60, link = 0): number {
  const id = t.said.size + 1
  const bytes = t.layer2 ? frame(from, to, id, length) : packet(from, to!, id, length)
  t.said.set(id, { bytes, link, host: from[0]! })
  t.hosts[from[0]! - 1]!.queue.push({ bytes, link })
  return id
}

/** The same as a train of UDP segments. */
function sayTrain(t: Told, from: number[], to: number[], n: number, length: number): void {
  const id = t.said.size + 1
  const whole: Frame = train(from, to, id, n, length, t.layer2)
  const header = whole.header!
  for (let k = 0; k < n; k++) {
    const at = header + k * whole.segment!
    const bytes = Uint8Array.from([
      ...whole.bytes.subarray(0, header),
      ...whole.bytes.subarray(at, at + whole.segment!),
    ])
    t.said.set(id + k, { bytes, link: 0, host: from[0]! })
  }
  t.hosts[from[0]! - 1]!.queue.push(whole)
}

/** Ids that came out at a host, in order. */
function heard(t: Told, host: number): number[] {
  return t.hosts[host - 1]!.got.filter((s) => !isAnswer(t, s.bytes)).map((s) => idOf(s, t.layer2))
}

/** "Too big", which the host's own agent says. */
function isAnswer(t: Told, bytes: Uint8Array): boolean {
  return bytes[t.layer2 ? 23 : 9] === 1
}

/** Everything that came out is what somebody said, whole, in its network, and at most once a host. */
function expectRight(t: Told): void {
  for (const [i, host] of t.hosts.entries()) {
    const seen = new Set<number>()
    for (const s of host.got) {
      if (isAnswer(t, s.bytes)) continue
      const id = idOf(s, t.layer2)
      const was = t.said.get(id)!
      expect(text(s.bytes), `frame ${id}`).toBe(text(was.bytes))
      expect(s.link).toBe(was.link)
      expect(was.host).not.toBe(i + 1)
      expect(seen.has(id), `frame ${id} twice`).toBe(false)
      seen.add(id)
    }
  }
}

function expectLaw(t: Told): void {
  for (const host of t.hosts) {
    const [given, told] = host.law()
    expect(told, host.address).toBe(given)
    expect(host.counters.datagrams, host.address).toBe(host.arrived)
  }
  const { carried, lost, doubled, nobody } = t.world.fate
  expect(t.hosts.reduce((n, h) => n + h.arrived, 0)).toBe(carried - lost + doubled - nobody)
}

/** Any station to any other one, or to all. */
function chatter(t: Told, count: number, chatSeed: number): void {
  const random = generator(chatSeed)
  const n = t.hosts.length
  for (let i = 0; i < count; i++) {
    const host = random() % n
    const other = (host + 1 + (random() % (n - 1))) % n
    const [from, to] = [host, other].map((h) => [h + 1, 1 + (random() % STATIONS)]) as [number[], number[]]
    const kind = random() % 8
    const length = 60 + (random() % 5) * 40
    if (kind === 0) sayTrain(t, from, to, 2 + (random() % 20), length)
    else say(t, from, t.layer2 && kind < 3 ? null : to, length, t.layer2 ? random() % 2 : 0)
    // Now and then everybody has a rest.
    if (random() % 10 === 0) t.world.pass(random() % 2000)
  }
}

describe.each([
  ['layer 2', true, 2],
  ['layer 2 with three hosts', true, 3],
  ['layer 3', false, 2],
  ['layer 3 with three hosts', false, 3],
])('%s', (_title, layer2, count) => {
  test('the first packets wait for the session, and all of them go then, in order', () => {
    const t = hostsOf(count, { layer2 })
    for (let i = 0; i < 10; i++) say(t, [1, 1], [2, 1])
    sayTrain(t, [1, 1], [2, 1], 10, 100)
    for (let i = 0; i < 10; i++) say(t, [1, 2], [2, 1])
    t.world.settle()
    expect(heard(t, 2)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    for (const host of t.hosts) expect(host.drops()).toEqual({})
    expectRight(t)
    expectLaw(t)
  })

  test('in good weather everything arrives, and nothing is dropped', () => {
    const t = hostsOf(count, { layer2 })
    chatter(t, 200, seed)
    t.world.settle()
    for (const [id, { bytes, host }] of t.said) {
      const group = bytes[0] === GROUP
      const to = layer2 ? bytes[4]! : bytes[18]!
      for (let h = 1; h <= count; h++) {
        if (h !== host && (group || h === to)) expect(heard(t, h), `frame ${id} at ${h}`).toContain(id)
      }
    }
    for (const host of t.hosts) expect(host.drops()).toEqual({})
    expectRight(t)
    expectLaw(t)
  })

  test.each([1, 2, 3, 4])('in bad weather (%i) what arrives is right, comes once, and the law holds', (k) => {
    const t = hostsOf(count, { layer2, seed: seed + k, weather: { loss: 0.1, twice: 0.2, late: 0.4 } })
    chatter(t, 200, seed + k)
    t.world.pass(2 * REPEATED)
    t.world.settle()
    expectRight(t)
    expectLaw(t)
    expect(t.world.fate.lost).toBeGreaterThan(0)
    const refused = t.hosts.map((h) => h.drops()['replay'] ?? 0)
    expect(refused.reduce((a, b) => a + b)).toBeGreaterThan(0)
    expect(t.hosts.some((h) => h.got.length > 0)).toBe(true)
  })

  test('a socket that is full now and then loses nothing', () => {
    const t = hostsOf(count, { layer2 })
    const random = generator(seed)
    for (let i = 0; i < 100; i++) {
      for (const host of t.hosts) host.socket.full += random() % 3 === 0 ? 1 + (random() % 3) : 0
      say(t, [1, 1], [2, 1])
      say(t, [2, 1], [1, 1])
      if (i % 7 === 0) sayTrain(t, [2, 2], [1, 2], 5, 100)
      t.world.pass(1)
    }
    t.world.settle()
    expect(heard(t, 2)).toHaveLength(100)
    for (const host of t.hosts) expect(host.drops()).toEqual({})
    expectRight(t)
    expectLaw(t)
  })

  test('sessions are renewed under traffic, and nothing is lost', () => {
    const t = hostsOf(count, { layer2 })
    say(t, [1, 1], [2, 1])
    t.world.settle()
    // The first one has been made.
    let initiations = 1
    const indices = new Set<number>()
    t.world.watch = (d) => {
      if (![d.from, d.to].every((a) => a === addressOf(1) || a === addressOf(2))) return
      if (typeOf(d) === message.INITIATION) initiations++
      if (typeOf(d) === message.TRANSPORT) indices.add(message.receiver(d.bytes, 0))
    }
    for (let second = 0; second < 400; second++) {
      say(t, [1, 1], [2, 1])
      say(t, [2, 1], [1, 1])
      t.world.pass(1000)
    }
    t.world.settle()
    // Every two minutes, by the one that began.
    expect(initiations).toBe(4)
    expect(indices.size).toBe(8)
    expect(heard(t, 2)).toHaveLength(401)
    expect(heard(t, 1)).toHaveLength(400)
    for (const host of t.hosts) expect(host.drops()).toEqual({})
    expectLaw(t)
  })
})

test('a flood of initiations without MAC2 leaves room for those that have one', () => {
  const [one] = hostsOf(2, { layer2: true }).hosts as [SecureVtep]
  const { tunnels } = one.tables
  const b = new Batch(1, new Uint8Array(message.INITIATION_LEN))
  message.writeInitiation(b.bytes, 0, 7)
  const come = (): void => tunnels.handshake(b, 0, 0, message.INITIATION_LEN)
  for (let i = 0; i < HANDSHAKE_QUEUE; i++) come()
  expect(one.waiting()).toBe(HANDSHAKE_QUEUE_PLAIN)
  b.bytes[message.INITIATION_LEN - 1] = 1
  for (let i = 0; i < HANDSHAKE_QUEUE; i++) come()
  expect(one.waiting()).toBe(HANDSHAKE_QUEUE)
  expect(one.drops()).toEqual({ 'handshake-limited': HANDSHAKE_QUEUE })
})

describe.each([
  ['layer 2', true],
  ['layer 3', false],
])('%s', (_title, layer2) => {
  test('the first renewal loses nothing either when both had begun at once', () => {
    const t = hostsOf(2, { layer2 })
    const both = (): void => {
      say(t, [1, 1], [2, 1])
      say(t, [2, 1], [1, 1])
    }
    both()
    t.world.settle()
    for (let second = 10; second < 120; second += 10) {
      t.world.pass(10_000)
      both()
    }
    t.world.pass(9000)
    // A packet each millisecond while it happens.
    for (let ms = 0; ms < 3000; ms++) {
      both()
      t.world.pass(1)
    }
    t.world.settle()
    for (const host of t.hosts) expect(host.drops()).toEqual({})
    expect(heard(t, 1).length + heard(t, 2).length).toBe(t.said.size)
    expectLaw(t)
  })

  test('a packet too big for the path is told so, and all that fit go', () => {
    const t = hostsOf(2, { layer2 })
    t.world.mtu = () => 900
    say(t, [1, 1], [2, 1])
    say(t, [2, 1], [1, 1])
    t.world.settle()
    say(t, [1, 1], [2, 1], 1000)
    t.world.settle()
    say(t, [1, 1], [2, 1], 1000)
    const overhead = layer2 ? 60 + 8 : 60
    const largest = say(t, [1, 1], [2, 1], 900 - overhead)
    say(t, [1, 1], [2, 1], 900 - overhead + 1)
    t.world.settle()
    const [one] = t.hosts as [SecureVtep]
    expect(one.drops()).toEqual({ 'too-big': 3 })
    expect(heard(t, 2)).toContain(largest)
    const answers = one.got.filter((s) => isAnswer(t, s.bytes))
    const mtu = answers.map((s) => new DataView(s.bytes.buffer).getUint16(layer2 ? 40 : 26))
    expect(mtu).toEqual(answers.map(() => 900 - overhead - (layer2 ? 14 : 0)))
    expect(answers.length).toBeGreaterThan(0)
    expectLaw(t)
  })

  test('a host that moves is followed, with what is behind it', () => {
    const t = hostsOf(2, { layer2 })
    const [one, two] = t.hosts as [SecureVtep, SecureVtep]
    say(t, [2, 1], [1, 1])
    say(t, [1, 1], [2, 1])
    t.world.settle()
    two.address = '198.18.0.22'
    const lost = say(t, [1, 1], [2, 1])
    t.world.settle()
    expect(heard(t, 2)).not.toContain(lost)
    say(t, [2, 1], [1, 1])
    t.world.settle()
    const after = say(t, [1, 1], [2, 1])
    t.world.settle()
    expect(heard(t, 2)).toContain(after)
    expect(one.heard.filter((n) => n.kind === 'roamed').at(-1)).toMatchObject({ address: pack('198.18.0.22', PORT) })
    expectRight(t)
    expectLaw(t)
  })

  test('nobody moves by what was copied and is sent again from elsewhere', () => {
    const t = hostsOf(2, { layer2 })
    const [one] = t.hosts as [SecureVtep]
    const copies: Datagram[] = []
    t.world.watch = (d) => {
      if (d.to === one.address) copies.push({ ...d, bytes: d.bytes.slice(), from: '198.18.0.99' })
    }
    for (let i = 0; i < 5; i++) say(t, [2, 1], [1, 1])
    say(t, [1, 1], [2, 1])
    t.world.settle()
    const before = one.got.length
    for (const copy of copies) t.world.inject(copy)
    t.world.settle()
    expect(one.got).toHaveLength(before)
    expect(one.heard.filter((n) => n.kind === 'roamed')).toEqual([])
    expect(Object.values(one.drops()).reduce((a, b) => a + b)).toBe(copies.length)
    expectLaw(t)
  })

  test('a damaged message is dropped, whatever bit it is', () => {
    const t = hostsOf(2, { layer2 })
    const [one, two] = t.hosts as [SecureVtep, SecureVtep]
    say(t, [1, 1], [2, 1])
    t.world.settle()
    const seen: Datagram[] = []
    t.world.blocks = (d) => seen.push(d) > 0
    say(t, [1, 1], [2, 1])
    t.world.settle()
    t.world.blocks = () => false
    const [real] = seen as [Datagram]
    const before = two.got.length
    for (let bit = 0; bit < real.bytes.length * 8; bit++) {
      const bytes = real.bytes.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      t.world.inject({ ...real, bytes })
    }
    for (let length = 0; length < real.bytes.length; length++) {
      t.world.inject({ ...real, bytes: real.bytes.slice(0, length) })
    }
    t.world.settle()
    expect(two.got).toHaveLength(before)
    const drops = two.drops()
    expect(Object.values(drops).reduce((a, b) => a + b)).toBe(real.bytes.length * 9)
    t.world.inject(real)
    t.world.settle()
    expect(two.got).toHaveLength(before + 1)
    expect(one.drops()).toEqual({})
    expectLaw(t)
  })

  test('who never answers costs a bounded number of waiting packets, and every one is accounted for', () => {
    const t = hostsOf(2, { layer2 })
    const [one] = t.hosts as [SecureVtep]
    t.world.blocks = () => true
    for (let i = 0; i < 200; i++) say(t, [1, 1], [2, 1])
    t.world.pass(1000)
    expect(one.waiting()).toBe(128)
    expect(one.drops()).toEqual({ 'no-session': 72 })
    expectLaw(t)
    t.world.pass(120_000)
    expect(one.waiting()).toBe(0)
    expect(one.drops()).toEqual({ 'no-session': 200 })
    expectLaw(t)
    // It is there now: the next packet begins anew.
    t.world.blocks = () => false
    const id = say(t, [1, 1], [2, 1])
    t.world.pass(REPEATED)
    expect(heard(t, 2)).toEqual([id])
    expectLaw(t)
  })

  test('an end that has forgotten everything is reached again within 15 s, although it only listens', () => {
    const t = hostsOf(2, { layer2, quiet: [2] })
    const [one, two] = t.hosts as [SecureVtep, SecureVtep]
    const keys = [one.handshakes.publicKey!, two.handshakes.publicKey!]
    say(t, [1, 1], [2, 1])
    t.world.settle()
    expect(heard(t, 2)).toHaveLength(1)
    // Its private key is all that it still has.
    const private_ = two.handshakes['own']!.private.slice()
    t.world.hosts.splice(1)
    const again = new SecureVtep(t.world, two.address, { private: private_, public: keys[1]! })
    join(again, 2, keys, layer2, true)
    t.hosts[1] = again
    t.world.pass(10)
    const lost = say(t, [1, 1], [2, 1])
    t.world.pass(NEW_HANDSHAKE)
    expect(heard(t, 2)).toEqual([])
    const id = say(t, [1, 1], [2, 1])
    t.world.settle()
    expect(heard(t, 2)).toEqual([id])
    expect(lost).toBeLessThan(id)
    expect(again.drops()['unknown-peer']).toBeGreaterThan(0)
    expect(again.law()[0]).toBe(again.law()[1])
    expect(one.law()[0]).toBe(one.law()[1])
  })

  test('a new private key ends the sending of old sessions at once', () => {
    const t = hostsOf(2, { layer2 })
    const [one, two] = t.hosts as [SecureVtep, SecureVtep]
    say(t, [1, 1], [2, 1])
    say(t, [2, 1], [1, 1])
    t.world.settle()
    const next = generate(chance(7))
    one.handshakes.setPrivateKey(next.private)
    one.tables.handle({ kind: 'renew-tunnels' })
    let data = 0
    t.world.watch = (d) => {
      if (d.from === one.address && typeOf(d) === message.TRANSPORT) data++
    }
    const id = say(t, [1, 1], [2, 1])
    t.world.pass(1000)
    expect(data).toBe(0)
    expect(one.waiting()).toBe(1)
    // The far end learns of it: its old tunnel goes, the new one takes its place in the network.
    two.handshakes.removePeer(0)
    two.tables.handle({ kind: 'set-peers', id: 0, peers: [], statics: [] })
    if (layer2) two.tables.handle({ kind: 'set-peers', id: 1, peers: [], statics: [] })
    two.tables.handle({ kind: 'remove-tunnel', tunnel: 0 })
    two.meet(2, next.public, { endpoint: one.address })
    const prefixes = [{ words: [(10 << 24) | (42 << 16) | (1 << 8), 0, 0, 0], v6: false, length: 24 }]
    two.tables.handle({ kind: 'set-peers', id: 0, peers: [through(2, prefixes)], statics: [] })
    t.world.pass(REPEATED + 1000)
    expect(heard(t, 2)).toContain(id)
    expectLaw(t)
  })

  test('a peer that goes while its packets wait for a full socket takes them with it', () => {
    const t = hostsOf(2, { layer2 })
    const [one] = t.hosts as [SecureVtep]
    say(t, [1, 1], [2, 1])
    t.world.settle()
    one.socket.full = 5
    for (let i = 0; i < 10; i++) say(t, [1, 1], [2, 1])
    sayTrain(t, [1, 1], [2, 1], 8, 100)
    t.world.pass(2)
    for (const id of layer2 ? [0, 1] : [0]) one.tables.handle({ kind: 'set-peers', id, peers: [], statics: [] })
    one.tables.handle({ kind: 'remove-tunnel', tunnel: 1 })
    t.world.settle()
    expect(one.drops()).toEqual({ 'no-session': 18 })
    expect(one.counters.network(0, TX_PACKETS)).toBe(1)
    expectLaw(t)
  })
})
