import { describe, expect, it } from 'vitest'
import { NONE } from '../../../src/drop.ts'
import * as checksum from '../../../src/wire/checksum.ts'
import * as icmp from '../../../src/wire/icmp.ts'
import * as ipv4 from '../../../src/wire/ipv4.ts'
import { blank, place, text, untouched } from '../../support/bytes.ts'
import { bigTcp4, bigTcp6, frames, tooBig4, tooBig6 } from '../../support/packets.ts'

const AT = 50

/** The answer's bytes, or null when none is due; what lies around them must be as before. */
function answer(frame: Uint8Array, l2: boolean, mtu: number): Uint8Array | null {
  const { buf, off, end } = place(frame, 0x45)
  const before = text(buf)
  const out = blank(AT + icmp.MAX_ANSWER + 50)
  const len = icmp.writeTooBig(out, AT, buf, off, end, l2, mtu)
  expect(text(buf)).toBe(before)
  expect(untouched(out, AT, AT + Math.max(len, 0))).toBe(true)
  return len === NONE ? null : out.slice(AT, AT + len)
}

/** A frame with some bytes, counted from its start, replaced. */
function changed(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = Uint8Array.from(frame)
  copy.set(bytes, at)
  return copy
}

describe('MT1, MT3, MT4: writeTooBig', () => {
  it('answers IPv4 as scapy would: MACs and addresses swapped, 576 bytes, checksums right', () => {
    expect(text(answer(bigTcp4, true, 1400)!)).toBe(text(tooBig4))
  })

  it('answers IPv6 as scapy would: 1280 bytes', () => {
    expect(text(answer(bigTcp6, true, 1380)!)).toBe(text(tooBig6))
  })

  it('answers packets without an Ethernet header', () => {
    expect(text(answer(bigTcp4.subarray(14), false, 1400)!)).toBe(text(tooBig4.subarray(14)))
    expect(text(answer(bigTcp6.subarray(14), false, 1380)!)).toBe(text(tooBig6.subarray(14)))
  })

  it('quotes a short packet whole, without what Ethernet padded', () => {
    const padded = new Uint8Array(frames.echo4.length + 20)
    padded.set(frames.echo4)
    const got = answer(padded, true, 1400)!
    expect(got.length).toBe(14 + 20 + 8 + 36)
    expect(text(got.subarray(42))).toBe(text(frames.echo4.subarray(14)))
  })

  it('keeps VLAN tags', () => {
    const got = answer(frames.vlan, true, 1400)!
    expect(text(got.subarray(0, 18))).toBe('0200000000010200000000028100' + '60070800')
    expect(ipv4.dst(got, 18)).toBe(0x0a2a0001)
    const stacked = answer(frames.qinq, true, 1400)!
    expect(text(stacked.subarray(0, 22))).toBe('02000000000102000000000288a8' + '006481000007' + '86dd')
    expect(icmp.mtu6(stacked, 62)).toBe(1400)
  })

  it('quotes options and answers without them', () => {
    const got = answer(changed(frames.options4, 23, 17), true, 1400)!
    expect(ipv4.headerLen(got, 14)).toBe(20)
    expect(got[42]).toBe(0x46)
  })

  it('answers a super-packet: its head, with the length it claims', () => {
    const train = new Uint8Array(14 + 65535)
    train.set(bigTcp4)
    train.set([0xff, 0xff], 16)
    const got = answer(train, true, 1400)!
    expect(got.length).toBe(14 + 576)
    expect(ipv4.totalLen(got, 42)).toBe(65535)
    expect(checksum.finish(checksum.sum(got, 34, got.length, 0))).toBe(0)
  })

  it('answers a packet without DF: it is lost all the same', () => {
    expect(answer(changed(bigTcp4, 20, 0, 0), true, 1400)).not.toBeNull()
  })

  it('answers what was sent to a TCP, UDP or echo port of any kind', () => {
    for (const frame of [frames.tcp4, frames.udp4, frames.echo4, frames.tcp6, frames.udp6, frames.echo6]) {
      expect(answer(frame, true, 1400)).not.toBeNull()
    }
  })

  it('answers the first fragment', () => {
    expect(answer(frames.firstFragment4, true, 1400)).not.toBeNull()
    expect(answer(frames.firstFragment6, true, 1400)).not.toBeNull()
  })
})

