// Addresses and prefixes against an independent reader of them.
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import * as cidr from '../../src/control/cidr.ts'
import { seed } from '../support/seed.ts'

const four = fc.ipV4()
const six = fc.ipV6().filter((text) => !ipaddr.IPv6.parse(text).isIPv4MappedAddress())
const prefix = fc.oneof(
  fc.tuple(four, fc.nat(32)).map(([address, length]) => `${address}/${length}`),
  fc.tuple(six, fc.nat(128)).map(([address, length]) => `${address}/${length}`),
)

test('an address is read as ipaddr.js reads it', () => {
  fc.assert(
    fc.property(fc.oneof(four, six), (text) => {
      const ours = cidr.parseAddress(text)!
      const theirs = ipaddr.parse(text)
      const value = theirs.toByteArray().reduce((n, byte) => (n << 8n) | BigInt(byte), 0n)
      expect(ours).toEqual({ v6: theirs.kind() === 'ipv6', value, length: theirs.kind() === 'ipv6' ? 128 : 32 })
    }),
    { seed, numRuns: 1000 },
  )
})

test('canonical text is read back as the same, and is its own canonical text', () => {
  fc.assert(
    fc.property(prefix, (text) => {
      const one = cidr.parseCidr(text)!
      const canonical = cidr.cidrText(one)
      expect(cidr.parseCidr(canonical)).toEqual(one)
      expect(canonical).toBe(canonical.toLowerCase())
      expect(canonical.length).toBeLessThanOrEqual(text.length + 20)
    }),
    { seed, numRuns: 1000 },
  )
})

test('a prefix covers what ipaddr.js says it does', () => {
  fc.assert(
    fc.property(prefix, fc.oneof(four, six), (text, other) => {
      const outer = cidr.parseCidr(text)!
      const inner = cidr.parseAddress(other)!
      const theirs = ipaddr.parse(other)
      const [range, length] = ipaddr.parseCIDR(text)
      const expected = range.kind() === theirs.kind() && theirs.match(range, length)
      expect(cidr.covers(outer, inner)).toBe(expected)
      expect(cidr.covers(cidr.network(outer), inner)).toBe(expected)
      expect(cidr.covers(outer, cidr.network(outer))).toBe(true)
    }),
    { seed, numRuns: 1000 },
  )
})

test('no text that is not an address is one', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.%/[]x '), maxLength: 24 }), (text) => {
      const one = cidr.parsePrefix(text)
      if (one) expect(ipaddr.isValid(text.split('/')[0]!)).toBe(true)
    }),
    { seed, numRuns: 2000 },
  )
})
