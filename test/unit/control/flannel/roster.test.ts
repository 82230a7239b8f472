import { describe, expect, test } from 'vitest'
import { parseKey, parseValue, valueText } from '../../../../src/control/flannel/lease.ts'
import { LeaseTable, leaseOf } from '../../../../src/control/flannel/lease-table.ts'
import type { Identity } from '../../../../src/control/flannel/model.ts'
import { Roster } from '../../../../src/control/flannel/roster.ts'
import { DUAL, flanneldValue, identity, storeConfig, VXLAN } from '../../../support/flannel.ts'

const KEY = (n: number): string => `${Buffer.alloc(32, n).toString('base64')}`
const GOOD = flanneldValue('198.18.0.9', '02:00:00:00:00:09')

/** What becomes of leases, in the order in which they were made. */
function judged(leases: [string, string][], config = VXLAN, who: Identity = identity(1), ownKey = '10.42.1.0-24') {
  const table = new LeaseTable('')
  const entries = leases.map(([key, value], i) => ({
    key,
    value,
    createRevision: i + 2,
    modRevision: i + 2,
    lease: '7',
  }))
  table.replace({ revision: 100, entries: entries.toReversed() })
  const store = storeConfig(config)
  const value = parseValue(valueText(store, who, { node: who.node, instance: '1' }))
  const own = { ...leaseOf(ownKey, parseKey(ownKey)!, value, null), own: true }
  const { members, ignored } = new Roster(store, who, own).update(table, [])
  return {
    members: [...members.keys()].sort(),
    ignored: Object.fromEntries(ignored.map(({ key, state, reason }) => [key, `${state}: ${reason}`])),
  }
}

const reason = (key: string, value: string, config = VXLAN, who = identity(1)): string | undefined =>
  judged([[key, value]], config, who).ignored[key]

