import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as vxlan from '../../../src/wire/vxlan.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

describe('check', () => {
  it.each([
    ['a header', '08 000000 00002a 00', 0],
    ['VX6: all other flags set', 'ff 000000 00002a 00', 0],
    ['VX6: both reserved fields full', '08 ffffff 00002a ff', 0],
    ['VX7: no I flag', '00 000000 00002a 00', drop.VXLAN_NO_VNI],
    ['VX7: every flag but I', 'f7 ffffff 00002a ff', drop.VXLAN_NO_VNI],
    ['7 bytes', '08 000000 00002a', drop.TRUNCATED],
    ['nothing', '', drop.TRUNCATED],
    ['too short goes before no I flag', '00', drop.TRUNCATED],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes), 0x08)
    expect(vxlan.check(buf, off, end)).toBe(verdict)
  })
})

describe('vni', () => {
  it.each([
    ['00002a', 42],
    ['000000', 0],
    ['ffffff', vxlan.MAX_VNI],
    ['800000', 0x800000],
  ])('VX8: reads %s as %d and nothing beside it', (digits, value) => {
    const { buf, off } = place(hex(`08 ffffff ${digits} ff`))
    expect(vxlan.vni(buf, off)).toBe(value)
  })

  it('is 42 in a header of another hand', () => {
    expect(vxlan.check(frames.vxlan, 42, frames.vxlan.length)).toBe(0)
    expect(vxlan.vni(frames.vxlan, 42)).toBe(42)
  })
})

describe('write', () => {
  it.each([
    [0, '0800000000000000'],
    [42, '0800000000002a00'],
    [0x123456, '0800000012345600'],
    [vxlan.MAX_VNI, '08000000ffffff00'],
  ])('VX4, VX5, VX8: VNI %d: I flag, all else zero, 8 bytes', (vni, bytes) => {
    const buf = blank(24)
    vxlan.write(buf, 8, vni)
    expect(text(buf.subarray(8, 16))).toBe(bytes)
    expect(untouched(buf, 8, 16)).toBe(true)
  })
})
