// Control's orders, and what they do to the data thread's tables and to native.
import { describe, expect, test } from 'vitest'
import { FDB_ENTRIES, VTEP_MTU, VTEP_RX_BYTES } from '../../../src/counters.ts'
import type { Far, FdbRow } from '../../../src/datapath/mailbox.ts'
import { NONE } from '../../../src/drop.ts'
import { ANY } from '../../../src/overlay/networks.ts'
import { hex } from '../../support/bytes.ts'
import { far, SETTINGS, Vtep, words } from '../../support/vtep.ts'

const A = far('198.18.0.2')
const B = far('198.18.0.3')
const MAC = hex('020000000007')

function setPeers(
  v: Vtep,
  peers: readonly Far[],
  statics: readonly { mac: Uint8Array; peer: number }[] = [],
): number[] {
  return v.tables.handle({ kind: 'set-peers', id: 0, peers, statics }) as number[]
}
const rows = (v: Vtep, id = 0): FdbRow[] => v.tables.handle({ kind: 'fdb-list', id }) as FdbRow[]
const stranger = (v: Vtep, address: string): number => {
  const [a, b, c, d] = words(address) as [number, number, number, number]
  return v.tables.addStranger(v.tables.networks.at(0)!, a, b, c, d)
}

describe('peers', () => {
  test('get an endpoint in native and a path MTU; those that stay keep their id', () => {
    const v = new Vtep()
    const [a, b] = v.network(0, 42, [A, far('198.18.0.3', { mtu: 1400, pool: 2 })])
    expect(v.native.endpoints.get(b!)).toEqual({ address: '198.18.0.3', port: 4789, pool: 2 })
    expect(v.counters.vtep(b!, VTEP_MTU)).toBe(1400)
    const again = setPeers(v, [B, far('198.18.0.9'), A])
    expect([again[0], again[2]]).toEqual([b, a])
    expect([...v.tables.networks.at(0)!.flood]).toEqual(again)
    expect(v.counters.vtep(b!, VTEP_MTU)).toBe(1500)
  })

  test('that go take along stations, routes, flood and endpoint', () => {
    const v = new Vtep()
    const prefixes = [{ words: [0x0a000000, 0, 0, 0], v6: false, length: 8 }]
    const [a, b] = v.network(0, 42, [far('198.18.0.2', { prefixes }), B])
    const network = v.tables.networks.at(0)!
    network.fdb.learn(0x0200, 1, a!, 0)
    network.fdb.learn(0x0200, 2, b!, 0)
    expect(network.routes.find4(0x0a000001)).toBe(a)
    setPeers(v, [B])
    expect([network.fdb.find(0x0200, 1), network.fdb.find(0x0200, 2)]).toEqual([NONE, b])
    expect(network.routes.find4(0x0a000001)).toBe(NONE)
    expect([...network.flood]).toEqual([b])
    expect([...v.native.endpoints.keys()]).toEqual([b])
    expect(v.counters.network(0, FDB_ENTRIES)).toBe(1)
  })

  test('change one at a time: the others are not touched, and a subnet may move from one to the other', () => {
    const v = new Vtep()
    const net = (third: number) => [{ words: [0x0a050000 | (third << 8), 0, 0, 0], v6: false, length: 24 }]
    const peer = (address: string, third: number) => far(address, { prefixes: net(third) })
    const change = (peers: readonly Far[], gone: readonly number[] = []) =>
      v.tables.handle({ kind: 'change-peers', id: 0, peers, gone }) as number[]
    v.network(0, 42, [], {}, false)
    const [a, b, c] = change([peer('198.18.0.2', 2), peer('198.18.0.3', 3), peer('198.18.0.4', 4)])
    const { routes } = v.tables.networks.at(0)!
    const leads = (third: number) => routes.find4(0x0a050001 | (third << 8))
    expect([2, 3, 4].map(leads)).toEqual([a, b, c])
    // 2 and 3 change places, 4 goes and its subnet comes back with another host.
    const [a2, b2, d] = change([peer('198.18.0.2', 3), peer('198.18.0.3', 2), peer('198.18.0.5', 4)], [c!])
    expect([a2, b2]).toEqual([a, b])
    expect([2, 3, 4, 5].map(leads)).toEqual([b, a, d, NONE])
    expect([...v.native.endpoints.keys()].sort()).toEqual([a, b, d].sort())
    change([], [a!, b!, d!])
    expect(routes.size).toBe(0)
    expect(v.native.endpoints.size).toBe(0)
  })

  test('an id that comes back counts from zero, for a peer and for a stranger', () => {
    const v = new Vtep()
    const [a] = v.network(0, 42, [A], { accept: ANY })
    v.counters.addVtep(a!, VTEP_RX_BYTES, 5000)
    setPeers(v, [])
    // Ids are given out in turn: go round until this one is next.
    let id = stranger(v, '203.0.113.1')
    while (id !== a) {
      v.tables.vteps.remove(id)
      id = stranger(v, '203.0.113.1')
    }
    expect(v.counters.vtep(id, VTEP_RX_BYTES)).toBe(0)
  })

  test('a MAC that is configured is written to; without it the learned one, broadcast at first', () => {
    const v = new Vtep()
    const { macHi, macLo, macFixed } = v.tables.vteps
    const [a] = v.network(0, 42, [far('198.18.0.2', { mac: MAC })], {}, false)
    expect([macHi[a!], macLo[a!], macFixed[a!]]).toEqual([0x0200, 7, 1])
    setPeers(v, [A])
    expect([macHi[a!], macLo[a!], macFixed[a!]]).toEqual([0xffff, -1, 0])
  })
})

