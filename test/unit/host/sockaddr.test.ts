import { endianness } from 'node:os'
import { describe, expect, it } from 'vitest'
import * as sockaddr from '../../../src/host/sockaddr.ts'

const family = (n: number): string => Buffer.from(endianness() === 'LE' ? [n, 0] : [0, n]).toString('hex')
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('pack', () => {
  it('writes a sockaddr_in, the rest zero', () => {
    expect(hex(sockaddr.pack('198.18.0.1', 4789))).toBe(`${family(2)}12b5c6120001`.padEnd(64, '0'))
  })

  it('writes a sockaddr_in6 with flow label 0', () => {
    const address = 'fd000000000000000000000000000042'
    expect(hex(sockaddr.pack('fd00::42', 8472))).toBe(`${family(10)}211800000000${address}`.padEnd(64, '0'))
  })

  it('writes the zone of a link-local address', () => {
    const bytes = sockaddr.pack('fe80::1%3', 1)
    expect(new DataView(bytes.buffer).getUint32(24, endianness() === 'LE')).toBe(3)
  })

  it.each(['', 'host', '1.2.3', '1.2.3.256', ':::', 'fe80::1%eth0', '10.0.0.1/8'])('refuses the address %j', (text) => {
    expect(() => sockaddr.pack(text, 1)).toThrow(TypeError)
  })

  it.each([-1, 65536, 1.5, Number.NaN])('refuses the port %d', (port) => {
    expect(() => sockaddr.pack('10.0.0.1', port)).toThrow(RangeError)
  })
})

describe('unpack', () => {
  it.each([
    ['0.0.0.0', 0],
    ['255.255.255.255', 65535],
    ['::', 1],
    ['2001:db8::1', 4789],
    ['fe80::1%7', 4789],
  ])('reads what pack wrote: %s port %d', (address, port) => {
    expect(sockaddr.unpack(sockaddr.pack(address, port))).toEqual({ address, port })
  })

  it('reads at an offset of a larger array', () => {
    const column = new Uint8Array(96).fill(0xa5)
    column.set(sockaddr.pack('10.42.0.1', 80), 32)
    expect(sockaddr.unpack(column, 32)).toEqual({ address: '10.42.0.1', port: 80 })
  })

  it('answers null for another family', () => {
    expect(sockaddr.unpack(new Uint8Array(32))).toBeNull()
  })
})

describe('text and bytes', () => {
  // RFC 5952 §4: no leading zeros, the longest run shortened, the first of equals, never a single group; lower case.
  it.each([
    ['2001:0DB8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['192.0.2.33', '192.0.2.33'],
  ])('%s is %s', (text, usual) => {
    expect(sockaddr.addressText(sockaddr.addressBytes(text))).toBe(usual)
  })

  it('maps IPv4 into IPv6 and leaves IPv6 alone', () => {
    expect(hex(sockaddr.mapped16('10.42.0.1'))).toBe('00000000000000000000ffff0a2a0001')
    expect(sockaddr.mapped16('fd00::1')).toEqual(sockaddr.addressBytes('fd00::1'))
  })
})

describe('cidrBytes', () => {
  it('splits address and length', () => {
    expect(sockaddr.cidrBytes('10.42.0.1/24')).toEqual({ bytes: Uint8Array.of(10, 42, 0, 1), prefix: 24 })
    expect(sockaddr.cidrBytes('fd00::/0').prefix).toBe(0)
  })

  it.each([
    '10.42.0.1',
    '10.42.0.1/33',
    'fd00::1/129',
    '10.42.0.1/',
    '/24',
    '10.42.0.1/-1',
    'a/8',
    '10.0.0.1/8/8',
    'fe80::1%2/64',
  ])('refuses %j', (text) => {
    expect(() => sockaddr.cidrBytes(text)).toThrow(TypeError)
  })

  it('knows the same address in two spellings', () => {
    expect(sockaddr.sameCidr('fd00:0::1/64', 'fd00::1/64')).toBe(true)
    expect(sockaddr.sameCidr('fd00::1/64', 'fd00::1/65')).toBe(false)
    expect(sockaddr.sameCidr('10.0.0.1/8', 'fd00::1/8')).toBe(false)
  })
})
