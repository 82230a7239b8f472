import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as igmp from '../../../src/wire/igmp.ts'
import { place } from '../../support/bytes.ts'
import { igmpFrames } from '../../support/group-packets.ts'

/** Behind Ethernet and the IPv4 header, whose options only report1 lacks. */
const message = (frame: Uint8Array) => place(frame.subarray(14 + (frame[14]! & 15) * 4))
const GROUP = 0xef010101 | 0

describe('check', () => {
  it.each(Object.entries(igmpFrames))('takes %s as scapy wrote it', (_name, frame) => {
    const { buf, off, end } = message(frame)
    expect(igmp.check(buf, off, end)).toBe(0)
  })

  it('refuses a wrong checksum, another type, and what is cut', () => {
    const { buf, off, end } = message(igmpFrames.report2)
    expect(igmp.check(buf, off, end - 1)).toBe(drop.TRUNCATED)
    buf[off + 7]! ^= 1
    expect(igmp.check(buf, off, end)).toBe(drop.NOT_IP)
    buf[off + 7]! ^= 1
    buf[off] = 0x13
    expect(igmp.check(buf, off, end)).toBe(drop.NOT_IP)
  })
})

it.each([
  ['report1', igmp.REPORT_V1, GROUP],
  ['report2', igmp.REPORT_V2, GROUP],
  ['leave', igmp.LEAVE, GROUP],
  ['query2', igmp.QUERY, 0],
] as const)('%s: type and group', (name, type, group) => {
  const { buf, off } = message(igmpFrames[name])
  expect([igmp.type(buf, off), igmp.group(buf, off)]).toEqual([type, group])
})

it('a v3 query says how long members count (RFC 3376 §8.4), a v2 query does not', () => {
  const three = message(igmpFrames.query3)
  expect(igmp.membershipSec(three.buf, three.off, three.end)).toBe(3 * 3072 + 10)
  const two = message(igmpFrames.query2)
  expect(igmp.membershipSec(two.buf, two.off, two.end)).toBe(0)
})

it('records of a v3 report, one behind the other', () => {
  const { buf, off, end } = message(igmpFrames.report3)
  expect(igmp.records(buf, off)).toBe(3)
  const seen: number[][] = []
  let at = igmp.firstRecord(off)
  for (let n = 0; n < 3; n++) {
    seen.push([buf[at]!, igmp.recordGroup(buf, at) >>> 0, igmp.sources(buf, at)])
    at = igmp.nextRecord(buf, at, end)
  }
  expect(seen).toEqual([
    [igmp.TO_EXCLUDE, 0xef010101, 0],
    [igmp.ALLOW, 0xef010102, 2],
    [igmp.TO_INCLUDE, 0xef010103, 0],
  ])
  expect(at).toBe(end)
  expect(igmp.nextRecord(buf, at, end)).toBe(drop.NONE)
  expect(igmp.nextRecord(buf, igmp.firstRecord(off) + 8, end - 9)).toBe(drop.NONE)
})

// RFC 3376 §4.2.12: what a record of each type, without and with a source, says.
it.each([
  [igmp.IS_INCLUDE, 'leaves', 'joins'],
  [igmp.IS_EXCLUDE, 'joins', 'joins'],
  [igmp.TO_INCLUDE, 'leaves', 'joins'],
  [igmp.TO_EXCLUDE, 'joins', 'joins'],
  [igmp.ALLOW, 'nothing', 'joins'],
  [igmp.BLOCK, 'nothing', 'nothing'],
  [7, 'nothing', 'nothing'],
])('record type %i says: %s, with a source %s', (kind, bare, withSource) => {
  const said = (n: number) => (igmp.joins(kind, n) ? 'joins' : igmp.leaves(kind, n) ? 'leaves' : 'nothing')
  expect([said(0), said(1)]).toEqual([bare, withSource])
})

// RFC 3376 §4.1.1: 1 | exp (3) | mant (4) is (mant | 16) << (exp + 3).
it.each([
  [0, 0],
  [127, 127],
  [128, 128],
  [0x8f, 248],
  [200, 3072],
  [255, 31744],
])('code %i is %i', (value, number) => expect(igmp.code(value)).toBe(number))
