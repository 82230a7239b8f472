import { describe, expect, it, test } from 'vitest'
import type { Member } from '../../../../src/control/join/join-message.ts'
import {
  membersOf,
  type Present,
  peersFrom,
  type Space,
  strangers,
  strangersText,
} from '../../../../src/control/join/member-rules.ts'
import { KEY_B, KEY_C, OWN_KEY, parse, publicKey } from '../../../support/config.ts'

const TAP: Space = { name: 'blue', device: 'tap', addresses: ['10.42.0.2/24'] }
const TUN: Space = { name: 'blue', device: 'tun', addresses: ['10.42.0.2/24', 'fd00:42::2/64'] }
const NOTHING: Present = { config: null, own: ['198.18.0.2'] }

const MEMBER: Member = { name: 'host-c', key: KEY_C, endpoint: '198.18.0.3:51820', ips: ['10.42.0.3/32'], told: true }

function taken(change: Partial<Member>, space = TAP, present = NOTHING, keepalive = false) {
  return peersFrom([{ ...MEMBER, ...change }], space, present, keepalive)
}

const HERE: Present = {
  config: parse(`
    privateKeyFile: /keys/own
    networks:
      red: { vni: 7, device: tun, address: 10.7.0.1/24 }
      blue: { vni: 42, device: tun, address: 10.42.0.2/24 }
    peers:
      host-b: { publicKey: ${KEY_B}, endpoint: 198.18.0.9, networks: { blue: { allowedIps: [10.42.0.9/32] } } }`),
  own: ['198.18.0.2'],
}

describe('a member is taken', () => {
  it('with its key, where it is, and in this network alone', () => {
    expect(taken({}).peers).toEqual({
      'host-c': { endpoint: '198.18.0.3:51820', publicKey: KEY_C, networks: ['blue'] },
    })
  })

  it('with its own addresses of a layer 3 network', () => {
    expect(taken({ ips: ['10.42.0.3/32', 'fd00:42::3/128'] }, TUN).peers['host-c']!.networks).toEqual({
      blue: { allowedIps: ['10.42.0.3/32', 'fd00:42::3/128'] },
    })
  })

  it('with keepalives where we cannot be called, and it can', () => {
    expect(taken({}, TAP, NOTHING, true).peers['host-c']).toMatchObject({ keepalive: '25s' })
    expect(taken({ endpoint: null }, TAP, NOTHING, true).peers['host-c']).not.toHaveProperty('keepalive')
  })
})

describe('a member is not believed', () => {
  test.each([
    ['the default route', ['0.0.0.0/0']],
    ['a prefix outside of the network', ['192.168.1.0/24', '198.18.0.7/32']],
    ['the whole network', ['10.42.0.0/24']],
    ['our own address', ['10.42.0.2/32']],
  ])('in %s, and without an address it is left out', (_, ips) => {
    const { peers, left } = taken({ ips }, TUN)
    expect(peers).toEqual({})
    expect(left).toEqual(['host-c: none of its addresses is of network blue and free'])
    expect(taken({ ips: [...ips, '10.42.0.3/32'] }, TUN).peers['host-c']!.networks).toEqual({
      blue: { allowedIps: ['10.42.0.3/32'] },
    })
  })

  it('in an address that another peer has, here or in the same list', () => {
    expect(taken({ ips: ['10.42.0.9/32'] }, TUN, HERE).peers).toEqual({})
    const twice = [MEMBER, { ...MEMBER, name: 'host-d', key: publicKey(4) }]
    expect(Object.keys(peersFrom(twice, TUN, NOTHING, false).peers)).toEqual(['host-c'])
  })

  test.each([
    '0.0.0.0:51820',
    '127.0.0.1:51820',
    '224.0.0.1:51820',
    '[::1]:51820',
    '[fe80::1]:51820',
    '198.18.0.2:51820',
  ])('in the endpoint %s: it has to call', (endpoint) => {
    expect(taken({ endpoint }).peers['host-c']).toEqual({ publicKey: KEY_C, networks: ['blue'] })
  })

  it('in being us, or a peer that we know', () => {
    expect(taken({ key: OWN_KEY }, TUN, HERE)).toEqual({ peers: {}, left: [] })
    expect(taken({ key: KEY_B, name: 'host-z' }, TUN, HERE)).toEqual({ peers: {}, left: [] })
  })

  it('in being called as somebody else is, or as an address', () => {
    expect(Object.keys(taken({ name: 'host-b' }, TUN, HERE).peers)).toEqual(['host-b.blue'])
    expect(Object.keys(taken({ name: '198.18.0.77' }).peers)).toEqual(['host-198.18.0.77'])
    const three = ['a', 'a', 'a'].map((name, i) => ({ ...MEMBER, name, key: publicKey(10 + i) }))
    expect(Object.keys(peersFrom(three, TAP, NOTHING, false).peers)).toEqual(['a', 'a.blue', 'a.blue-2'])
  })
})

