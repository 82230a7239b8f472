import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as checksum from '../../../src/wire/checksum.ts'
import * as ipv4 from '../../../src/wire/ipv4.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

// A frame's packet.
const packet = (frame: Uint8Array) => place(frame.subarray(14))

describe('check', () => {
  it.each([
    ['a header alone', '45 00 0014 00000000 40 06 0000 0a2a0001 0a2a0002', 0],
    ['options', '46 00 0018 00000000 40 06 0000 0a2a0001 0a2a0002 01010101', 0],
    ['padding behind the packet', '45 00 0014 00000000 40 06 0000 0a2a0001 0a2a0002 0000', 0],
    ['19 bytes', '45 00 0014 00000000 40 06 0000 0a2a0001 0a2a00', drop.TRUNCATED],
    ['nothing', '', drop.TRUNCATED],
    ['version 6', '65 00 0014 00000000 40 06 0000 0a2a0001 0a2a0002', drop.NOT_IP],
    ['IHL 4', '44 00 0014 00000000 40 06 0000 0a2a0001 0a2a0002', drop.NOT_IP],
    ['IHL past the end', '4f 00 003c 00000000 40 06 0000 0a2a0001 0a2a0002', drop.TRUNCATED],
    ['total length shorter than the header', '45 00 0013 00000000 40 06 0000 0a2a0001 0a2a0002', drop.NOT_IP],
    ['total length inside the options', '46 00 0017 00000000 40 06 0000 0a2a0001 0a2a0002 01010101', drop.NOT_IP],
    ['total length past the end', '45 00 0015 00000000 40 06 0000 0a2a0001 0a2a0002', drop.TRUNCATED],
    ['total length 0', '45 00 0000 00000000 40 06 0000 0a2a0001 0a2a0002', drop.NOT_IP],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes))
    expect(ipv4.check(buf, off, end)).toBe(verdict)
  })
})

describe('readers', () => {
  it('read what scapy wrote', () => {
    const { buf, off } = packet(frames.tcp4)
    expect(ipv4.headerLen(buf, off)).toBe(20)
    expect(ipv4.totalLen(buf, off)).toBe(45)
    expect(ipv4.tos(buf, off)).toBe(0)
    expect(ipv4.ident(buf, off)).toBe(0x1234)
    expect(ipv4.hasDf(buf, off)).toBe(true)
    expect(ipv4.isFragment(buf, off)).toBe(false)
    expect(ipv4.fragmentOffset(buf, off)).toBe(0)
    expect(ipv4.ttl(buf, off)).toBe(64)
    expect(ipv4.protocol(buf, off)).toBe(ipv4.TCP)
    expect(ipv4.src(buf, off)).toBe(0x0a2a0001)
    expect(ipv4.dst(buf, off)).toBe(0x0a2a0002)
  })

  it.each([
    ['a whole packet', frames.udp4, false, 0, false],
    ['the first fragment', frames.firstFragment4, true, 0, false],
    ['the last fragment', frames.nextFragment4, true, 24, false],
  ])('know fragments: %s', (_name, frame, fragment, offset, df) => {
    const { buf, off } = packet(frame)
    expect(ipv4.isFragment(buf, off)).toBe(fragment)
    expect(ipv4.fragmentOffset(buf, off)).toBe(offset)
    expect(ipv4.hasDf(buf, off)).toBe(df)
  })

  it('read addresses as int32', () => {
    const { buf, off } = place(hex('45 00 0014 00000000 40 06 0000 c6120001 ffffffff'))
    expect(ipv4.src(buf, off)).toBe(0xc6120001 | 0)
    expect(ipv4.dst(buf, off)).toBe(-1)
  })

  it('count options', () => {
    const { buf, off } = packet(frames.options4)
    expect(ipv4.headerLen(buf, off)).toBe(24)
  })
})

describe('setEcn', () => {
  it.each([0, 1, 2, 3])('EC5: sets %d, keeps the DSCP, and the checksum stays right', (ecn) => {
    const { buf, off, end } = packet(frames.udp4)
    ipv4.setEcn(buf, off, ecn)
    expect(ipv4.tos(buf, off)).toBe(0xb8 | ecn)
    expect(checksum.finish(checksum.sum(buf, off, off + 20, 0))).toBe(0)
    expect(untouched(buf, off, end)).toBe(true)
  })

  // RFC 1624 §3: where the carry of the first fold makes a second one.
  it.each([0x0000, 0x0001, 0x0002, 0xfffe])('mends a checksum of %d', (sum) => {
    const { buf, off } = place(hex('45 00 0014 0000 0000 40 11 0000 0a2a0001 0a2a0002'))
    const id = checksum.finish(checksum.sum(buf, off, off + 20, sum))
    buf.set([id >> 8, id & 255, 0, 0, 64, 17, sum >> 8, sum & 255], off + 4)
    for (const ecn of [3, 0, 2, 1, 3, 1, 2, 0]) {
      ipv4.setEcn(buf, off, ecn)
      expect(checksum.finish(checksum.sum(buf, off, off + 20, 0)), `ECN ${ecn}`).toBe(0)
    }
    expect((buf[off + 10]! << 8) | buf[off + 11]!).toBe(sum)
  })

  it('leaves a wrong checksum wrong', () => {
    const { buf, off } = packet(frames.udp4)
    buf[off + 10]! ^= 0x40
    ipv4.setEcn(buf, off, 3)
    expect(checksum.finish(checksum.sum(buf, off, off + 20, 0))).not.toBe(0)
  })
})

it('write makes a header with DF, TTL 64 and a right checksum, and no byte more', () => {
  const buf = blank(40)
  ipv4.write(buf, 10, 0x0240, ipv4.ICMP, 0x0a2a0002, 0x0a2a0001)
  // scapy: IP(src='10.42.0.2', dst='10.42.0.1', id=0, flags='DF', ttl=64, proto=1, len=576)
  expect(text(buf.subarray(10, 30))).toBe('450002400000400040012467' + '0a2a00020a2a0001')
  expect(untouched(buf, 10, 30)).toBe(true)
})