describe('static entries', () => {
  test('of the configuration are replaced by its next; those added by hand stay', () => {
    const v = new Vtep()
    const [a, b] = v.network(0, 42, [A, B])
    setPeers(v, [A, B], [{ mac: MAC, peer: 0 }])
    expect(v.tables.handle({ kind: 'fdb-add', id: 0, mac: hex('020000000008'), vtep: b! })).toBe(true)
    setPeers(v, [A, B], [{ mac: hex('020000000009'), peer: 1 }])
    expect(
      rows(v)
        .map((r) => [r.mac[5], r.vtep, r.isStatic])
        .sort(),
    ).toEqual([
      [8, b, true],
      [9, b, true],
    ])
    expect(v.tables.handle({ kind: 'fdb-del', id: 0, mac: hex('020000000008') })).toBe(true)
    expect(v.tables.handle({ kind: 'fdb-del', id: 0, mac: hex('020000000008') })).toBe(false)
    expect(a).not.toBe(b)
  })

  test('of a peer that is no more, or of another network, are not written', () => {
    const v = new Vtep()
    v.network(0, 42, [A])
    const [other] = v.network(1, 43, [B])
    expect(v.tables.handle({ kind: 'fdb-add', id: 0, mac: MAC, vtep: other! })).toBe(false)
    expect(v.tables.handle({ kind: 'fdb-add', id: 0, mac: MAC, vtep: 999 })).toBe(false)
    setPeers(v, [A], [{ mac: MAC, peer: 5 }])
    expect(rows(v)).toEqual([])
  })

  test('lists say address, age and origin', () => {
    const v = new Vtep()
    const [a] = v.network(0, 42, [A])
    v.tables.networks.at(0)!.fdb.learn(0x0200, 7, a!, 0)
    v.tables.now = 1250
    expect(rows(v)).toEqual([{ mac: MAC, vtep: a, words: words('198.18.0.2'), isStatic: false, ageMs: 1200 }])
  })
})

