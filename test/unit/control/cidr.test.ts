import { describe, expect, test } from 'vitest'
import * as cidr from '../../../src/control/cidr.ts'

describe('parseAddress', () => {
  test.each([
    ['198.18.0.1', 0xc6120001n, '198.18.0.1'],
    ['255.255.255.255', 0xffffffffn, '255.255.255.255'],
    ['::', 0n, '::'],
    ['::1', 1n, '::1'],
    ['FD00:42:0:0:0:0:0:1', 0xfd000042000000000000000000000001n, 'fd00:42::1'],
    ['fd00::198.18.0.1', 0xfd0000000000000000000000c6120001n, 'fd00::c612:1'],
    ['1:0:0:2:0:0:0:3', 0x00010000000000020000000000000003n, '1:0:0:2::3'],
    ['1:2:3:4:5:6:7::', 0x00010002000300040005000600070000n, '1:2:3:4:5:6:7:0'],
  ])('reads %s', (text, value, canonical) => {
    const parsed = cidr.parseAddress(text)!
    expect(parsed.value).toBe(value)
    expect(cidr.addressText(parsed)).toBe(canonical)
  })

  test.each([
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.4/32',
    'fe80::1%eth0',
    '::ffff:1.2.3.4',
    '::ffff:102:304',
    ':::',
    'a',
  ])('refuses %j', (text) => expect(cidr.parseAddress(text)).toBeNull())
})

describe('parseCidr', () => {
  test('keeps host bits', () => {
    expect(cidr.cidrText(cidr.parseCidr('10.42.0.1/24')!)).toBe('10.42.0.1/24')
    expect(cidr.cidrText(cidr.network(cidr.parseCidr('10.42.0.1/24')!))).toBe('10.42.0.0/24')
    expect(cidr.cidrText(cidr.network(cidr.parseCidr('fd00::ffff/113')!))).toBe('fd00::8000/113')
    expect(cidr.cidrText(cidr.network(cidr.parseCidr('1.2.3.4/0')!))).toBe('0.0.0.0/0')
  })

  test.each(['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/-1', 'fd00::/129', '/8', '10.0.0.0/8/8'])(
    'refuses %j',
    (text) => expect(cidr.parseCidr(text)).toBeNull(),
  )

  test('takes a lone address as a prefix only where a prefix is wanted', () => {
    expect(cidr.parsePrefix('10.0.0.1')!.length).toBe(32)
    expect(cidr.parsePrefix('fd00::')!.length).toBe(128)
  })
})

describe('covers', () => {
  test.each([
    ['0.0.0.0/0', '255.0.0.0/8', true],
    ['10.0.0.0/8', '10.255.0.0/16', true],
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.0.0.0/16', '10.0.0.0/8', false],
    ['10.0.0.0/8', '11.0.0.0/16', false],
    ['::/0', '10.0.0.0/8', false],
    ['0.0.0.0/0', '::/0', false],
    ['fd00::/8', 'fdff::/16', true],
    ['10.42.0.1/24', '10.42.0.9/32', true],
  ])('%s over %s: %s', (outer, inner, yes) => {
    expect(cidr.covers(cidr.parseCidr(outer)!, cidr.parseCidr(inner)!)).toBe(yes)
  })
})

describe('kinds of addresses', () => {
  test.each([
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['fe80::1', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'host'],
    ['223.255.255.255', 'host'],
    ['240.0.0.1', 'host'],
    ['169.254.0.1', 'host'],
    ['fd00::1', 'host'],
  ])('%s is %s', (text, kind) => {
    const address = cidr.parseAddress(text)!
    expect(cidr.isMulticast(address)).toBe(kind === 'multicast')
    expect(cidr.isUnspecified(address)).toBe(kind === 'unspecified')
    expect(cidr.isLinkLocal6(address)).toBe(kind === 'link-local')
  })
})
