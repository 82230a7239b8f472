import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as ipv6 from '../../../src/wire/ipv6.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const ADDRESSES = 'fd000042000000000000000000000001 fd000042000000000000000000000002'
const packet = (frame: Uint8Array) => place(frame.subarray(14))

describe('check', () => {
  it.each([
    ['a header alone', `60000000 0000 3b 40 ${ADDRESSES}`, 0],
    ['padding behind the packet', `60000000 0000 3b 40 ${ADDRESSES} 0000`, 0],
    ['39 bytes', `60000000 0000 3b 40 ${ADDRESSES.slice(0, -2)}`, drop.TRUNCATED],
    ['nothing', '', drop.TRUNCATED],
    ['version 4', `40000000 0000 3b 40 ${ADDRESSES}`, drop.NOT_IP],
    ['payload length past the end', `60000000 0002 3b 40 ${ADDRESSES} 00`, drop.TRUNCATED],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes))
    expect(ipv6.check(buf, off, end)).toBe(verdict)
  })
})

it('readers read what scapy wrote', () => {
  const { buf, off } = packet(frames.tcp6)
  expect(ipv6.payloadLen(buf, off)).toBe(24)
  expect(ipv6.trafficClass(buf, off)).toBe(0xb9)
  expect(ipv6.flowLabel(buf, off)).toBe(0x12345)
  expect(ipv6.nextHeader(buf, off)).toBe(6)
  expect(ipv6.hopLimit(buf, off)).toBe(64)
  expect([0, 1, 2, 3].map((word) => ipv6.srcWord(buf, off, word))).toEqual([0xfd000042 | 0, 0, 0, 1])
  expect([0, 1, 2, 3].map((word) => ipv6.dstWord(buf, off, word))).toEqual([0xfd000042 | 0, 0, 0, 2])
})

describe('upper', () => {
  it.each([
    ['no extension header', frames.udp6, 40, 17, false],
    ['hop-by-hop, routing, destination options', frames.extensions6, 80, 17, false],
    ['hop-by-hop before ICMPv6', frames.multicastReport6, 48, 58, false],
    ['authentication header', frames.authenticated6, 64, 17, false],
    ['the first fragment', frames.firstFragment6, 48, 17, true],
    ['another fragment', frames.nextFragment6, drop.NONE, drop.NONE, true],
    ['a whole packet with a fragment header (RFC 6946)', frames.atomicFragment6, 48, 17, false],
  ])('%s', (_name, frame, at, protocol, fragment) => {
    const { buf, off, end } = packet(frame)
    expect(ipv6.upper(buf, off, end)).toBe(at === drop.NONE ? drop.NONE : off + at)
    expect(ipv6.upperProtocol(buf, off, end)).toBe(protocol)
    expect(ipv6.isFragment(buf, off, end)).toBe(fragment)
  })

  it.each([
    ['behind the end', `60000000 0000 00 40 ${ADDRESSES}`],
    ['cut', `60000000 0007 00 40 ${ADDRESSES} 3b 00 0000000000`],
    ['longer than the packet', `60000000 0008 00 40 ${ADDRESSES} 3b 01 000000000000`],
    ['an authentication header longer than the packet', `60000000 0008 33 40 ${ADDRESSES} 3b 01 000000000000`],
    ['without end', `60000000 0050 3c 40 ${ADDRESSES} ${'3c 00 000000000000'.repeat(10)}`],
  ])('is NONE for an extension header that is %s', (_name, bytes) => {
    const { buf, off, end } = place(hex(bytes), 0x3b)
    expect(ipv6.upper(buf, off, end)).toBe(drop.NONE)
    expect(ipv6.upperProtocol(buf, off, end)).toBe(drop.NONE)
    expect(ipv6.isFragment(buf, off, end)).toBe(false)
  })
})

it.each([0, 1, 2, 3])('setEcn: EC5: sets %d and keeps DSCP and flow label', (ecn) => {
  const { buf, off, end } = packet(frames.tcp6)
  ipv6.setEcn(buf, off, ecn)
  expect(ipv6.trafficClass(buf, off)).toBe(0xb8 | ecn)
  expect(ipv6.flowLabel(buf, off)).toBe(0x12345)
  expect(buf[off]! >>> 4).toBe(6)
  expect(untouched(buf, off, end)).toBe(true)
})

it('write fills 40 bytes and no more', () => {
  const addresses = hex(ADDRESSES)
  const buf = blank(64)
  ipv6.write(buf, 10, 0x04d8, ipv6.ICMPV6, addresses, 16, 0)
  const [one, two] = ADDRESSES.split(' ')
  expect(text(buf.subarray(10, 50))).toBe(`6000000004d83a40${two}${one}`)
  expect(untouched(buf, 10, 50)).toBe(true)
})
