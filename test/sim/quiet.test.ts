// Three hosts whose stations ask for each other by ARP as they move, fail over and fall silent: every question is answered by
// somebody who holds the address or held it less than a minute ago, far fewer are flooded than asked, and the law holds.
//
//   stations 02:00:00:00:s:s, address 10.42.0.s, each behind one of three hosts; VNI 42
import { describe, expect, test } from 'vitest'
import { COPIES } from '../../src/counters.ts'
import { hex } from '../support/bytes.ts'
import { generator, seed } from '../support/seed.ts'
import { VirtualWire, type Weather } from '../support/virtual-wire.ts'
import { far, Vtep } from '../support/vtep.ts'

const ADDRESSES = ['198.18.0.1', '198.18.0.2', '198.18.0.3']
const STATIONS = 12
const ROUNDS = 400
/** Milliseconds; how long an answer may be older than the truth. */
const MINUTE = 60_000
const BROADCAST = 'ffffffffffff'
const NOBODY = '000000000000'
const macOf = (station: number) => `02000000${station.toString(16).padStart(4, '0')}`
const ipOf = (station: number) => `0a2a00${station.toString(16).padStart(2, '0')}`

function arp(to: string, mac: string, op: 1 | 2, sender: string, target: [string, string]): Uint8Array {
  return hex(`${to} ${mac} 0806 0001 0800 06 04 000${op} ${mac} ${sender} ${target[0]} ${target[1]}`)
}

class World {
  readonly hosts = ADDRESSES.map((_, i) => new Vtep({ seed: seed + i }))
  readonly wire: VirtualWire
  /** By address: the MAC that has it, and behind which host; by MAC, when it lost an address. */
  readonly holder = new Map<string, string>()
  readonly place = new Map<string, number>()
  readonly lost = new Map<string, number>()
  readonly answers: { ip: string; mac: string; at: number }[] = []
  private readonly queues: Uint8Array[][] = ADDRESSES.map(() => [])
  now = 1_000_000

  constructor(weather: Weather, suppressArp: boolean) {
    this.wire = new VirtualWire(seed, weather)
    for (const [i, address] of ADDRESSES.entries()) {
      const peers = ADDRESSES.filter((a) => a !== address).map((a) => far(a))
      const mac = Uint8Array.from([0x02, 0xff, 0, 0, 0, i + 1])
      this.hosts[i]!.network(0, 42, peers, { mac, suppressArp, ageing: 300_000 })
      this.wire.plug(address, this.hosts[i]!)
    }
    for (let s = 1; s <= STATIONS; s++) {
      this.holder.set(ipOf(s), macOf(s))
      this.place.set(macOf(s), s % 3)
    }
  }

  say(mac: string, frame: Uint8Array): void {
    this.queues[this.place.get(mac)!]!.push(frame)
  }

  /** Until nobody has anything to say and nothing is under way. */
  drive(): void {
    for (const host of this.hosts) host.tables.now = this.now
    for (let turn = 0; turn < 1000; turn++) {
      let isBusy = false
      for (const [i, address] of ADDRESSES.entries()) {
        const batch = this.queues[i]!.splice(0)
        if (batch.length === 0) continue
        isBusy = true
        this.wire.take(address, this.hosts[i]!.out(...batch))
        // What the host answers, and what its other stations hear of a broadcast.
        for (const frame of [...this.hosts[i]!.device.take().map((s) => s.bytes), ...batch]) this.hear(i, frame)
      }
      const moved = this.wire.deliver((address, list) => {
        for (const s of list) this.hear(ADDRESSES.indexOf(address), s.bytes)
      })
      if (!isBusy && !moved) return
    }
    throw new Error('never idle')
  }

  // A frame on the segment of host i: stations there take what is theirs.
  private hear(i: number, frame: Uint8Array): void {
    const text = Buffer.from(frame).toString('hex')
    const [to, op] = [text.slice(0, 12), text.slice(40, 44)]
    const [senderMac, senderIp, targetIp] = [text.slice(44, 56), text.slice(56, 64), text.slice(76, 84)]
    if (op === '0002') {
      if (this.place.get(to) === i) this.answers.push({ ip: senderIp, mac: senderMac, at: this.now })
      return
    }
    const owner = this.holder.get(targetIp)
    if (senderIp === targetIp || owner === undefined || this.place.get(owner) !== i) return
    if (to === BROADCAST || to === owner) this.say(owner, arp(senderMac, owner, 2, targetIp, [senderMac, senderIp]))
  }

  isLawful(): void {
    for (const [i, v] of this.hosts.entries()) {
      const [given, told] = v.law()
      expect(told, ADDRESSES[i]).toBe(given)
    }
  }
}

/** Asks, moves and fails over at random; answers how many asked, how many of them heard somebody. */
function live(w: World, weather: Weather, random: () => number): { asked: number; heard: number } {
  let asked = 0
  let heard = 0
  for (let round = 0; round < ROUNDS; round++) {
    w.now += 50 + (random() % 3000)
    const s = 1 + (random() % STATIONS)
    const kind = random() % 40
    const mac = w.holder.get(ipOf(s))!
    if (kind === 0) {
      // It moves to another host, and says so as a live migration does.
      w.place.set(mac, random() % 3)
      w.say(mac, arp(BROADCAST, mac, 1, ipOf(s), [NOBODY, ipOf(s)]))
    } else if (kind === 1 || kind === 2) {
      // Its address goes to another station, behind any host: with a word (gratuitous ARP) or without.
      const next = macOf(100 + round)
      w.lost.set(`${ipOf(s)} ${mac}`, w.now)
      w.holder.set(ipOf(s), next)
      w.place.set(next, random() % 3)
      if (kind === 1) w.say(next, arp(BROADCAST, next, 1, ipOf(s), [NOBODY, ipOf(s)]))
    } else {
      const other = 1 + ((s + (random() % (STATIONS - 1))) % STATIONS)
      if (other === s) continue
      const before = w.answers.length
      w.say(mac, arp(BROADCAST, mac, 1, ipOf(s), [NOBODY, ipOf(other)]))
      w.drive()
      asked++
      const mine = w.answers.slice(before).filter((a) => a.ip === ipOf(other))
      if (mine.length > 0) heard++
      for (const a of mine) {
        if (a.mac === w.holder.get(a.ip)) continue
        expect(a.at - w.lost.get(`${a.ip} ${a.mac}`)!, `${a.ip} by ${a.mac}`).toBeLessThan(MINUTE)
      }
      if (!weather.loss) expect(mine.length, `round ${round}`).toBeGreaterThan(0)
      continue
    }
    w.drive()
  }
  return { asked, heard }
}

describe.each([
  ['good', {}],
  ['bad', { loss: 0.05, twice: 0.1, late: 0.3 }],
] as [string, Weather][])('in %s weather', (_title, weather) => {
  test('every question finds the holder or a holder of the last minute, and most are not flooded', () => {
    const quiet = new World(weather, true)
    const { asked, heard } = live(quiet, weather, generator(seed))
    expect(heard / asked).toBeGreaterThan(0.8)
    const answered = quiet.hosts.reduce((n, v) => n + (v.drops()['answered-here'] ?? 0), 0)
    expect(answered).toBeGreaterThan(asked / 4)
    quiet.isLawful()
    const loud = new World(weather, false)
    live(loud, weather, generator(seed))
    const copies = (w: World) => w.hosts.reduce((n, v) => n + v.counters.network(0, COPIES), 0)
    expect(copies(quiet)).toBeLessThan(copies(loud))
    loud.isLawful()
  })
})
