import { describe, expect, it, test } from 'vitest'
import {
  hostPrefixes,
  newAddress,
  newVni,
  planAddresses,
  prefixesOf,
} from '../../../../src/control/join/address-plan.ts'

const plan = (own: string[], taken: string[], want: string[] = []) => planAddresses(prefixesOf(own), taken, want)

describe('the next free address', () => {
  test.each<[string, string[], string[], string[]]>([
    ['is the lowest', ['10.42.0.1/24'], ['10.42.0.1'], ['10.42.0.2/24']],
    ['fills a gap', ['10.42.0.1/24'], ['10.42.0.1', '10.42.0.2/24', '10.42.0.4/32'], ['10.42.0.3/24']],
    ['may lie before the host', ['10.42.0.9/24'], ['10.42.0.9/24'], ['10.42.0.1/24']],
    ['is not the address of the prefix itself, in IPv6 neither', ['fd00:42::1/64'], ['fd00:42::1'], ['fd00:42::2/64']],
    [
      'comes from each family once',
      ['10.42.0.1/24', '10.43.0.1/24', 'fd00:42::1/64'],
      ['10.42.0.1/24', 'fd00:42::1/64'],
      ['10.42.0.2/24', 'fd00:42::2/64'],
    ],
    ['uses both addresses of a /31', ['10.42.0.0/31'], ['10.42.0.0/31'], ['10.42.0.1/31']],
    ['is none where the network has no addresses', [], [], []],
  ])('%s', (_, own, taken, addresses) => {
    expect(plan(own, taken)).toEqual({ addresses })
  })

  it('is not there when all are taken; the last of IPv4 is for broadcasts', () => {
    expect(plan(['10.42.0.1/30'], ['10.42.0.1', '10.42.0.2'])).toEqual({
      no: { why: 'full', at: null, text: '10.42.0.0/30' },
    })
    expect(plan(['10.42.0.1/32'], ['10.42.0.1'])).toMatchObject({ no: { why: 'full' } })
  })
})

describe('an address that is asked for', () => {
  it('is given, and the other family’s is the next', () => {
    expect(plan(['10.42.0.1/24', 'fd00:42::1/64'], ['10.42.0.1', 'fd00:42::1'], ['10.42.0.77'])).toEqual({
      addresses: ['10.42.0.77/24', 'fd00:42::2/64'],
    })
  })

  test.each([
    ['10.42.0.2', 'address-taken'],
    ['10.42.0.1', 'address-taken'],
    ['10.43.0.2', 'address-outside'],
    ['10.42.0.0', 'address-outside'],
    ['10.42.0.255', 'address-outside'],
    ['fd00::2', 'address-outside'],
  ])('%s is refused as %s', (want, why) => {
    expect(plan(['10.42.0.1/24'], ['10.42.0.1', '10.42.0.2'], [want])).toEqual({ no: { why, at: null, text: want } })
  })
})

describe('a new network', () => {
  test.each<[string[], string | null]>([
    [[], '10.42.0.1/24'],
    [['198.18.0.1/24', '10.41.255.1/16', 'fd00::1/64'], '10.42.0.1/24'],
    [['10.42.0.9/24', '10.42.1.1/32'], '10.42.2.1/24'],
    [['10.42.3.9/22'], '10.42.4.1/24'],
    [['10.0.0.1/8'], null],
  ])('beside %j is %s', (others, address) => {
    expect(newAddress(others)).toBe(address)
  })

  it('has the first VNI that is free', () => {
    expect(newVni(() => false)).toBe(42)
    expect(newVni((vni) => vni < 45)).toBe(45)
  })
})

it('behind a layer 3 host are its addresses alone', () => {
  expect(hostPrefixes(['10.42.0.2/24', 'fd00:42::2/64'])).toEqual(['10.42.0.2/32', 'fd00:42::2/128'])
})
