import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as wireguard from '../../../src/wire/wireguard.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'

const message = (head: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(hex(head).subarray(0, length))
  return bytes
}

describe('hasMac2', () => {
  it.each([
    [wireguard.INITIATION_LEN, 132],
    [wireguard.RESPONSE_LEN, 76],
  ])('looks at the last 16 of %i bytes, and at no neighbour', (length, mac2) => {
    const slab = blank(length + 20)
    slab.fill(0, 10 + mac2, 10 + length)
    expect(wireguard.hasMac2(slab, 10, 10 + length)).toBe(false)
    for (const at of [mac2, length - 1]) {
      slab[10 + at] = 1
      expect(wireguard.hasMac2(slab, 10, 10 + length)).toBe(true)
      slab[10 + at] = 0
    }
  })
})

describe('check', () => {
  it.each([
    ['an initiation', '01 000000', 148, wireguard.INITIATION],
    ['a response', '02 000000', 92, wireguard.RESPONSE],
    ['a cookie reply', '03 000000', 64, wireguard.COOKIE_REPLY],
    ['a keepalive', '04 000000', 32, wireguard.TRANSPORT],
    ['a transport message', '04 000000', 1452, wireguard.TRANSPORT],
    ['a transport message whose payload is no multiple of 16', '04 000000', 33, wireguard.TRANSPORT],
    ['type 0', '00 000000', 32, drop.NOT_WIREGUARD],
    ['type 5', '05 000000', 148, drop.NOT_WIREGUARD],
    ['an initiation that is too short', '01 000000', 147, drop.NOT_WIREGUARD],
    ['an initiation that is too long', '01 000000', 149, drop.NOT_WIREGUARD],
    ['a response that is too short', '02 000000', 91, drop.NOT_WIREGUARD],
    ['a response that is too long', '02 000000', 93, drop.NOT_WIREGUARD],
    ['a cookie reply that is too short', '03 000000', 63, drop.NOT_WIREGUARD],
    ['a cookie reply that is too long', '03 000000', 65, drop.NOT_WIREGUARD],
    ['a transport message without a whole tag', '04 000000', 31, drop.NOT_WIREGUARD],
    ['the first reserved byte set', '04 010000', 32, drop.NOT_WIREGUARD],
    ['the second', '04 000100', 32, drop.NOT_WIREGUARD],
    ['the third', '04 000080', 32, drop.NOT_WIREGUARD],
    ['big-endian', '00 000004', 32, drop.NOT_WIREGUARD],
    ['VXLAN', '08 000000', 58, drop.NOT_WIREGUARD],
    ['3 bytes', '04 0000', 3, drop.NOT_WIREGUARD],
    ['nothing', '', 0, drop.NOT_WIREGUARD],
  ])('%s', (_name, head, length, verdict) => {
    const { buf, off, end } = place(message(head, length), 0x00)
    expect(wireguard.check(buf, off, end)).toBe(verdict)
  })
})

describe('a transport message', () => {
  it.each([
    ['04000000 2a000000 0000000000000000', 42, 0],
    ['04000000 ffffffff 0100000000000000', 0xffffffff, 1],
    ['04000000 00000080 ffffffff00000000', 0x80000000, 2 ** 32 - 1],
    ['04000000 04030201 0000000001000000', 0x01020304, 2 ** 32],
    ['04000000 00000000 ffffffffffff1f00', 0, 2 ** 53 - 1],
    ['04000000 00000000 0000000000002000', 0, drop.NONE],
    ['04000000 00000000 ffffffffffffffff', 0, drop.NONE],
  ])('%s: receiver %d, counter %d', (digits, receiver, counter) => {
    const { buf, off } = place(hex(digits), 0xff)
    expect(wireguard.receiver(buf, off)).toBe(receiver)
    expect(wireguard.counter(buf, off)).toBe(counter)
  })

  it.each([
    [42, 0, '04000000 2a000000 0000000000000000'],
    [0xffffffff, 2 ** 32 - 1, '04000000 ffffffff ffffffff00000000'],
    [0x80000000, 2 ** 53 - 1, '04000000 00000080 ffffffffffff1f00'],
    [1, 2 ** 32 + 5, '04000000 01000000 0500000001000000'],
  ])('is written over what was there: receiver %d, counter %d', (receiver, counter, digits) => {
    const buf = blank(48)
    wireguard.writeTransport(buf, 8, receiver, counter)
    expect(text(buf.subarray(8, 24))).toBe(text(hex(digits)))
    expect(untouched(buf, 8, 24)).toBe(true)
  })
})

describe('handshake messages', () => {
  it('have their index where the paper has it', () => {
    const buf = blank(160)
    wireguard.writeInitiation(buf, 4, 0xfedcba98)
    expect(text(buf.subarray(4, 12))).toBe('0100000098badcfe')
    expect(untouched(buf, 4, 12)).toBe(true)
    expect(wireguard.sender(buf, 4)).toBe(0xfedcba98)
    wireguard.writeResponse(buf, 4, 1, 0xfedcba98)
    expect(text(buf.subarray(4, 16))).toBe('020000000100000098badcfe')
    expect(untouched(buf, 4, 16)).toBe(true)
    expect(wireguard.sender(buf, 4)).toBe(1)
    expect(wireguard.responseReceiver(buf, 4)).toBe(0xfedcba98)
    wireguard.writeCookieReply(buf, 4, 0x80000001)
    expect(text(buf.subarray(4, 12))).toBe('0300000001000080')
    expect(wireguard.receiver(buf, 4)).toBe(0x80000001)
  })

  it('are filled by their fields to the last byte', () => {
    const tag = wireguard.TAG_LEN
    expect(wireguard.INITIATION_EPHEMERAL + 32).toBe(wireguard.INITIATION_STATIC)
    expect(wireguard.INITIATION_STATIC + 32 + tag).toBe(wireguard.INITIATION_TIMESTAMP)
    expect(wireguard.INITIATION_TIMESTAMP + 12 + tag).toBe(wireguard.INITIATION_MAC1)
    expect(wireguard.INITIATION_MAC1 + 2 * wireguard.MAC_LEN).toBe(wireguard.INITIATION_LEN)
    expect(wireguard.RESPONSE_EPHEMERAL + 32).toBe(wireguard.RESPONSE_EMPTY)
    expect(wireguard.RESPONSE_EMPTY + tag).toBe(wireguard.RESPONSE_MAC1)
    expect(wireguard.RESPONSE_MAC1 + 2 * wireguard.MAC_LEN).toBe(wireguard.RESPONSE_LEN)
    expect(wireguard.COOKIE_NONCE + 24).toBe(wireguard.COOKIE_SEALED)
    expect(wireguard.COOKIE_SEALED + 16 + tag).toBe(wireguard.COOKIE_REPLY_LEN)
  })
})
