// Agents that lease subnets from one store: days in a moment, calls that are lost on their way, watches that lag. At every moment no
// two agents believe to hold what overlaps, and nobody writes what is another's.
import { describe, expect, test } from 'vitest'
import { NO_LEASE, StoreError } from '../../src/control/etcd/kv.ts'
import { parseKey } from '../../src/control/flannel/lease.ts'
import { type Action, LeaseKeeper, type Outcome } from '../../src/control/flannel/lease-keeper.ts'
import { LeaseTable } from '../../src/control/flannel/lease-table.ts'
import type { Identity } from '../../src/control/flannel/model.ts'
import { DUAL, flanneldValue, identity, storeConfig, VXLAN } from '../support/flannel.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { generator, seed } from '../support/seed.ts'

const DIRECTORY = '/net/subnets/'
const HOUR = 3_600_000

interface Faults {
  /** Of a hundred calls: lost before they are done, and after. */
  readonly lost: number
  readonly unanswered: number
  /** A watch is this far behind, ms. */
  readonly lag: number
}

const NONE: Faults = { lost: 0, unanswered: 0, lag: 0 }

class World {
  readonly store = new MemoryStore()
  readonly hosts: Host[] = []
  faults = NONE
  now = 0
  readonly random: () => number

  constructor(start: number = seed) {
    const next = generator(start)
    this.random = () => next() / 2 ** 32
  }

  host(n: number, more: Partial<Identity> = {}, previous: string | null = null, config: string = VXLAN): Host {
    const host = new Host(this, identity(n, more), previous, config)
    this.hosts.push(host)
    return host
  }

  /** Lets `ms` pass, in steps. */
  run(ms: number, step = 100): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += step
      this.store.advance(this.now)
      for (const host of this.hosts) host.turn()
      this.law()
    }
  }

  private law(): void {
    const held = this.hosts.map((host) => host.key).filter((key) => key !== null)
    const isClones = new Set(this.hosts.map((host) => host.who.node)).size < this.hosts.length
    if (!isClones && this.faults.lag === 0) expect(new Set(held).size).toBe(held.length)
  }
}

class Host {
  readonly table = new LeaseTable(DIRECTORY)
  readonly notes: string[] = []
  readonly keeper: LeaseKeeper
  readonly who: Identity
  private readonly world: World
  private seen = 0
  isAway = false

  constructor(world: World, who: Identity, previous: string | null, config: string) {
    this.world = world
    this.who = who
    this.keeper = new LeaseKeeper({
      ttlSec: 86400,
      marginSec: 3600,
      instance: String(world.random()),
      previous: previous === null ? null : parseKey(previous),
      random: world.random,
    })
    this.keeper.setConfig(storeConfig(config))
    this.keeper.setIdentity(who)
    this.table.replace(world.store.list(DIRECTORY))
    this.seen = world.store.history.length
  }

  get key(): string | null {
    return this.keeper.own(this.world.now, this.world.now)?.key ?? null
  }

  get entry() {
    return this.key === null ? null : this.world.store.get(DIRECTORY + this.key)
  }

  turn(): void {
    if (!this.isAway && this.world.random() * this.world.faults.lag < 100) this.watch()
    for (let i = 0; i < 20; i++) {
      const action = this.keeper.poll(this.world.now, this.table)
      if (!action) break
      this.keeper.handle(this.world.now, this.perform(action), this.table)
      if (this.world.faults.lag === 0 && !this.isAway) this.watch()
    }
    this.notes.push(...this.keeper.takeNotes().map((note) => note.text))
  }

  private watch(): void {
    const { history, revision } = this.world.store
    this.table.change(
      history.slice(this.seen).filter(({ key }) => key.startsWith(DIRECTORY)),
      revision,
    )
    this.seen = history.length
  }

  private perform(action: Action): Outcome {
    const { store, faults, random } = this.world
    const failed: Outcome = { is: 'failed', error: new StoreError('away', 'no answer in time') }
    if (this.isAway || random() * 100 < faults.lost) return failed
    const outcome = this.done(action, store)
    return random() * 100 < faults.unanswered ? failed : outcome
  }

  private done(action: Action, store: MemoryStore): Outcome {
    if (action.do === 'ask') return { is: 'told', ttlSec: store.timeToLive(action.lease) }
    const key = DIRECTORY + action.key
    if (action.do === 'remove') {
      return { is: 'committed', committed: store.commit({ key, expect: action.expect, put: null }), ttlSec: null }
    }
    const lease = action.ttlSec === null ? NO_LEASE : store.grant(action.ttlSec)
    const committed = store.commit({ key, expect: action.expect, put: { value: action.value, lease } })
    return { is: 'committed', committed, ttlSec: action.ttlSec }
  }
}

