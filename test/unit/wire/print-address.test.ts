import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { expect, it } from 'vitest'
import { address4, address6, mac } from '../../../src/wire/print-address.ts'
import { hex } from '../../support/bytes.ts'

it.each([
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000000000001', '::1'],
  ['fe800000000000000000000000000000', 'fe80::'],
  ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['00010000000000000002000000000000', '1::2:0:0:0'],
  ['20010db800000000000000000000000a', '2001:db8::a'],
  ['00000000000000000000ffffc6120001', '::ffff:198.18.0.1'],
])('RFC 5952: %s is %s', (digits, text) => expect(address6(hex(digits), 0)).toBe(text))

it('an address reads back as the same bytes', () => {
  for (let zeros = 0; zeros < 256; zeros++) {
    const bytes = new Uint8Array(16)
    for (let group = 0; group < 8; group++) bytes[group * 2 + 1] = (zeros >> group) & 1 ? 0 : group + 1
    const text = address6(bytes, 0)
    expect(isIPv6(text)).toBe(true)
    expect(ipaddr.parse(text).toByteArray()).toEqual([...bytes])
  }
})

it('MACs and IPv4 addresses from the middle of a buffer', () => {
  const buf = hex('ffff 0200000a0b0c 0a2a0001')
  expect(mac(buf, 2)).toBe('02:00:00:0a:0b:0c')
  expect(address4(buf, 8)).toBe('10.42.0.1')
})
