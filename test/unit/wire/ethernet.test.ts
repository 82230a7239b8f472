import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as ethernet from '../../../src/wire/ethernet.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const MACS = 'f2ffffff0102 0e8000000304'

describe('check', () => {
  it('takes a bare header', () => {
    const { buf, off, end } = place(hex(`${MACS} 0800`))
    expect(ethernet.check(buf, off, end)).toBe(0)
  })

  it('refuses 13 bytes, whatever follows them in the slab', () => {
    const { buf, off, end } = place(hex(`${MACS} 0800`))
    expect(ethernet.check(buf, off, end - 1)).toBe(drop.TRUNCATED)
    expect(ethernet.check(buf, off, off)).toBe(drop.TRUNCATED)
  })
})

describe('readers', () => {
  it('read MACs as 16 bits and an int32, and the type', () => {
    const { buf, off } = place(hex(`${MACS} 86dd`))
    expect(ethernet.dstHi(buf, off)).toBe(0xf2ff)
    expect(ethernet.dstLo(buf, off)).toBe(0xffff0102 | 0)
    expect(ethernet.srcHi(buf, off)).toBe(0x0e80)
    expect(ethernet.srcLo(buf, off)).toBe(0x00000304)
    expect(ethernet.etherType(buf, off)).toBe(ethernet.IPV6)
  })

  it.each([
    ['unicast', '020000000001', false],
    ['broadcast', 'ffffffffffff', true],
    ['IPv4 multicast', '01005e000001', true],
    ['IPv6 multicast', '333300000001', true],
    ['only the lowest bit of the first byte counts', 'fe0101010101', false],
  ])('tell a group: %s', (_name, mac, group) => {
    const to = place(hex(`${mac} 020000000001 0800`))
    expect(ethernet.isGroup(to.buf, to.off)).toBe(group)
    const from = place(hex(`020000000001 ${mac} 0800`))
    expect(ethernet.isGroupSource(from.buf, from.off)).toBe(group)
  })
})

describe('VLAN tags', () => {
  it.each([
    ['none', `${MACS} 0800 45000000`, false, 14, 0x0800],
    ['802.1Q (VX17, VX18)', `${MACS} 8100 0007 0800`, true, 18, 0x0800],
    ['802.1ad', `${MACS} 88a8 0064 86dd`, true, 18, 0x86dd],
    ['the old number for stacked tags', `${MACS} 9100 0064 0806`, true, 18, 0x0806],
    ['two tags', `${MACS} 88a8 0064 8100 0007 0800`, true, 22, 0x0800],
    ['a third tag is payload', `${MACS} 88a8 0064 8100 0007 8100 0008 0800`, true, 22, 0x8100],
    ['a tag that is cut', `${MACS} 8100 00`, true, 14, 0x8100],
    ['a second tag that is cut', `${MACS} 88a8 0064 8100 0007 08`, true, 18, 0x8100],
  ])('%s', (_name, bytes, tagged, len, type) => {
    const { buf, off, end } = place(hex(bytes))
    expect(ethernet.isTagged(buf, off)).toBe(tagged)
    const header = ethernet.headerLen(buf, off, end)
    expect(header).toBe(len)
    expect((buf[off + header - 2]! << 8) | buf[off + header - 1]!).toBe(type)
  })

  it('are found in frames of another hand', () => {
    expect(ethernet.headerLen(frames.vlan, 0, frames.vlan.length)).toBe(18)
    expect(ethernet.headerLen(frames.qinq, 0, frames.qinq.length)).toBe(22)
  })
})

it('write fills 14 bytes and no more', () => {
  const buf = blank(32)
  ethernet.write(buf, 8, 0xffff, -1, 0x0200, 1, ethernet.ARP)
  expect(text(buf.subarray(8, 22))).toBe('ffffffffffff0200000000010806')
  expect(untouched(buf, 8, 22)).toBe(true)
})
