import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as arp from '../../../src/wire/arp.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const REST = '0001 020000000001 0a2a0001 000000000000 0a2a0002'

describe('check', () => {
  it.each([
    ['IPv4 over Ethernet', `0001 0800 06 04 ${REST}`, 0],
    ['27 bytes', `0001 0800 06 04 ${REST.slice(0, -2)}`, drop.TRUNCATED],
    ['other hardware', `0006 0800 06 04 ${REST}`, drop.NOT_IP],
    ['another protocol', `0001 86dd 06 04 ${REST}`, drop.NOT_IP],
    ['hardware addresses of 8 bytes', `0001 0800 08 04 ${REST}`, drop.NOT_IP],
    ['protocol addresses of 16 bytes', `0001 0800 06 10 ${REST}`, drop.NOT_IP],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes), 2)
    expect(arp.check(buf, off, end)).toBe(verdict)
  })
})

it('readers read what scapy wrote', () => {
  const { buf, off } = place(frames.arpReply.subarray(14))
  expect(arp.operation(buf, off)).toBe(arp.REPLY)
  expect([arp.senderHi, arp.senderLo, arp.senderIp].map((read) => read(buf, off))).toEqual([0x0200, 2, 0x0a2a0002])
  expect([arp.targetHi, arp.targetLo, arp.targetIp].map((read) => read(buf, off))).toEqual([0x0200, 1, 0x0a2a0001])
})

it('the reply to the request of scapy is the reply of scapy', () => {
  const { buf, off } = place(frames.arpRequest.subarray(14))
  const out = blank(arp.LEN + 16)
  arp.writeReply(out, 8, buf, off, 0x0200, 2)
  expect(text(out.subarray(8, 8 + arp.LEN))).toBe(text(frames.arpReply.subarray(14)))
  expect(untouched(out, 8, 8 + arp.LEN)).toBe(true)
})