describe('gives no answer (RFC 1122 §3.2.2, RFC 4443 §2.4)', () => {
  it.each([
    ['ARP', frames.arpRequest],
    ['LLDP', frames.lldp],
    ['a broadcast', frames.dhcpRequest],
    ['multicast', frames.neighbourSolicitation],
    ['a unicast packet to an Ethernet group', changed(frames.udp4, 0, 0xff)],
    ['a group as Ethernet source', changed(frames.udp4, 6, 0x03)],
    ['another fragment of IPv4', frames.nextFragment4],
    ['another fragment of IPv6', frames.nextFragment6],
    ['IPv4 from 0.0.0.0', changed(frames.udp4, 26, 0, 0, 0, 0)],
    ['IPv4 from 127.0.0.1', changed(frames.udp4, 26, 127, 0, 0, 1)],
    ['IPv4 from multicast', changed(frames.udp4, 26, 239, 1, 1, 1)],
    ['IPv4 to multicast', changed(frames.udp4, 30, 224, 0, 0, 5)],
    ['IPv4 to everybody', changed(frames.udp4, 30, 255, 255, 255, 255)],
    ['IPv6 from ::', changed(frames.udp6, 22, ...new Array<number>(16).fill(0))],
    ['IPv6 from ::1', changed(frames.udp6, 22, ...new Array<number>(15).fill(0), 1)],
    ['IPv6 to multicast', changed(frames.udp6, 38, 0xff, 0x02)],
    ['ICMP whose type is not there', changed(frames.echo4, 16, 0, 20)],
    ['IPv4 that is cut', frames.udp4.subarray(0, 40)],
    ['an IPv6 type with an IPv4 packet', changed(frames.udp4, 12, 0x86, 0xdd)],
    ['13 bytes', frames.udp4.subarray(0, 13)],
    ['nothing', new Uint8Array()],
  ])('to %s', (_name, frame) => expect(answer(frame, true, 1400)).toBeNull())

  it.each([3, 4, 5, 11, 12])('to an ICMP error: type %d', (type) => {
    expect(answer(changed(frames.echo4, 34, type), true, 1400)).toBeNull()
  })

  it.each([1, 2, 3, 4, 100, 127, 137])('to an ICMPv6 error or redirect: type %d', (type) => {
    expect(answer(changed(frames.echo6, 54, type), true, 1400)).toBeNull()
  })

  it('to its own answer', () => {
    expect(answer(answer(bigTcp4, true, 1400)!, true, 600)).toBeNull()
    expect(answer(answer(bigTcp6, true, 1400)!, true, 1300)).toBeNull()
  })

  it('MT7: when no host would believe it', () => {
    expect(answer(bigTcp4, true, 67)).toBeNull()
    expect(answer(bigTcp4, true, 68)).not.toBeNull()
    expect(answer(bigTcp6, true, 1279)).toBeNull()
    expect(answer(bigTcp6, true, 1280)).not.toBeNull()
  })

  it('to other bytes', () => {
    expect(answer(Uint8Array.of(0x50, 0, 0, 0), false, 1400)).toBeNull()
    expect(answer(new Uint8Array(), false, 1400)).toBeNull()
  })
})

it('readers read what scapy wrote', () => {
  expect([icmp.type, icmp.code, icmp.mtu4].map((read) => read(tooBig4, 34))).toEqual([3, 4, 1400])
  expect([icmp.type, icmp.code, icmp.mtu6].map((read) => read(tooBig6, 54))).toEqual([2, 0, 1380])
  expect([icmp.type, icmp.echoId, icmp.echoSeq].map((read) => read(frames.echo4, 34))).toEqual([8, 1, 3])
})
