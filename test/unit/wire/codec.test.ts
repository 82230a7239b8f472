// The codecs that packets pass: values by hand from the RFCs, scapy's frames read back, and no byte outside touched.
import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as checksum from '../../../src/wire/checksum.ts'
import * as ecn from '../../../src/wire/ecn.ts'
import * as ethernet from '../../../src/wire/ethernet.ts'
import * as flow from '../../../src/wire/flow.ts'
import * as icmp from '../../../src/wire/icmp.ts'
import * as ipv4 from '../../../src/wire/ipv4.ts'
import * as ipv6 from '../../../src/wire/ipv6.ts'
import * as vxlan from '../../../src/wire/vxlan.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

describe('vxlan', () => {
  it('writes I set and everything reserved zero (VX4, VX5, VX8)', () => {
    const buf = blank(20)
    vxlan.write(buf, 6, 0xabcdef)
    expect(text(buf.subarray(6, 14))).toBe('08000000abcdef00')
    expect(untouched(buf, 6, 14)).toBe(true)
    expect(vxlan.vni(buf, 6)).toBe(0xabcdef)
  })

  for (const [header, answer, why] of [
    ['08 000000 00002a 00', 0, 'I alone'],
    ['ff ffffff 00002a ff', 0, 'any reserved bits (VX6)'],
    ['f7 000000 00002a 00', drop.VXLAN_NO_VNI, 'no I (VX7)'],
    ['08 000000 00002a', drop.TRUNCATED, 'seven bytes'],
    ['', drop.TRUNCATED, 'nothing'],
  ] as const) {
    it(`answers ${answer} for ${why}`, () => {
      const { buf, off, end } = place(hex(header), 0xff)
      expect(vxlan.check(buf, off, end)).toBe(answer)
    })
  }
})

describe('ecn', () => {
  // RFC 6040 §4.2, figure 4. Rows: inner; columns: outer Not-ECT, ECT(0), ECT(1), CE.
  const order = [ecn.NOT_ECT, ecn.ECT0, ecn.ECT1, ecn.CE]
  const table = [
    [ecn.NOT_ECT, ecn.NOT_ECT, ecn.NOT_ECT, drop.ECN_CE_ON_NOT_ECT],
    [ecn.ECT0, ecn.ECT0, ecn.ECT1, ecn.CE],
    [ecn.ECT1, ecn.ECT1, ecn.ECT1, ecn.CE],
    [ecn.CE, ecn.CE, ecn.CE, ecn.CE],
  ]
  for (const [row, inner] of order.entries()) {
    for (const [column, outer] of order.entries()) {
      it(`inner ${inner}, outer ${outer} (VX30)`, () => {
        expect(ecn.decapsulate(inner, outer)).toBe(table[row]![column])
      })
    }
  }

  it('copies the inner bits alone (EC1, EC5)', () => {
    for (let tos = 0; tos < 256; tos++) expect(ecn.encapsulate(tos)).toBe(tos & 3)
  })

  it('marks an IPv4 packet and keeps its checksum right', () => {
    for (const value of [0, 1, 2, 3]) {
      const { buf, off } = place(frames.udp4)
      const ip = off + ethernet.LEN
      ipv4.setEcn(buf, ip, value)
      expect(ipv4.tos(buf, ip)).toBe(0xb8 | value)
      expect(checksum.finish(checksum.sum(buf, ip, ip + 20, 0))).toBe(0)
    }
  })

  it('marks an IPv6 packet and nothing beside', () => {
    const { buf, off, end } = place(frames.tcp6)
    ipv6.setEcn(buf, off + ethernet.LEN, 3)
    expect(ipv6.trafficClass(buf, off + ethernet.LEN)).toBe(0xbb)
    expect(ipv6.flowLabel(buf, off + ethernet.LEN)).toBe(0x12345)
    expect(untouched(buf, off, end)).toBe(true)
  })
})

describe('headers', () => {
  it('reads an Ethernet header, writes the same', () => {
    const { buf, off, end } = place(frames.tcp4)
    expect(ethernet.check(buf, off, end)).toBe(0)
    const read = [ethernet.dstHi, ethernet.dstLo, ethernet.srcHi, ethernet.srcLo, ethernet.etherType].map((f) =>
      f(buf, off),
    )
    expect(read).toEqual([0x0200, 2, 0x0200, 1, ethernet.IPV4])
    const out = blank(30)
    ethernet.write(out, 8, ...(read as [number, number, number, number, number]))
    expect(text(out.subarray(8, 22))).toBe(text(frames.tcp4.subarray(0, 14)))
    expect(untouched(out, 8, 22)).toBe(true)
  })

  it('reads IPv4 and IPv6 headers', () => {
    const four = place(frames.tcp4.subarray(14))
    expect(ipv4.check(four.buf, four.off, four.end)).toBe(0)
    expect([ipv4.src, ipv4.dst, ipv4.totalLen, ipv4.protocol].map((f) => f(four.buf, four.off))).toEqual([
      0x0a2a0001,
      0x0a2a0002,
      45,
      ipv4.TCP,
    ])
    const six = place(frames.tcp6.subarray(14))
    expect(ipv6.check(six.buf, six.off, six.end)).toBe(0)
    expect([0, 1, 2, 3].map((w) => ipv6.dstWord(six.buf, six.off, w) >>> 0)).toEqual([0xfd000042, 0, 0, 2])
  })

  it('refuses headers that are cut, of the wrong version, or longer than what is there', () => {
    const packet = frames.udp4.subarray(14)
    for (let n = 0; n < packet.length; n++) {
      const { buf, off, end } = place(packet.subarray(0, n), 0xff)
      expect(ipv4.check(buf, off, end)).toBeLessThan(-1)
    }
    const wrong = place(Uint8Array.from(packet, (byte, k) => (k === 0 ? 0x65 : byte)))
    expect(ipv4.check(wrong.buf, wrong.off, wrong.end)).toBe(drop.NOT_IP)
    const short = place(Uint8Array.from(packet, (byte, k) => (k === 0 ? 0x44 : byte)))
    expect(ipv4.check(short.buf, short.off, short.end)).toBe(drop.NOT_IP)
  })
})

