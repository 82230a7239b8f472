// Members that come from the store, placed in the data thread's tables: only what changes is told.
import { expect, test } from 'vitest'
import type { NetworkConfig, PeerConfig } from '../../../src/control/config/model.ts'
import { farBehind, far as farOf } from '../../../src/control/far.ts'
import { Members } from '../../../src/control/members.ts'
import type { Mailbox, Order } from '../../../src/datapath/mailbox.ts'
import { NONE } from '../../../src/drop.ts'
import { KEY_B, KEY_C } from '../../support/config.ts'
import { Vtep } from '../../support/vtep.ts'

const NETWORK = { name: 'pods', security: 'plain', device: 'tun' } as NetworkConfig

function member(third: number, host: string, mac = '02:00:00:00:00:02'): PeerConfig {
  const allowedIps = [`10.42.${third}.0/24`]
  return {
    name: `10.42.${third}.0-24`,
    endpoint: { host, port: null },
    publicKey: null,
    presharedKey: null,
    keepaliveSec: 0,
    type: 'vtepd',
    networks: [{ network: 'pods', allowedIps, mac }],
  }
}
const NO_KEYS = { call: () => {}, isUp: () => false }
const host = (n: number): string => `198.18.0.${n}`
const named = (...all: PeerConfig[]): Map<string, PeerConfig> => new Map(all.map((peer) => [peer.name, peer]))

function plain(pool = 0) {
  const v = new Vtep()
  v.network(0, 42, [], {}, false)
  const orders: (Order & { kind: 'change-peers' })[] = []
  const mailbox = {
    ask: async (order: Order) => {
      orders.push(order as Order & { kind: 'change-peers' })
      return v.tables.handle(order)
    },
  } as unknown as Mailbox
  const members = new Members({
    mailbox,
    far: async (peer) => {
      const address = peer.endpoint!.host
      if (address.startsWith('203.')) return null
      return { far: farOf(peer, NETWORK, address, 8472, pool), address, port: 8472 }
    },
    release: async () => {},
    ...NO_KEYS,
  })
  const apply = (wanted: Map<string, PeerConfig>, all = false) => members.apply(0, NETWORK, wanted, { all, now: 0 })
  const { routes } = v.tables.networks.at(0)!
  const leads = (third: number): string | null => {
    const vtep = routes.find4(0x0a2a0001 | (third << 8))
    return vtep === NONE ? null : (members.at(vtep)?.address ?? 'nobody')
  }
  return { v, members, orders, apply, leads }
}

test('what has not changed is not said again; what has is one order', async () => {
  const { members, orders, apply, leads } = plain()
  const all = Array.from({ length: 50 }, (_, k) => member(k, host(k)))
  expect(await apply(named(...all))).toBe(true)
  expect(orders.map((o) => o.peers.length)).toEqual([50])
  expect(await apply(named(...all))).toBe(false)
  expect(orders).toHaveLength(1)
  const moved = member(7, host(77))
  expect(await apply(named(...all.filter((p) => p !== all[7]), moved))).toBe(true)
  expect(orders.slice(1).map((o) => [o.peers.length, o.gone.length])).toEqual([
    [1, 0],
    [0, 1],
  ])
  expect([leads(7), leads(8), leads(50)]).toEqual([host(77), host(8), null])
  expect(members.complete).toBe(true)
})

test('each lease of one host is written to by the MAC that it names, and may speak for the others', async () => {
  const { v, members, apply, leads } = plain()
  const { vteps, networks } = v.tables
  const macOf = (third: number): number => vteps.macLo[networks.at(0)!.routes.find4(0x0a2a0001 | (third << 8))]!
  const old = member(1, host(2), '02:00:00:00:00:01')
  const now = member(2, host(2), '02:00:00:00:00:02')
  const beside = member(3, host(2), '02:00:00:00:00:02')
  await apply(named(old))
  await apply(named(old, now, beside))
  expect([leads(1), leads(2), leads(3)]).toEqual([host(2), host(2), host(2)])
  expect([macOf(1), macOf(2), macOf(3)]).toEqual([1, 2, 2])
  const found = (): number => vteps.find(0, 0, 0, 0xffff, 0xc6120002 | 0)
  expect(members.at(found())?.peer.name).toBe(old.name)
  await apply(named(now, beside))
  expect(members.at(found())?.peer.name).toBe(beside.name)
  expect([leads(1), leads(2), macOf(3)]).toEqual([null, host(2), 2])
  // A host that has another MAC now.
  await apply(named(member(2, host(2), '02:00:00:00:00:09'), beside))
  expect([macOf(2), macOf(3)]).toEqual([9, 2])
  await apply(named())
  expect(found()).toBe(NONE)
  expect(v.native.endpoints.size).toBe(0)
})