describe('a lease', () => {
  test('is a member when nothing is wrong with it; our own is none', () => {
    expect(
      judged([
        ['10.42.1.0-24', GOOD],
        ['10.42.2.0-24', GOOD],
        ['10.42.3.128-25', GOOD],
      ]),
    ).toEqual({
      members: ['10.42.2.0-24', '10.42.3.128-25'],
      ignored: {},
    })
  })

  test.each([
    ['outside', GOOD, 'the key is not that of a subnet'],
    ['10.42.2.0-24', '{', 'it is no JSON'],
    ['10.42.2.0-24&fd00:42:0:1::-64', GOOD, 'an IPv6 subnet in a network without IPv6'],
    ['10.43.2.0-24', GOOD, 'outside the network 10.42.0.0/16'],
    ['10.0.0.0-8', GOOD, 'outside the network 10.42.0.0/16'],
    ['10.42.0.0-16', GOOD, 'as large as the network 10.42.0.0/16'],
    ['10.42.2.0-24', flanneldValue('0.0.0.0', '02:00:00:00:00:09'), 'no PublicIP, or 0.0.0.0'],
    ['10.42.2.0-24', flanneldValue('198.18.0.1', '02:00:00:00:00:09'), 'PublicIP 198.18.0.1 is our own'],
    ['10.42.2.0-24', flanneldValue('239.1.1.1', '02:00:00:00:00:09'), "PublicIP 239.1.1.1 is no other host's"],
    [
      '10.42.2.0-24',
      flanneldValue('10.42.7.7', '02:00:00:00:00:09'),
      'PublicIP 10.42.7.7 is inside the network itself',
    ],
    ['10.42.2.0-24', '{"PublicIP":"198.18.0.9"}', "BackendType udp, and the network's is vxlan"],
    ['10.42.2.0-24', '{"PublicIP":"198.18.0.9","BackendType":"vxlan"}', 'no usable VtepMAC'],
    ['10.42.2.0-24', flanneldValue('198.18.0.9', '01:00:00:00:00:09'), "VtepMAC 01:00:00:00:00:09 is no station's"],
    ['10.42.2.0-24', flanneldValue('198.18.0.9', '00:00:00:00:00:00'), "VtepMAC 00:00:00:00:00:00 is no station's"],
    ['10.42.2.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:01'), 'VtepMAC 02:00:00:00:00:01 is our own'],
  ])('%s %s is ignored: %s', (key, value, why) => expect(reason(key, value)).toBe(`ignored: ${why}`))

  test('of other back ends needs what those need', () => {
    const udp = '{"Network":"10.42.0.0/16"}'
    const gateway = '{"Network":"10.42.0.0/16","Backend":{"Type":"host-gw"}}'
    const wireguard = '{"Network":"10.42.0.0/16","Backend":{"Type":"wireguard"}}'
    const who = identity(1, { publicKey: KEY(1) })
    const of = (key: string) =>
      `{"PublicIP":"198.18.0.9","BackendType":"wireguard","BackendData":{"PublicKey":"${key}"}}`
    expect(reason('10.42.2.0-24', '{"PublicIP":"198.18.0.9"}', udp)).toBeUndefined()
    expect(reason('10.42.2.0-24', '{"PublicIP":"198.18.0.9","BackendType":"host-gw"}', gateway)).toBeUndefined()
    expect(reason('10.42.2.0-24', of(KEY(2)), wireguard, who)).toBeUndefined()
    expect(reason('10.42.2.0-24', of('short'), wireguard, who)).toBe('ignored: no usable PublicKey')
    expect(reason('10.42.2.0-24', of(KEY(1)), wireguard, who)).toBe('refused: PublicKey is our own')
  })

  test('without a key is refused in a secure network', () => {
    const who = identity(1, { publicKey: KEY(1), secure: true })
    const secure = valueText(storeConfig(), identity(9, { publicKey: KEY(9), secure: true }), {
      node: 'x',
      instance: '2',
    })
    expect(reason('10.42.2.0-24', GOOD, VXLAN, who)).toBe('refused: no PublicKey: a plain member of a secure network')
    expect(reason('10.42.2.0-24', secure, VXLAN, who)).toBeUndefined()
    expect(
      judged(
        [
          ['10.42.2.0-24', secure],
          ['10.42.3.0-24', secure],
        ],
        VXLAN,
        who,
      ),
    ).toEqual({
      members: ['10.42.2.0-24'],
      ignored: { '10.42.3.0-24': 'ignored: PublicKey is that of 10.42.2.0-24, too' },
    })
  })

  test('that overlaps an older one is ignored, and ours counts first', () => {
    expect(
      judged([
        ['10.42.1.128-25', GOOD],
        ['10.42.16.0-20', GOOD],
        ['10.42.20.0-24', GOOD],
        ['10.42.9.0-24', GOOD],
        ['10.42.8.0-21', GOOD],
        ['10.42.10.0-24', GOOD],
      ]),
    ).toEqual({
      members: ['10.42.10.0-24', '10.42.16.0-20', '10.42.9.0-24'],
      ignored: {
        '10.42.1.128-25': 'ignored: it overlaps our own subnet',
        '10.42.20.0-24': 'ignored: it overlaps 10.42.16.0-20',
        '10.42.8.0-21': 'ignored: it overlaps 10.42.9.0-24',
      },
    })
  })

  test('in a network of two families has both, or the older one', () => {
    const two = valueText(storeConfig(DUAL), identity(9), { node: 'x', instance: '2' })
    const other = valueText(storeConfig(DUAL), identity(8), { node: 'y', instance: '2' })
    const own = '10.42.1.0-24&fd00:42:0:1::-64'
    expect(
      judged(
        [
          ['10.42.2.0-24&fd00:42:0:2::-64', two],
          ['10.42.3.0-24&fd00:42:0:2::-64', other],
          ['10.42.4.0-24', GOOD],
          ['0.0.0.0-0&fd00:42:0:5::-64', other],
          ['10.42.6.0-24&fd00:43::-64', other],
        ],
        DUAL,
        identity(1),
        own,
      ),
    ).toEqual({
      members: ['10.42.2.0-24&fd00:42:0:2::-64', '10.42.4.0-24'],
      ignored: {
        '10.42.3.0-24&fd00:42:0:2::-64': 'ignored: it overlaps 10.42.2.0-24&fd00:42:0:2::-64',
        '0.0.0.0-0&fd00:42:0:5::-64': 'ignored: no IPv4 subnet in a network with IPv4',
        '10.42.6.0-24&fd00:43::-64': 'ignored: outside the network fd00:42::/48',
      },
    })
  })
})
