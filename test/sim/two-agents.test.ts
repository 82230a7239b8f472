// Hosts with stations behind them, joined by a wire in memory: short stories, and at the end of each the law that every packet
// is sent or dropped and counted once.
//
//   stations 1..3 ─ host 1 ══ wire ══ host 2 ─ stations 1..3          networks 0 (VNI 42) and 1 (VNI 43) on both
import { describe, expect, test } from 'vitest'
import { TX_PACKETS } from '../../src/counters.ts'
import { text } from '../support/bytes.ts'
import { generator, seed } from '../support/seed.ts'
import { frame, GROUP, idOf } from '../support/stations.ts'
import { VirtualWire, type Weather } from '../support/virtual-wire.ts'
import { type Frame, far, type Sent, Vtep } from '../support/vtep.ts'

const STATIONS = 3

interface World {
  hosts: Map<string, Vtep>
  wire: VirtualWire
  /** What is to be sent by each host next. */
  queues: Map<string, Frame[]>
  /** Frames that came out of devices, by host. */
  got: Map<string, Sent[]>
}

function world(addresses: string[], weather: Weather, worldSeed: number, settings = {}, mtu = 1500): World {
  const wire = new VirtualWire(worldSeed, weather)
  const hosts = new Map<string, Vtep>()
  for (const [i, address] of addresses.entries()) {
    const v = new Vtep({ datagrams: 16, frames: 16, seed: worldSeed + i })
    const peers = addresses.filter((a) => a !== address).map((a) => far(a, { mtu }))
    const mac = Uint8Array.from([0x02, 0xff, 0, 0, 0, i + 1])
    v.network(0, 42, peers, { mac, ...settings })
    v.network(1, 43, peers, { mac, ...settings })
    hosts.set(address, v)
    wire.plug(address, v)
  }
  const empty = <T>() => new Map<string, T[]>(addresses.map((a) => [a, []]))
  return { hosts, wire, queues: empty(), got: empty() }
}

/** Until nobody has anything to say and nothing is under way. `hear` may queue answers. */
function drive(w: World, hear: (address: string, s: Sent) => void = () => {}): void {
  for (let turn = 0; turn < 10_000; turn++) {
    let busy = false
    for (const [address, v] of w.hosts) {
      const batch = w.queues.get(address)!.splice(0, 20)
      busy ||= batch.length > 0
      if (batch.length > 0) w.wire.take(address, v.out(...batch))
    }
    const moved = w.wire.deliver((address, list) => {
      w.got.get(address)!.push(...list)
      for (const s of list) hear(address, s)
    })
    if (!busy && !moved) return
  }
  throw new Error('never idle')
}

function obeysTheLaw(w: World): void {
  let sent = 0
  for (const [address, v] of w.hosts) {
    const [given, told] = v.law()
    expect(told, address).toBe(given)
    expect(v.counters.datagrams, address).toBe(w.wire.arrived.get(address))
    sent += v.counters.network(0, TX_PACKETS) + v.counters.network(1, TX_PACKETS)
  }
  const { carried, lost, doubled } = w.wire.fate
  expect(carried).toBe(sent)
  expect([...w.wire.arrived.values()].reduce((a, b) => a + b)).toBe(carried - lost + doubled)
}