describe('flow', () => {
  const hash = (frame: Uint8Array, seed = 7): number => {
    const { buf, off, end } = place(frame)
    return flow.hash(buf, off, end, true, seed)
  }

  it('is the same for one flow and differs by port, host and seed (VX11)', () => {
    const other = Uint8Array.from(frames.udp4)
    other[14 + 20 + 1] ^= 1
    const payload = Uint8Array.from(frames.udp4)
    payload[payload.length - 1] ^= 1
    expect(hash(frames.udp4)).toBe(hash(payload))
    expect(hash(frames.udp4)).not.toBe(hash(other))
    expect(hash(frames.udp4)).not.toBe(hash(frames.tcp4))
    expect(hash(frames.udp4)).not.toBe(hash(frames.udp4, 8))
    expect(hash(frames.arpRequest)).not.toBe(hash(frames.arpReply))
  })

  it('spreads ports evenly over 64 sockets', () => {
    const counts = new Array<number>(64).fill(0)
    for (let port = 0; port < 6400; port++) {
      const frame = Uint8Array.from(frames.udp4)
      frame[34] = port >> 8
      frame[35] = port & 255
      counts[(hash(frame) & 0xffff) % 64]!++
    }
    expect(Math.min(...counts)).toBeGreaterThan(50)
    expect(Math.max(...counts)).toBeLessThan(160)
  })
})

describe('too big', () => {
  const answer = (frame: Uint8Array, l2: boolean, mtu: number): Uint8Array | null => {
    const { buf, off, end } = place(frame)
    const out = blank(2000)
    const n = icmp.writeTooBig(out, 100, buf, off, end, l2, mtu)
    if (n === drop.NONE) return null
    expect(untouched(out, 100, 100 + n)).toBe(true)
    return out.subarray(100, 100 + n)
  }

  it('answers IPv4 from its own destination, MACs swapped, with right checksums (RFC 1191)', () => {
    const got = answer(frames.tcp4, true, 1234)!
    expect(text(got.subarray(0, 14))).toBe('0200000000010200000000020800')
    expect(ipv4.check(got, 14, got.length)).toBe(0)
    expect([ipv4.src(got, 14), ipv4.dst(got, 14), ipv4.protocol(got, 14)]).toEqual([0x0a2a0002, 0x0a2a0001, 1])
    expect([icmp.type(got, 34), icmp.code(got, 34), icmp.mtu4(got, 34)]).toEqual([3, 4, 1234])
    expect(checksum.finish(checksum.sum(got, 14, 34, 0))).toBe(0)
    expect(checksum.finish(checksum.sum(got, 34, got.length, 0))).toBe(0)
    expect(text(got.subarray(42))).toBe(text(frames.tcp4.subarray(14)))
  })

  it('answers IPv6 (RFC 4443 §3.2)', () => {
    const got = answer(frames.tcp6, true, 1300)!
    expect([icmp.type(got, 54), icmp.code(got, 54), icmp.mtu6(got, 54)]).toEqual([2, 0, 1300])
    const pseudo = checksum.pseudo6(got, 14, 58, got.length - 54)
    expect(checksum.finish(checksum.sum(got, 54, got.length, pseudo))).toBe(0)
  })

  it('answers into a layer 3 network without an Ethernet header', () => {
    const got = answer(frames.udp4.subarray(14), false, 1400)!
    expect(ipv4.check(got, 0, got.length)).toBe(0)
  })

  it('never answers an error, a group, or what is no IP (RFC 1122 §3.2.2)', () => {
    const error = answer(frames.tcp4, true, 1400)!
    expect(answer(error, true, 1400)).toBeNull()
    expect(answer(frames.arpRequest, true, 1400)).toBeNull()
    const group = Uint8Array.from(frames.udp4)
    group.set([224, 0, 0, 5], 30)
    expect(answer(group, true, 1400)).toBeNull()
    const later = Uint8Array.from(frames.udp4)
    later.set([0x00, 0x10], 20)
    expect(answer(later, true, 1400)).toBeNull()
  })
})