test('routes follow by difference; a lasting lack of a place, and a new beginning, want them all', async () => {
  const { members, apply } = plain()
  const said: unknown[] = []
  const device = {
    setRoutes: (prefixes: readonly string[]) => said.push({ all: [...prefixes].sort() }),
    changeRoutes: (put: readonly string[], drop: readonly string[]) => said.push({ put, drop }),
  }
  const route = async (all: boolean, ...peers: PeerConfig[]): Promise<unknown> => {
    await apply(named(...peers), all)
    members.route(device, { ...NETWORK, routes: true }, all, 0)
    return said.at(-1)
  }
  const [one, two, three] = ['10.42.1.0/24', '10.42.2.0/24', '10.42.3.0/24']
  expect(await route(true, member(1, host(1)), member(2, host(2)))).toEqual({ all: [one, two] })
  expect(await route(false, member(1, host(1), '02:00:00:00:00:09'), member(3, host(2)))).toEqual({
    put: [three],
    drop: [two],
  })
  expect(await route(false, member(1, '203.0.113.1'), member(3, host(2)))).toEqual({ all: [three] })
  expect(await route(false, member(1, host(1)), member(3, host(2)))).toEqual({ all: [one, three] })
  members.route(device, { ...NETWORK, routes: false }, false, 0)
  expect(said.at(-1)).toEqual({ all: [] })
})

test('who is reached directly has a place, to be heard, and no route into the device until that ends', async () => {
  const { members, apply, leads } = plain()
  const said: unknown[] = []
  const device = {
    setRoutes: (all: readonly string[]) => said.push({ all }),
    changeRoutes: (put: readonly string[], drop: readonly string[]) => said.push({ put, drop }),
  }
  const route = async (all: boolean, peer: PeerConfig): Promise<unknown> => {
    await apply(named(peer), all)
    members.route(device, { ...NETWORK, routes: true }, all, 0)
    return said.at(-1)
  }
  const far = member(1, host(1))
  const near = { ...far, networks: [{ ...far.networks[0]!, direct: true }] }
  expect(await route(true, near)).toEqual({ all: [] })
  expect(leads(1)).toBe(host(1))
  expect(await route(false, { ...far })).toEqual({ put: ['10.42.1.0/24'], drop: [] })
  expect(await route(false, near)).toEqual({ put: [], drop: ['10.42.1.0/24'] })
  expect(leads(1)).toBe(host(1))
})

test('thousands come in orders of a size that packets do not wait for', async () => {
  const { orders, apply, v } = plain()
  const all = Array.from({ length: 700 }, (_, k) => ({
    ...member(k % 256, `198.18.${k >> 8}.${k & 255}`),
    name: `${k}`,
  }))
  await apply(named(...all))
  expect(orders.map((o) => o.peers.length)).toEqual([256, 256, 188])
  await apply(new Map())
  expect(v.native.endpoints.size).toBe(0)
})

test('an old lease and a new one of one host: with one MAC one end with both subnets, until the old one goes', async () => {
  const { apply, leads, v } = plain()
  const old = member(2, host(2))
  const fresh = member(3, host(2))
  await apply(named(old, fresh))
  expect([leads(2), leads(3)]).toEqual([host(2), host(2)])
  expect(v.native.endpoints.size).toBe(1)
  await apply(named(fresh))
  expect([leads(2), leads(3)]).toEqual([null, host(2)])
  await apply(new Map())
  expect(leads(3)).toBeNull()
})

test('subnets that two hosts exchange are never without an owner', async () => {
  const { apply, leads } = plain()
  await apply(named(member(2, host(2)), member(3, host(3))))
  await apply(named(member(2, host(3)), member(3, host(2))))
  expect([leads(2), leads(3)]).toEqual([host(3), host(2)])
})

test('one that no way leads to is missing, and the others are there', async () => {
  const { members, apply, leads } = plain()
  await apply(named(member(2, '203.0.113.9'), member(3, host(3))))
  expect([leads(2), leads(3)]).toEqual([null, host(3)])
  expect(members.complete).toBe(false)
  expect([members.isPlaced('10.42.2.0-24'), members.isPlaced('10.42.3.0-24')]).toEqual([false, true])
  await apply(named(member(3, host(3))))
  expect(members.complete).toBe(true)
})

test('all are told again when the sockets are others', async () => {
  const { orders, apply } = plain()
  const all = named(member(2, host(2)), member(3, host(3)))
  await apply(all)
  await apply(all, true)
  expect(orders.map((o) => o.peers.length)).toEqual([2, 2])
})

test('a tunnel is let go after the last that names it', async () => {
  const released: string[] = []
  const v = new Vtep()
  const members = new Members({
    mailbox: { ask: async (o: Order) => (o.kind === 'change-peers' ? o.peers.map((one) => one.tunnel) : 0) } as never,
    far: async (peer) => ({ far: farBehind(peer.publicKey === KEY_B ? 0 : 1, peer, NETWORK), address: null, port: 0 }),
    release: async (key) => void released.push(key),
    ...NO_KEYS,
  })
  const keyed = (third: number, publicKey: string): PeerConfig => ({ ...member(third, host(third)), publicKey })
  await members.apply(0, NETWORK, named(keyed(2, KEY_B), keyed(3, KEY_B), keyed(4, KEY_C)), { all: false, now: 0 })
  await members.apply(0, NETWORK, named(keyed(3, KEY_B), keyed(4, KEY_C)), { all: false, now: 0 })
  expect(released).toEqual([])
  await members.apply(0, NETWORK, named(keyed(4, KEY_C)), { all: false, now: 0 })
  expect(released).toEqual([KEY_B])
  await members.close()
  expect(released).toEqual([KEY_B, KEY_C])
  expect(v.native.endpoints.size).toBe(0)
})

