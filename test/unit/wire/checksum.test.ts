import { describe, expect, it } from 'vitest'
import * as checksum from '../../../src/wire/checksum.ts'
import { hex, place } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

it('sums the example of RFC 1071 §3', () => {
  const { buf, off, end } = place(hex('0001 f203 f4f5 f6f7'))
  expect(checksum.sum(buf, off, end, 0)).toBe(0x2ddf0)
  expect(checksum.finish(0x2ddf0)).toBe(~0xddf2 & 0xffff)
})

describe('sum', () => {
  it.each([
    ['nothing', '', 0],
    ['an odd byte counts as a high one', '01', 0x0100],
    ['three bytes', '0001 02', 0x0201],
  ])('%s', (_name, bytes, value) => {
    const { buf, off, end } = place(hex(bytes), 0xff)
    expect(checksum.sum(buf, off, end, 0)).toBe(value)
  })

  it('chains', () => {
    const { buf, off, end } = place(frames.tcp4)
    const parts = checksum.sum(buf, off + 10, end, checksum.sum(buf, off, off + 10, 5))
    expect(parts).toBe(checksum.sum(buf, off, end, 5))
  })
})

describe('over a whole upper packet with its pseudo-header: 0', () => {
  it.each([
    ['TCP over IPv4', frames.tcp4, 6, 34, 25],
    ['UDP over IPv4', frames.udp4, 17, 34, 12],
  ])('%s', (_name, frame, protocol, at, length) => {
    const pseudo = checksum.pseudo4(frame, 14, protocol, length)
    expect(checksum.finish(checksum.sum(frame, at, at + length, pseudo))).toBe(0)
  })

  it.each([
    ['TCP over IPv6', frames.tcp6, 6, 24],
    ['UDP over IPv6', frames.udp6, 17, 12],
    ['ICMPv6', frames.echo6, 58, 16],
  ])('%s', (_name, frame, protocol, length) => {
    const pseudo = checksum.pseudo6(frame, 14, protocol, length)
    expect(checksum.finish(checksum.sum(frame, 54, 54 + length, pseudo))).toBe(0)
  })

  it('a changed byte shows', () => {
    const frame = Uint8Array.from(frames.udp4)
    frame[44]! ^= 1
    const pseudo = checksum.pseudo4(frame, 14, 17, 12)
    expect(checksum.finish(checksum.sum(frame, 34, 46, pseudo))).not.toBe(0)
  })
})

it('finish folds sums far beyond 32 bits', () => {
  const words = 2 ** 36
  // 2^36 words of 0xffff are 0 in one's complement, kept as 0xffff.
  expect(checksum.finish(0xffff * words)).toBe(0)
  expect(checksum.finish(0xffff * words + 1)).toBe(0xfffe)
})
