// Which prefixes of peers are routes, as their places become known and change.
import { expect, it } from 'vitest'
import type { PlacedPeer } from '../../../../src/control/placed-peer.ts'
import { OutsideRoutes, type Routed } from '../../../../src/control/upkeep/outside-routes.ts'
import { KEY_B, KEY_C, parse } from '../../../support/config.ts'

const FILE = `
privateKeyFile: /keys/own
networks:
  red: { vni: 43, device: tun, address: 10.42.0.1/24 }
  blue: { vni: 44 }
peers:
  b: { publicKey: ${KEY_B}, networks: { red: { allowedIps: [10.42.0.2/32, 203.0.113.0/24, "fd00:7::/64"] } } }
  c: { publicKey: ${KEY_C}, networks: [blue] }
`

function followed(netns: string | null = null) {
  const { networks, peers } = parse(FILE)
  const places = new Map<string, string>()
  const said: string[] = []
  const routes = new Set<string>()
  const calls: string[] = []
  const running = new Map<string, Routed>()
  for (const config of networks) {
    const here = peers.filter((p) => p.networks.some((n) => n.network === config.name))
    const placed = here.map((peer): PlacedPeer => ({ peer, address: null, port: 0, vtep: 0 }))
    const changeRoutes = (put: readonly string[], drop: readonly string[]): void => {
      calls.push(`${config.name} +${put.length} -${drop.length}`)
      for (const prefix of drop) routes.delete(prefix)
      for (const prefix of put) routes.add(prefix)
    }
    const setRoutes = (prefixes: readonly string[]): void => changeRoutes(prefixes, [])
    running.set(config.name, { config, placed, members: null, device: { netns, setRoutes, changeRoutes } })
  }
  const addressOf = ({ peer }: PlacedPeer): string | null => places.get(peer.name) ?? null
  const outside = new OutsideRoutes({ running, addressOf, said: (line) => said.push(line) })
  const at = (name: string, place: string): string[] => {
    places.set(name, place)
    outside.follow(0)
    return [...routes].sort()
  }
  outside.follow(0)
  return { said, calls, at, routes: () => [...routes].sort() }
}

const ALL = ['203.0.113.0/24', 'fd00:7::/64']

it('routes what is outside the device’s own prefixes, of peers that nobody has heard yet too', () => {
  const { said, routes } = followed()
  expect(routes()).toEqual(ALL)
  expect(said).toEqual([])
})

it('routes no prefix that a far end calls from, in whichever network that is, until it is elsewhere; says either once', () => {
  const { said, at } = followed()
  expect(at('b', '198.18.0.2')).toEqual(ALL)
  expect(at('b', '203.0.113.9')).toEqual(['fd00:7::/64'])
  expect(at('c', 'fd00:7::9')).toEqual([])
  expect(at('c', 'fd00:7::9')).toEqual([])
  expect(at('b', 'fe80::9%3')).toEqual(['203.0.113.0/24'])
  expect(at('c', '198.18.0.3')).toEqual(ALL)
  expect(said).toEqual([
    'network red: 203.0.113.0/24 is no route while peer b is at 203.0.113.9',
    'network red: fd00:7::/64 is no route while peer c is at fd00:7::9',
    'network red: 203.0.113.0/24 is held back no longer',
    'network red: fd00:7::/64 is held back no longer',
  ])
})

it('tells the host what changes, and nothing else', () => {
  const { calls, at } = followed()
  at('b', '198.18.0.2')
  at('b', '203.0.113.9')
  at('b', '203.0.113.10')
  at('b', '198.18.0.2')
  expect(calls).toEqual(['red +2 -0', 'blue +0 -0', 'red +0 -1', 'red +1 -0'])
})

it('routes in another namespace whatever far ends there are: tunnels do not pass there', () => {
  const { at, said } = followed('there')
  expect(at('b', '203.0.113.9')).toEqual(ALL)
  expect(said).toEqual([])
})
