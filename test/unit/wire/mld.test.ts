import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as igmp from '../../../src/wire/igmp.ts'
import * as mld from '../../../src/wire/mld.ts'
import { hex, place } from '../../support/bytes.ts'
import { mldFrames } from '../../support/group-packets.ts'

/** Behind Ethernet, IPv6 and the router alert. */
const message = (frame: Uint8Array) => place(frame.subarray(14 + 40 + 8))
const words = (read: (n: number) => number) => [0, 1, 2, 3].map((n) => read(n) >>> 0)

describe('check', () => {
  it.each(Object.entries(mldFrames))('takes %s as scapy wrote it', (_name, frame) => {
    const { buf, off, end } = message(frame)
    expect(mld.check(buf, off, end)).toBe(0)
  })

  it.each([
    ['seven bytes', '8f 00 0000 0000 00', drop.TRUNCATED],
    ['a query without its group', '82 00 0000 2710 0000 00', drop.TRUNCATED],
    ['an echo request', '80 00 0000 0000 0000', drop.NOT_IP],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes))
    expect(mld.check(buf, off, end)).toBe(verdict)
  })
})

it.each([
  ['report1', mld.REPORT_V1, [0xff050000, 0, 0, 0x42]],
  ['done', mld.DONE, [0xff050000, 0, 0, 0x42]],
  ['query1', mld.QUERY, [0, 0, 0, 0]],
] as const)('%s: type and group', (name, type, group) => {
  const { buf, off } = message(mldFrames[name])
  expect(mld.type(buf, off)).toBe(type)
  expect(words((n) => mld.groupWord(buf, off, n))).toEqual(group)
})

it('a v2 query says how long members count (RFC 3810 §9.4), a v1 query does not', () => {
  const two = message(mldFrames.query2)
  expect(mld.membershipSec(two.buf, two.off, two.end)).toBe(3 * 3072 + 10)
  // RFC 3810 §5.1.3: 1 | exp (3) | mant (12) milliseconds.
  two.buf.set([0x80, 0x00], two.off + 4)
  expect(mld.membershipSec(two.buf, two.off, two.end)).toBe(3 * 3072 + 33)
  const one = message(mldFrames.query1)
  expect(mld.membershipSec(one.buf, one.off, one.end)).toBe(0)
})

it('records of a v2 report, one behind the other', () => {
  const { buf, off, end } = message(mldFrames.report2)
  expect(mld.records(buf, off)).toBe(3)
  const seen: number[][] = []
  let at = mld.firstRecord(off)
  for (let n = 0; n < 3; n++) {
    seen.push([buf[at]!, mld.recordWord(buf, at, 3), mld.sources(buf, at)])
    at = mld.nextRecord(buf, at, end)
  }
  expect(seen).toEqual([
    [igmp.TO_EXCLUDE, 0x42, 0],
    [igmp.TO_INCLUDE, 0x43, 0],
    [igmp.ALLOW, 0x44, 1],
  ])
  expect(at).toBe(end)
  expect(mld.nextRecord(buf, at, end)).toBe(drop.NONE)
})