it('what is taken makes a configuration without faults', () => {
  const names = ['host-b', '10.42.0.3', 'x'.repeat(63), 'fd00::9', 'host-c']
  const members = names.map((name, i) => ({ ...MEMBER, name, key: publicKey(20 + i), ips: [`10.42.0.${30 + i}/32`] }))
  const { peers } = peersFrom(members, TUN, HERE, true)
  const networks = { blue: { vni: 42, device: 'tun', address: TUN.addresses } }
  const config = parse(JSON.stringify({ privateKeyFile: '/keys/own', networks, peers }))
  expect(config.peers).toHaveLength(5)
})

describe('what others are told', () => {
  const config = parse(`
    privateKeyFile: /keys/own
    networks:
      blue: { vni: 42, device: tun, address: 10.42.0.1/24 }
      red: { vni: 7, address: 10.7.0.1/24 }
    peers:
      host-b: { publicKey: ${KEY_B}, endpoint: 198.18.0.2, networks: { blue: { allowedIps: [10.42.0.2/32, 192.168.9.0/24] } } }
      host-c: { publicKey: ${KEY_C}, networks: { blue: { allowedIps: [10.42.0.3/32] } } }
      stock: { publicKey: ${publicKey(4)}, type: wireguard, networks: { blue: { allowedIps: [10.42.0.4/32] } } }
      named: { publicKey: ${publicKey(5)}, endpoint: host-e.example.net, networks: { blue: { allowedIps: [10.42.0.5/32] } } }
      other: { publicKey: ${publicKey(6)}, networks: [red] }`)
  const [blue] = config.networks

  const list = (place: { address: string; port: number } | null) =>
    membersOf(
      config,
      blue!,
      () => place,
      (key) => key === KEY_C,
    )

  it('are the agents of the network, with what is theirs of its prefixes', () => {
    expect(list(null).members).toEqual([
      { name: 'host-b', key: KEY_B, endpoint: '198.18.0.2:51820', ips: ['10.42.0.2/32'], told: false },
      { name: 'host-c', key: KEY_C, endpoint: null, ips: ['10.42.0.3/32'], told: true },
      { name: 'named', key: publicKey(5), endpoint: 'host-e.example.net:51820', ips: ['10.42.0.5/32'], told: false },
    ])
  })

  it('is where a peer was heard last, but for one that calls us and one that has a name', () => {
    const ends = list({ address: '203.0.113.5', port: 40000 }).members.map((m) => m.endpoint)
    expect(ends).toEqual(['203.0.113.5:40000', null, 'host-e.example.net:51820'])
  })

  it('has another version when anything in it is another', () => {
    expect(list(null).version).toBe(list(null).version)
    expect(list(null).version).not.toBe(list({ address: '203.0.113.5', port: 40000 }).version)
  })
})

it('a peer that names no networks would be in a new one too', () => {
  const config = parse(`
    privateKeyFile: /keys/own
    networks: { red: { vni: 7 }, blue: { vni: 42 } }
    peers:
      host-b: { publicKey: ${KEY_B} }
      host-c: { publicKey: ${KEY_C}, networks: [red] }
      host-d: { publicKey: ${publicKey(4)}, networks: [blue] }`)
  expect(strangers(config, 'blue', ['host-d'])).toEqual(['host-b'])
  expect(strangersText(['host-b'], 'blue')).toBe(
    'peer host-b names no networks, and so would be in network blue too; write its networks first, [blue] say',
  )
})