describe('networks', () => {
  test('settings change live; without learning what was learned goes', () => {
    const v = new Vtep()
    const [a] = v.network(0, 42, [A])
    const network = v.tables.networks.at(0)!
    network.fdb.learn(0x0200, 1, a!, 0)
    network.fdb.put(0x0200, 2, a!, 0)
    v.tables.handle({ kind: 'set-network', id: 0, settings: { ...SETTINGS, learning: false, mac: MAC, dscp: 8 } })
    expect(network).toMatchObject({ learning: false, macHi: 0x0200, macLo: 7, dscp: 8 })
    expect(rows(v).map((r) => r.mac[5])).toEqual([2])
  })

  test('that go free their ids, endpoints and counters; what is asked of them later is refused', () => {
    const v = new Vtep()
    v.network(0, 42, [A, B], { accept: ANY })
    const [kept] = v.network(1, 43, [A])
    stranger(v, '203.0.113.1')
    v.tables.handle({ kind: 'remove-network', id: 0 })
    expect([...v.native.endpoints.keys()]).toEqual([kept])
    expect(v.tables.vteps.strangers).toBe(0)
    expect(v.tables.networks.byVni(42)).toBeUndefined()
    expect(rows(v)).toEqual([])
    expect(v.tables.handle({ kind: 'neighbour-list', id: 0 })).toEqual([])
    expect(() => v.tables.handle({ kind: 'capture', id: 0, on: true })).toThrow('no network with id 0')
    expect(() => v.tables.handle({ kind: 'remove-network', id: 0 })).toThrow('no network with id 0')
  })

  test('stations age in the time of the batch', () => {
    const v = new Vtep()
    const [a] = v.network(0, 42, [A], { ageing: 1000 })
    v.tables.networks.at(0)!.fdb.learn(0x0200, 1, a!, v.tables.tick)
    v.tables.now = 999
    v.tables.expire()
    expect(v.tables.networks.at(0)!.fdb.size).toBe(1)
    v.tables.now = 1000
    v.tables.expire()
    expect(v.counters.network(0, FDB_ENTRIES)).toBe(0)
  })
})

describe('strangers', () => {
  test('become peers when the configuration names them, and go when it no longer lets them in', () => {
    const v = new Vtep()
    v.network(0, 42, [], { accept: ANY })
    const [one, two] = [stranger(v, '198.18.0.2'), stranger(v, 'fd00::7')]
    const { fdb } = v.tables.networks.at(0)!
    for (const id of [one, two]) fdb.learn(0x0200, id!, id!, 0)
    // As a reload orders it: first the settings, and one that is a peer from now on is heard all the while.
    v.tables.handle({ kind: 'set-network', id: 0, settings: SETTINGS })
    expect(v.tables.vteps.strangers).toBe(2)
    expect(setPeers(v, [A])).toEqual([one])
    expect(v.tables.vteps.strangers).toBe(0)
    expect([...v.native.endpoints.keys()]).toEqual([one])
    expect(rows(v).map((row) => row.vtep)).toEqual([one])
    expect(two).not.toBe(one)
  })

  test('are written to by family, at the port of the network, and their path is asked for', () => {
    const v = new Vtep()
    v.network(0, 42, [], { accept: ANY })
    v.tables.handle({ kind: 'set-strangers', id: 0, port: 8472, pool4: 4, pool6: 6 })
    v.native.mtus.set('fd00::7', 1280)
    const [four, six] = [stranger(v, '203.0.113.1'), stranger(v, 'fd00::7')]
    expect(v.native.endpoints.get(four)).toEqual({ address: '203.0.113.1', port: 8472, pool: 4 })
    expect(v.native.endpoints.get(six)).toEqual({ address: 'fd00::7', port: 8472, pool: 6 })
    expect([v.tables.vteps.mtu[four], v.tables.vteps.mtu[six]]).toEqual([0, 1280])
  })

  // They were answered by sockets that their network had not named yet, or no longer has.
  test('that spoke before are written to by the sockets and the port that the network names next', () => {
    const v = new Vtep()
    v.network(0, 42, [], { accept: ANY })
    v.network(1, 43, [], { accept: ANY })
    const early = stranger(v, '203.0.113.1')
    const other = v.tables.addStranger(v.tables.networks.at(1)!, 0, 0, 0xffff, 7)
    const before = v.native.endpoints.get(other)
    for (const [port, pool4] of [
      [8472, 4],
      [4789, 9],
    ] as const) {
      v.tables.handle({ kind: 'set-strangers', id: 0, port, pool4, pool6: 6 })
      expect(v.native.endpoints.get(early)).toEqual({ address: '203.0.113.1', port, pool: pool4 })
    }
    expect(v.native.endpoints.get(other)).toEqual(before)
  })

  test('with no station behind them go after a while, those with one stay', () => {
    const v = new Vtep()
    v.network(0, 42, [], { accept: ANY })
    const [one, two] = [stranger(v, '203.0.113.1'), stranger(v, '203.0.113.2')]
    v.tables.networks.at(0)!.fdb.learn(0x0200, 1, two, 0)
    for (let i = 0; i < 10; i++) v.tables.expire()
    expect([...v.native.endpoints.keys()]).toEqual([two])
    expect(one).not.toBe(two)
  })

  test('leave half of the ids to peers', () => {
    const v = new Vtep()
    v.network(0, 42, [], { accept: ANY })
    const network = v.tables.networks.at(0)!
    let given = 0
    while (v.tables.addStranger(network, 0, 0, 0xffff, given) !== NONE) given++
    expect(given).toBe(v.tables.vteps.capacity / 2)
    expect(setPeers(v, [A])[0]).toBeGreaterThanOrEqual(0)
  })
})