test('another key of a member: the old one carries until the new one has a session, and is heard for a while after', async () => {
  const v = new Vtep()
  v.network(0, 42, [], {}, false)
  let up = false
  const called: string[] = []
  const released: string[] = []
  const orders: (Order & { kind: 'change-peers' })[] = []
  const tunnels = [KEY_B, KEY_C]
  for (const tunnel of [0, 1]) v.tables.handle({ kind: 'set-tunnel', tunnel, keepalive: 0, endpoint: null })
  const members = new Members({
    mailbox: {
      ask: async (o: Order & { kind: 'change-peers' }) => {
        orders.push(o)
        return v.tables.handle(o)
      },
    } as never,
    far: async (p) => ({ far: farBehind(tunnels.indexOf(p.publicKey!), p, NETWORK), address: null, port: 0 }),
    release: async (key) => void released.push(key),
    call: (key) => void called.push(key),
    isUp: () => up,
  })
  const say = (publicKey: string, now: number) =>
    members.apply(0, NETWORK, named({ ...member(2, host(2)), publicKey }), { all: false, now })
  const owner = () => members.at(v.tables.networks.at(0)!.routes.find4(0x0a2a0201))?.peer.publicKey
  const twin = (tunnel: number) => v.tables.vteps.twin[v.tables.farEnds.bare[tunnel]!]

  await say(KEY_B, 0)
  const before = v.tables.farEnds.bare[0]!
  await say(KEY_C, 1000)
  expect([owner(), called, twin(1), members.rolling]).toEqual([KEY_B, [KEY_C], before, true])
  up = true
  await say(KEY_C, 1200)
  expect([owner(), twin(1), twin(0)]).toEqual([KEY_C, NONE, v.tables.farEnds.bare[1]])
  await say(KEY_C, 11_199)
  expect([released, members.rolling]).toEqual([[], true])
  await say(KEY_C, 11_200)
  expect([released, members.rolling, owner()]).toEqual([[KEY_B], false, KEY_C])
  expect(v.tables.farEnds.bare[0]).toBe(NONE)
  expect(members.prefixes('pods')).toEqual(['10.42.2.0/24'])
})

test('a new key that never has a session is taken at its word in the end; one that goes back is left', async () => {
  const released: string[] = []
  const owners = new Map<number, number>()
  const members = new Members({
    mailbox: {
      ask: async (o: Order & { kind: 'change-peers' }) => {
        for (const { tunnel, prefixes } of o.peers) owners.set(tunnel, prefixes.length)
        for (const vtep of o.gone) owners.delete(vtep)
        return o.peers.map(({ tunnel }) => tunnel)
      },
    } as never,
    far: async (p) => ({ far: farBehind(p.publicKey === KEY_B ? 0 : 1, p, NETWORK), address: null, port: 0 }),
    release: async (key) => void released.push(key),
    ...NO_KEYS,
  })
  const say = (publicKey: string, now: number) =>
    members.apply(0, NETWORK, named({ ...member(2, host(2)), publicKey }), { all: false, now })
  await say(KEY_B, 0)
  await say(KEY_C, 10)
  await say(KEY_B, 20)
  expect([...owners]).toEqual([[0, 1]])
  expect([released.splice(0), members.rolling]).toEqual([[KEY_C], false])
  await say(KEY_C, 30)
  await say(KEY_C, 15_029)
  expect([...owners]).toEqual([
    [0, 1],
    [1, 0],
  ])
  await say(KEY_C, 15_030)
  expect([...owners]).toEqual([
    [0, 0],
    [1, 1],
  ])
})

test('a new key that nobody uses is not gone over to while the old one carries, for the time that it can', async () => {
  let owner = NONE
  const members = new Members({
    mailbox: {
      ask: async (o: Order & { kind: 'change-peers' }) => {
        for (const { tunnel, prefixes } of o.peers) if (prefixes.length > 0) owner = tunnel
        return o.peers.map(({ tunnel }) => tunnel)
      },
    } as never,
    far: async (p) => ({ far: farBehind(p.publicKey === KEY_B ? 0 : 1, p, NETWORK), address: null, port: 0 }),
    release: async () => {},
    call: () => {},
    isUp: (key) => key === KEY_B,
  })
  const say = (publicKey: string, now: number) =>
    members.apply(0, NETWORK, named({ ...member(2, host(2)), publicKey }), { all: false, now })
  await say(KEY_B, 0)
  await say(KEY_C, 10)
  await say(KEY_C, 180_009)
  expect(owner).toBe(0)
  await say(KEY_C, 180_010)
  expect(owner).toBe(1)
})
