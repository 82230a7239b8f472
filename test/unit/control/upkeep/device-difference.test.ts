import { expect, test } from 'vitest'
import { differences } from '../../../../src/control/upkeep/device-difference.ts'

const STATE = { mtu: 1400, mac: '02:00:00:00:00:01' }
const TAP = { device: 'tap', addresses: ['10.42.0.1/24', 'fd00::1/64'] } as const
const SAME = { ...STATE, up: true, addresses: ['10.42.0.1/24', 'fd00::1/64', '10.42.0.77/24', 'fe80::1/64'] }

test('a device that has what it should, and more, has no difference', () => {
  expect(differences(TAP, STATE, SAME)).toEqual([])
})

test('MTU, MAC and addresses are compared', () => {
  const have = { mtu: 1280, mac: '02:00:00:00:00:02', up: true, addresses: ['10.42.0.1/16'] }
  expect(differences(TAP, STATE, have)).toEqual([
    { kind: 'mtu', have: 1280 },
    { kind: 'mac', have: '02:00:00:00:00:02' },
    { kind: 'address', address: '10.42.0.1/24', instead: null },
    { kind: 'address', address: 'fd00::1/64', instead: null },
  ])
})

test('an IPv6 address of another length stands in the way of the right one', () => {
  const have = { ...SAME, addresses: ['10.42.0.1/24', 'fd00::11/64', 'fd00::1/128'] }
  expect(differences(TAP, STATE, have)).toEqual([{ kind: 'address', address: 'fd00::1/64', instead: 'fd00::1/128' }])
})

test('a tun device has no MAC to compare, a device that is down no addresses', () => {
  const have = { ...SAME, mac: '02:00:00:00:00:02' }
  expect(differences({ ...TAP, device: 'tun' }, STATE, have)).toEqual([])
  expect(differences(TAP, STATE, { ...SAME, up: false, addresses: [] })).toEqual([])
})