describe.each([
  ['IPv4', ['198.18.0.1', '198.18.0.2']],
  ['IPv6', ['fd00::1', 'fd00::2']],
  ['three hosts', ['198.18.0.1', '198.18.0.2', '198.18.0.3']],
])('%s', (_title, addresses) => {
  /** Frames of any station to any other, or to all, in both networks; each is answered by its receiver once. */
  function talk(
    w: World,
    count: number,
    worldSeed: number,
  ): Map<number, { bytes: Uint8Array; link: number; from: string }> {
    const random = generator(worldSeed)
    const said = new Map<number, { bytes: Uint8Array; link: number; from: string }>()
    const say = (host: number, station: number, to: number[] | null, link: number, tos: number): void => {
      const id = said.size + 1
      const bytes = frame([host + 1, station], to, id, 46 + (random() % 5) * 40, tos)
      const address = addresses[host]!
      said.set(id, { bytes, link, from: address })
      w.queues.get(address)!.push({ bytes, link })
    }
    for (let i = 0; i < count; i++) {
      const host = random() % addresses.length
      const other = (host + 1 + (random() % (addresses.length - 1))) % addresses.length
      const to = random() % 4 === 0 ? null : [other + 1, 1 + (random() % STATIONS)]
      say(host, 1 + (random() % STATIONS), to, random() % 2, (random() % 4) | 0xb8)
    }
    const first = count
    drive(w, (address, s) => {
      const id = idOf(s)
      const [host, station] = [s.bytes[4]!, s.bytes[5]!]
      if (id > first || addresses[host - 1] !== address) return
      say(host - 1, station, [s.bytes[10]!, s.bytes[11]!], s.link, 0)
    })
    return said
  }

  test('in good weather every frame arrives where it should, once and unchanged', () => {
    const w = world(addresses, {}, seed)
    const said = talk(w, 300, seed)
    const arrivals = new Map<number, number>()
    for (const [address, list] of w.got) {
      for (const s of list) {
        const was = said.get(idOf(s))!
        expect(text(s.bytes)).toBe(text(was.bytes))
        expect(s.link).toBe(was.link)
        expect(address).not.toBe(was.from)
        if (addresses[s.bytes[4]! - 1] === address || s.bytes[0] === GROUP) {
          arrivals.set(idOf(s), (arrivals.get(idOf(s)) ?? 0) + 1)
        }
      }
    }
    for (const [id, { bytes }] of said) {
      expect(arrivals.get(id), `frame ${id}`).toBe(bytes[0] === GROUP ? addresses.length - 1 : 1)
    }
    for (const v of w.hosts.values()) expect(v.drops()).toEqual({})
    obeysTheLaw(w)
  })

  test.each([1, 2, 3, 4, 5])('in bad weather (%i) what arrives is right, and the law holds', (n) => {
    const w = world(addresses, { loss: 0.1, twice: 0.1, late: 0.4, marked: 0.3 }, seed + n)
    const said = talk(w, 300, seed + n)
    let marked = 0
    for (const list of w.got.values()) {
      for (const s of list) {
        const was = said.get(idOf(s))!
        if (s.bytes[15] !== was.bytes[15]) marked++
        expect(s.bytes[15]! | 3).toBe(was.bytes[15]! | 3)
        // Beside the mark, and the header checksum that goes with it, nothing has changed.
        const copy = s.bytes.slice()
        copy.set([was.bytes[15]!], 15)
        copy.set(was.bytes.subarray(24, 26), 24)
        expect(text(copy)).toBe(text(was.bytes))
        expect(s.link).toBe(was.link)
      }
    }
    expect(marked).toBeGreaterThan(0)
    expect(w.wire.fate.lost).toBeGreaterThan(0)
    obeysTheLaw(w)
  })

  test('a path smaller than its interface is learned from the first refusal, and every sender hears of it', () => {
    const w = world(addresses, { mtu: 900 }, seed)
    const [one, two] = [...w.hosts.values()] as [Vtep, Vtep]
    // Both stations have spoken, so that nothing is flooded.
    w.queues.get(addresses[0]!)!.push({ bytes: frame([1, 1], [2, 1], 1, 60) }, { bytes: frame([1, 2], [2, 1], 2, 60) })
    w.queues.get(addresses[1]!)!.push({ bytes: frame([2, 1], [1, 1], 3, 60) })
    drive(w)
    w.queues
      .get(addresses[0]!)!
      .push(
        { bytes: frame([1, 1], [2, 1], 4, 1000) },
        { bytes: frame([1, 1], [2, 1], 5, 1000) },
        { bytes: frame([1, 2], [2, 1], 6, 1000) },
        { bytes: frame([1, 1], [2, 1], 7, 800) },
      )
    drive(w)
    expect(one.drops()).toEqual({ 'too-big': 3 })
    expect(w.got.get(addresses[1]!)!.map((s) => idOf(s))).toContain(7)
    expect(one.news.filter((n) => n.kind === 'mtu')).toMatchObject([{ mtu: 900 }])
    const answers = one.device.take().filter((s) => s.bytes[23] === 1 && s.bytes[34] === 3)
    expect(answers.map((s) => s.bytes[5])).toEqual([1, 1, 2])
    expect(two.drops()).toEqual({})
    obeysTheLaw(w)
  })

  test('a station that moves is found at its new place', () => {
    const w = world(addresses, {}, seed)
    const queue = (host: number, f: Uint8Array) => w.queues.get(addresses[host]!)!.push({ bytes: f })
    queue(0, frame([9, 9], null, 1, 60))
    drive(w)
    queue(1, frame([2, 1], [9, 9], 2, 60))
    drive(w)
    expect(w.got.get(addresses[0]!)!.map((s) => idOf(s))).toEqual([2])
    // It speaks behind the second host now; the first one must not keep it for its own, nor the second for remote.
    queue(1, frame([9, 9], null, 3, 60))
    drive(w)
    queue(0, frame([1, 1], [9, 9], 4, 60))
    drive(w)
    expect(w.got.get(addresses[1]!)!.map((s) => idOf(s))).toContain(4)
    for (const [address, list] of w.got) if (address !== addresses[1]) expect(list.map((s) => idOf(s))).not.toContain(4)
    obeysTheLaw(w)
  })
})