test('a path MTU that has changed is news, one that is unknown or the same is not', () => {
  const v = new Vtep()
  const [a] = v.network(0, 42, [A])
  v.tables.learnMtu(a!)
  v.native.mtus.set('198.18.0.2', 1500)
  v.tables.learnMtu(a!)
  expect(v.news).toEqual([])
  v.native.mtus.set('198.18.0.2', 1400)
  v.tables.learnMtu(a!)
  v.tables.learnMtu(a!)
  expect(v.news).toEqual([{ kind: 'mtu', vtep: a, mtu: 1400 }])
  expect(v.tables.vteps.mtu[a!]).toBe(1400)
  v.tables.learnMtu(9999)
})

test('every path is asked for again now and then, a few at a time: peers and strangers', () => {
  const v = new Vtep()
  const peers = Array.from({ length: 99 }, (_, k) => far(`198.18.1.${k + 1}`, { mtu: 1300 }))
  v.network(0, 42, peers, { accept: ANY })
  const late = stranger(v, '203.0.113.1')
  v.tables.networks.at(0)!.fdb.learn(0x0200, 1, late, 0)
  for (let k = 1; k <= 99; k++) v.native.mtus.set(`198.18.1.${k}`, 1500)
  v.native.mtus.set('203.0.113.1', 1400)
  const wide = (): number => v.tables.vteps.mtu.filter((mtu) => mtu > 1300).length
  for (let round = 1; round < 10; round++) v.tables.expire()
  expect(wide()).toBe(0)
  v.tables.expire()
  expect(wide()).toBe(64)
  for (let round = 1; round <= 10; round++) v.tables.expire()
  expect(wide()).toBe(100)
  expect(v.tables.vteps.mtu[late]).toBe(1400)
})

test('devices, sockets and pools are passed on to native', () => {
  const v = new Vtep()
  const device = { layer2: true, tcp: true, udp: false, mtu: 1450, pad: 0 }
  v.tables.handle({ kind: 'set-device', id: 1, fd: 10, ...device })
  v.tables.handle({ kind: 'set-socket', id: 3, fd: 11, port: 8472 })
  v.tables.handle({ kind: 'set-pool', id: 2, fds: [12, 13], gso: true, maxSegments: 64 })
  expect(v.tables.ports[3]).toBe(8472)
  v.tables.handle({ kind: 'remove-socket', id: 3 })
  v.tables.handle({ kind: 'remove-pool', id: 2 })
  v.tables.handle({ kind: 'remove-device', id: 1 })
  expect(v.tables.ports[3]).toBe(0)
  expect(v.native.calls).toEqual([
    'setDevice 1 10',
    'setSocket 3 11',
    'setPool 2 12,13',
    'clearSocket 3',
    'clearPool 2',
    'clearDevice 1',
  ])
})
