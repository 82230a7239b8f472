import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as tcp from '../../../src/wire/tcp.ts'
import { hex, place } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const START = '9c40 01bb fffffffe 80000000'

describe('check', () => {
  it.each([
    ['a header alone', `${START} 50 10 ffff 0000 0000`, 0],
    ['options', `${START} 60 10 ffff 0000 0000 01010101`, 0],
    ['19 bytes', `${START} 50 10 ffff 0000 00`, drop.TRUNCATED],
    ['an offset shorter than the header', `${START} 40 10 ffff 0000 0000`, drop.TRUNCATED],
    ['an offset past the end', `${START} 60 10 ffff 0000 0000 010101`, drop.TRUNCATED],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes), 0)
    expect(tcp.check(buf, off, end)).toBe(verdict)
  })
})

describe('readers', () => {
  it('read what scapy wrote', () => {
    const { buf, off } = place(frames.tcp4.subarray(34))
    expect([tcp.srcPort, tcp.dstPort, tcp.seq, tcp.ack].map((read) => read(buf, off))).toEqual([40000, 443, 1000, 2000])
    expect([tcp.headerLen, tcp.flags, tcp.window, tcp.checksum].map((read) => read(buf, off))).toEqual([
      20,
      tcp.PSH | tcp.ACK,
      502,
      0xabf5,
    ])
  })

  it('give sequence numbers unsigned', () => {
    const { buf, off } = place(hex(`${START} 50 10 ffff 0000 0000`))
    expect(tcp.seq(buf, off)).toBe(0xfffffffe)
    expect(tcp.ack(buf, off)).toBe(0x80000000)
  })
})
