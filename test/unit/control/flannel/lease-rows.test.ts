// `vtepd leases`: who is a member here, and who is none and why.
import { expect, test } from 'vitest'
import { leaseTable } from '../../../../src/cli/leases.ts'
import type { MemberPlace } from '../../../../src/control/flannel/desired.ts'
import { leaseRows, type Programmed } from '../../../../src/control/flannel/lease-rows.ts'
import type { Lease, Membership } from '../../../../src/control/flannel/model.ts'
import { storeConfig } from '../../../support/flannel.ts'

function lease(n: number, more: Partial<Lease> = {}): Lease {
  return {
    key: `10.42.${n}.0-24`,
    subnet: `10.42.${n}.0/24`,
    subnet6: null,
    publicIp: `198.18.0.${n}`,
    publicIpv6: null,
    backendType: 'vxlan',
    vtepMac: `02:00:00:00:00:0${n}`,
    vtepMac6: null,
    publicKey: null,
    wireguardPort: null,
    own: false,
    expires: undefined,
    ...more,
  }
}

const [own, good, keyless, full, fresh] = [1, 2, 3, 4, 5].map((n) => lease(n, n === 1 ? { own: true } : {}))
const membership: Membership = {
  config: storeConfig(),
  own: own!,
  members: new Map([good, keyless, full, fresh].map((one) => [one!.key, one!])),
  ignored: [
    { key: 'nonsense', lease: null, state: 'ignored', reason: 'no key of a lease' },
    { key: '10.42.8.0-24&fd00:42::-64', lease: null, state: 'ignored', reason: 'it is no JSON' },
    { key: '10.42.9.0-24', lease: lease(9, { expires: null }), state: 'refused', reason: 'no PublicKey' },
  ],
}
const place = (one: Lease, fault: string | null = null): [string, MemberPlace] => [
  one.key,
  { lease: one, peers: [{ name: one.key } as never], routes: [], fault },
]
const about: Programmed = {
  network: 'pods',
  fault: '',
  places: new Map([place(good!), place(keyless!, 'it is not on our own link'), place(full!), place(lease(5))]),
  isPlaced: (name) => name === good!.key,
  expiries: new Map([[good!.key, 61_400]]),
  now: 1000,
}

test('each has its state, and a reason unless it is programmed', () => {
  const said = leaseRows(membership, about).map(({ subnet, state, reason, expiresSeconds }) => [
    subnet,
    state,
    reason,
    expiresSeconds,
  ])
  expect(said).toEqual([
    ['10.42.1.0/24', 'programmed', undefined, null],
    ['10.42.2.0/24', 'programmed', undefined, 60],
    ['10.42.3.0/24', 'ignored', 'it is not on our own link', null],
    ['10.42.4.0/24', 'ignored', 'there is no room for it', null],
    ['10.42.5.0/24', 'ignored', 'it has just changed, and is not in place yet', null],
    [null, 'ignored', 'nonsense: no key of a lease', null],
    ['10.42.8.0/24', 'ignored', '10.42.8.0-24&fd00:42::-64: it is no JSON', null],
    ['10.42.9.0/24', 'refused', 'no PublicKey', null],
  ])
})

test('a lease without a BackendType is one of the udp back end, as flanneld reads it', () => {
  const rows = leaseRows({ ...membership, own: lease(1, { own: true, backendType: null }) }, about)
  expect(rows.map(({ backend }) => backend).slice(0, 2)).toEqual(['udp', 'vxlan'])
  expect(rows.find(({ subnet }) => subnet === '10.42.8.0/24')).toMatchObject({ backend: null, subnet6: 'fd00:42::/64' })
})

test('a network that cannot be has one reason for all', () => {
  const rows = leaseRows(membership, { ...about, fault: 'clear text' })
  expect(rows.slice(0, 5).map(({ state, reason }) => `${state}: ${reason}`)).toEqual(
    Array(5).fill('refused: clear text'),
  )
})

test('for people: one line each', () => {
  const lines = leaseTable(leaseRows(membership, about), (_style, text) => text)
    .trimEnd()
    .split('\n')
  expect(lines).toHaveLength(9)
  expect(lines[1]).toMatch(/^pods +10\.42\.1\.0\/24 +198\.18\.0\.1 +vxlan .* own, programmed$/)
  expect(lines[2]).toMatch(/1m 0s +programmed$/)
  expect(lines[3]).toMatch(/ignored: it is not on our own link$/)
})