describe('a lease', () => {
  test('is renewed once a day, for weeks, and never changes hands', () => {
    const world = new World()
    const all = [1, 2, 3].map((n) => world.host(n))
    world.run(1000)
    const keys = all.map((host) => host.key)
    world.run(14 * 24 * HOUR, 60_000)
    expect(all.map((host) => host.key)).toEqual(keys)
    // 336 hours at one renewal in 23.
    expect(world.store.writes).toBe(3 * (1 + 14))
  })

  test('ends a day after its agent', () => {
    const world = new World()
    const host = world.host(1)
    world.run(1000)
    world.hosts.pop()
    world.run(24 * HOUR - 60_000, 60_000)
    expect(host.entry).not.toBeNull()
    world.run(120_000, 60_000)
    expect(host.entry).toBeNull()
  })

  test('that ended while the store was away is taken again, unless another has it', () => {
    const world = new World()
    const [a, b] = [world.host(1), world.host(2)]
    world.run(1000)
    const [keyA, keyB] = [a.key!, b.key!]
    a.isAway = true
    b.isAway = true
    world.run(25 * HOUR, 60_000)
    expect([a.key, b.key]).toEqual([keyA, keyB])
    world.store.put(DIRECTORY + keyB, flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    a.isAway = false
    b.isAway = false
    world.run(60_000)
    expect(a.key).toBe(keyA)
    expect(b.key).not.toBeNull()
    expect(b.key).not.toBe(keyB)
    expect(world.store.get(DIRECTORY + keyB)!.value).toContain('198.18.0.9')
  })

  test('is found beside one that has the whole network, which is no subnet', () => {
    const world = new World()
    world.store.put(`${DIRECTORY}0.0.0.0-0`, flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    const host = world.host(1)
    world.run(1000)
    const { key } = host
    expect(key).not.toBeNull()
    world.run(60_000)
    expect(host.key).toBe(key)
  })

  test('that an operator deletes again and again is there again within 15 s, without a storm', () => {
    const world = new World()
    const host = world.host(1)
    world.run(1000)
    const key = host.key!
    for (let i = 0; i < 50; i++) {
      world.store.remove(DIRECTORY + key)
      world.run(15_000)
      expect(host.key).toBe(key)
    }
    expect(world.store.writes).toBe(51)
  })

  test('that somebody spoils again and again is mended, ever more slowly', () => {
    const world = new World()
    const host = world.host(1)
    world.run(1000)
    for (let i = 0; i < 600; i++) {
      if (host.entry?.value !== 'x') world.store.put(DIRECTORY + host.key, 'x')
      world.run(100)
    }
    const mended = world.store.writes / 2
    expect(mended).toBeGreaterThan(5)
    expect(mended).toBeLessThan(25)
    world.run(10_000)
    expect(host.entry!.value).toContain('198.18.0.1')
  })

  test('that is a reservation stays one', () => {
    const world = new World()
    world.store.put(`${DIRECTORY}10.42.7.0-24`, flanneldValue('198.18.0.1', '02:00:00:00:00:77'))
    const host = world.host(1)
    world.run(1000)
    expect(host.key).toBe('10.42.7.0-24')
    expect(host.entry).toMatchObject({ lease: NO_LEASE })
    expect(host.entry!.value).toContain('02:00:00:00:00:01')
    host.keeper.setIdentity(identity(1, { publicIp: '198.18.0.100' }))
    world.run(48 * HOUR, 60_000)
    expect(host.entry).toMatchObject({ lease: NO_LEASE, modRevision: 4 })
    expect(host.entry!.value).toContain('198.18.0.100')
    expect(host.keeper.release).toBeNull()
  })

  test('says another key once the store has it, and not before', () => {
    const world = new World()
    const host = world.host(1)
    world.run(1000)
    expect(host.keeper.isPublished).toBe(true)
    host.isAway = true
    host.keeper.setIdentity({ ...host.who, publicIp: '198.18.0.101' })
    expect(host.keeper.isPublished).toBe(false)
    world.run(60_000)
    expect(host.keeper.isPublished).toBe(false)
    host.isAway = false
    // Done, and the answer lost: it is seen there all the same.
    world.faults = { lost: 0, unanswered: 100, lag: 0 }
    world.run(30_000)
    expect(host.keeper.isPublished).toBe(true)
    expect(host.entry!.value).toContain('198.18.0.101')
  })

  test('of two clones is written at starts and renewals alone', () => {
    const world = new World()
    const all = [world.host(1), world.host(1)]
    world.run(1000)
    expect(all[0]!.key).toBe(all[1]!.key)
    const started = world.store.writes
    expect(started).toBeLessThanOrEqual(2)
    world.run(7 * 24 * HOUR, 60_000)
    expect(world.store.writes - started).toBeLessThanOrEqual(2 * 8)
    for (const host of all) {
      expect(host.key).toBe(all[0]!.key)
      expect(host.notes.filter((note) => note.includes('another agent')).length).toBeLessThanOrEqual(1)
    }
    expect(all.flatMap((host) => host.notes).join()).toContain('another agent calls itself node host-1')
  })

  test('of clones that do not agree on their MAC is no battle either', () => {
    const world = new World()
    world.host(1)
    world.host(1, { vtepMac: '02:00:00:00:00:99' })
    world.run(10 * 60_000)
    expect(world.store.writes).toBeLessThanOrEqual(3)
  })

  test('moves into a network that has changed, and gives the old one back', () => {
    const world = new World()
    const host = world.host(1)
    world.run(1000)
    const key = host.key!
    host.keeper.setConfig(storeConfig(DUAL))
    world.run(1000)
    expect(host.key!.split('&')[0]).toBe(key)
    expect(host.key).toContain('&fd00:42:')
    expect(world.store.get(DIRECTORY + key)).toBeNull()
    host.keeper.setConfig(storeConfig('{"Network":"10.43.0.0/16","Backend":{"Type":"host-gw"}}'))
    world.run(1000)
    expect(host.key).toMatch(/^10\.43\.\d+\.0-24$/)
    expect(world.store.list(DIRECTORY).entries).toHaveLength(1)
  })

  test('of ours from before that is outside the network is given back, and another taken', () => {
    const world = new World()
    world.store.put(
      `${DIRECTORY}10.99.3.0-24`,
      flanneldValue('198.18.0.1', '02:00:00:00:00:01'),
      world.store.grant(86400),
    )
    const host = world.host(1, {}, '10.99.3.0-24')
    world.run(1000)
    expect(host.key).toMatch(/^10\.42\./)
    expect(world.store.list(DIRECTORY).entries).toHaveLength(1)
  })

  test('with an IPv6 subnet that another chose at the same moment is given up by the younger', () => {
    const world = new World()
    const six = 'fd00:42:0:9::-64'
    const first = world.host(1, {}, `10.42.3.0-24&${six}`, DUAL)
    const second = world.host(2, {}, `10.42.4.0-24&${six}`, DUAL)
    // Neither hears of the other before both have written.
    world.faults = { ...NONE, lag: 1e9 }
    world.run(1000)
    expect(world.store.list(DIRECTORY).entries.map(({ key }) => key.slice(DIRECTORY.length))).toEqual([
      `10.42.3.0-24&${six}`,
      `10.42.4.0-24&${six}`,
    ])
    expect([first.key, second.key]).toEqual([null, null])
    world.faults = NONE
    world.run(1000)
    expect(first.key).toBe(`10.42.3.0-24&${six}`)
    expect(second.key).toMatch(/^10\.42\.4\.0-24&fd00:42:/)
    expect(second.key).not.toContain(six)
    expect(world.store.list(DIRECTORY).entries).toHaveLength(2)
  })
})

describe('whatever goes wrong on the way', () => {
  test.each([0, 1, 2, 3])('everybody has a subnet in the end, and one only (%#)', (round) => {
    const world = new World(seed + round)
    world.faults = { lost: 20, unanswered: 20, lag: 400 }
    const all = Array.from({ length: 25 }, (_, i) => world.host(i + 1))
    for (let i = 0; i < 60; i++) {
      const host = all[Math.floor(world.random() * all.length)]!
      const dice = world.random()
      if (dice < 0.3) host.isAway = !host.isAway
      else if (dice < 0.6 && host.key !== null) world.store.remove(DIRECTORY + host.key)
      else if (dice < 0.8)
        host.keeper.setIdentity({ ...host.who, vtepMac: `02:00:00:00:01:${i.toString(16).padStart(2, '0')}` })
      world.run(1000)
    }
    world.faults = NONE
    for (const host of all) host.isAway = false
    world.run(60_000)
    const keys = all.map((host) => host.key)
    expect(keys).not.toContain(null)
    expect(new Set(keys).size).toBe(all.length)
    for (const host of all) expect(host.entry!.value).toContain(`"PublicIP":"${host.who.publicIp}"`)
    expect(world.store.list(DIRECTORY).entries).toHaveLength(all.length)
  })
})
