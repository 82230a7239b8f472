import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as tcp from '../../../src/wire/tcp.ts'
import { hex, place, text } from '../../support/bytes.ts'
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

describe('the segment size', () => {
  /** A SYN with these options. */
  const syn = (options: string): Uint8Array => {
    const bytes = hex(`${START} 00 02 ffff dd2f 0000 ${options}`)
    bytes[12] = (bytes.length >> 2) << 4
    return bytes
  }

  it.each([
    ['alone', '02045555', 22],
    ['behind others', '0402 080a0000000000000000 02045555', 34],
    ['behind one byte of nothing', '01 02045555 010101', 23],
    ['before nonsense', '02045555 09000000', 22],
    ['missing', '0402 0303 0701', drop.NONE],
    ['without options', '', drop.NONE],
    ['behind the end', '00000000 02045555', drop.NONE],
    ['behind an option of length 0', '09000000 02045555', drop.NONE],
    ['behind one of length 1', '0901 0101 02045555', drop.NONE],
    ['behind one that is longer than the header', '09100000 02045555', drop.NONE],
    ['of length 3', '02035501', drop.NONE],
    ['of length 6', '020655550000 0101', drop.NONE],
    ['cut', '010102 04', drop.NONE],
    ['of which there is only the kind', '01010102', drop.NONE],
  ])('%s', (_name, options, at) => {
    const { buf, off } = place(syn(options))
    expect(tcp.mssAt(buf, off)).toBe(at === drop.NONE ? at : off + at)
  })

  it.each([
    // RFC 1624 §4: a word 0x5555 becomes 0x3285, a checksum 0xdd2f 0x0000 and not 0xffff.
    ['is lowered, with its checksum', 0x3285, true, '0000 0000 02043285'],
    ['is lowered alone where the checksum is to come', 0x3285, false, 'dd2f 0000 02043285'],
    ['is not raised', 0x5556, true, 'dd2f 0000 02045555'],
    ['stays what it is', 0x5555, true, 'dd2f 0000 02045555'],
  ])('%s', (_name, mss, summed, after) => {
    const { buf, off, end } = place(syn('02045555'))
    tcp.lowerMss(buf, off, tcp.mssAt(buf, off), mss, summed)
    expect(text(buf.subarray(off + 16, end))).toBe(text(hex(after)))
  })
})
