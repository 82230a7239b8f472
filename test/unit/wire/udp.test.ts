import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as udp from '../../../src/wire/udp.ts'
import { hex, place } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

describe('check', () => {
  it.each([
    ['a header alone', '1388 0035 0008 0000', 0],
    ['bytes behind the datagram', '1388 0035 0008 0000 6161', 0],
    ['7 bytes', '1388 0035 0008 00', drop.TRUNCATED],
    ['a length shorter than the header', '1388 0035 0007 0000', drop.TRUNCATED],
    ['a length past the end', '1388 0035 0009 0000', drop.TRUNCATED],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes), 0)
    expect(udp.check(buf, off, end)).toBe(verdict)
  })
})

it('readers read what scapy wrote', () => {
  const { buf, off } = place(frames.udp4.subarray(34))
  expect([udp.srcPort, udp.dstPort, udp.length, udp.checksum].map((read) => read(buf, off))).toEqual([
    5000, 53, 12, 0x12fc,
  ])
})
