import { describe, expect, test } from 'vitest'
import { cidrText, parseCidr } from '../../../../src/control/cidr.ts'
import { keyOf, parseKey } from '../../../../src/control/flannel/lease.ts'
import { choose, fits, PrefixIndex, prefixesOf } from '../../../../src/control/flannel/subnets.ts'
import { DUAL, storeConfig } from '../../../support/flannel.ts'

function taken(...keys: string[]): PrefixIndex<string> {
  const index = new PrefixIndex<string>()
  for (const key of keys) for (const cidr of prefixesOf(parseKey(key)!)) index.add(cidr, key)
  return index
}

const first = () => 0
const last = () => 0.999_999

describe('a prefix', () => {
  const index = taken('10.42.5.0-24', '10.42.64.0-20', '10.42.9.128-25&fd00:42:0:7::-64')

  test.each([
    ['10.42.5.0/24', '10.42.5.0-24'],
    ['10.42.5.16/28', '10.42.5.0-24'],
    ['10.42.4.0/22', '10.42.5.0-24'],
    ['10.42.70.0/24', '10.42.64.0-20'],
    ['10.42.9.0/24', '10.42.9.128-25&fd00:42:0:7::-64'],
    ['fd00:42::/48', '10.42.9.128-25&fd00:42:0:7::-64'],
    ['10.42.6.0/24', undefined],
    ['10.42.80.0/20', undefined],
    ['fd00:42:0:8::/64', undefined],
  ])('%s overlaps %s', (text, owner) => expect(index.overlap(parseCidr(text)!)?.owner).toBe(owner))
})

describe('a new member takes', () => {
  test('one of the first hundred free subnets, by chance', () => {
    const config = storeConfig()
    const index = taken('10.42.1.0-24', '10.42.2.128-25')
    expect(keyOf(choose(config, index, null, first)!)).toBe('10.42.3.0-24')
    expect(keyOf(choose(config, index, null, last)!)).toBe('10.42.102.0-24')
  })

  test('what it had, where that is free and fits', () => {
    const config = storeConfig()
    const had = (key: string, ...keys: string[]) => keyOf(choose(config, taken(...keys), parseKey(key), first)!)
    expect(had('10.42.200.0-24')).toBe('10.42.200.0-24')
    expect(had('10.42.200.0-24', '10.42.200.0-24')).toBe('10.42.1.0-24')
    // flanneld compares subnets as a whole only, and takes a part of what another has.
    expect(had('10.42.200.0-24', '10.42.192.0-20')).toBe('10.42.1.0-24')
    expect(had('10.43.200.0-24')).toBe('10.42.1.0-24')
    expect(had('10.42.200.0-25')).toBe('10.42.1.0-24')
    expect(had('10.42.0.0-24')).toBe('10.42.1.0-24')
  })

  test('each family for itself', () => {
    const config = storeConfig(DUAL)
    const index = taken('10.42.1.0-24&fd00:42:0:1::-64', '10.42.2.0-24')
    expect(keyOf(choose(config, index, null, first)!)).toBe('10.42.3.0-24&fd00:42:0:2::-64')
    const had = parseKey('10.42.2.0-24&fd00:42:0:9::-64')
    expect(keyOf(choose(config, index, had, first)!)).toBe('10.42.3.0-24&fd00:42:0:9::-64')
  })

  test('nothing when all are taken', () => {
    const config = storeConfig('{"Network":"10.42.0.0/28","Backend":{"Type":"vxlan"}}')
    expect(keyOf(choose(config, taken('10.42.0.4-30', '10.42.0.8-30'), null, last)!)).toBe('10.42.0.12-30')
    expect(choose(config, taken('10.42.0.4-30', '10.42.0.8-29'), null, first)).toBeNull()
  })

  test('soon, however large what another has', () => {
    const config = storeConfig(
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/8","IPv6SubnetLen":126,"Backend":{"Type":"vxlan"}}',
    )
    const index = new PrefixIndex<string>()
    index.add(parseCidr('fd00::/9')!, 'large')
    expect(keyOf(choose(config, index, null, first)!)).toBe('0.0.0.0-0&fd80::-126')
  })
})

test('what a network gives out has its families, its length and its range', () => {
  const one = storeConfig()
  const two = storeConfig(DUAL)
  const of = (key: string) => [fits(parseKey(key)!, one), fits(parseKey(key)!, two)]
  expect(of('10.42.1.0-24')).toEqual([true, false])
  expect(of('10.42.255.0-24&fd00:42:0:1::-64')).toEqual([false, true])
  expect(of('10.42.0.0-24')).toEqual([false, false])
  expect(of('10.42.1.0-25')).toEqual([false, false])
  expect(prefixesOf(parseKey('10.42.1.0-24&fd00:42:0:1::-64')!).map(cidrText)).toEqual([
    '10.42.1.0/24',
    'fd00:42:0:1::/64',
  ])
})
