import { describe, expect, it } from 'vitest'
import * as print from '../../../src/wire/print.ts'
import { hex, place } from '../../support/bytes.ts'
import { frames, tooBig4, tooBig6 } from '../../support/packets.ts'

function line(bytes: Uint8Array, l2 = true): string {
  const { buf, off, end } = place(bytes)
  return print.line(buf, off, end, l2)
}

const HEAD = '02:00:00:00:00:01 > 02:00:00:00:00:02'

// What `tcpdump -e -n` says of the same frames, less its ports by name, its checksums and its options.
describe('one line for each kind of frame', () => {
  it.each([
    [
      'tcp4',
      `${HEAD}, IPv4, length 59: 10.42.0.1.40000 > 10.42.0.2.443: Flags [P.], seq 1000:1005, ack 2000, win 502, length 5`,
    ],
    ['udp4', `${HEAD}, IPv4, length 46: 10.42.0.1.5000 > 10.42.0.2.53: UDP, length 4, tos 0xba`],
    [
      'tcp6',
      `${HEAD}, IPv6, length 78: fd00:42::1.40000 > fd00:42::2.443: Flags [S], seq 1, win 8192, length 0, class 0xb9`,
    ],
    ['udp6', `${HEAD}, IPv6, length 66: fd00:42::1.5000 > fd00:42::2.53: UDP, length 4`],
    ['arpRequest', '02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP, length 42: Request who-has 10.42.0.2 tell 10.42.0.1'],
    ['arpReply', '02:00:00:00:00:02 > 02:00:00:00:00:01, ARP, length 42: Reply 10.42.0.2 is-at 02:00:00:00:00:02'],
    ['echo4', `${HEAD}, IPv4, length 50: 10.42.0.1 > 10.42.0.2: ICMP echo request, id 1, seq 3, length 16`],
    ['echo6', `${HEAD}, IPv6, length 70: fd00:42::1 > fd00:42::2: ICMP6, echo request, id 1, seq 3, length 16`],
    [
      'neighbourSolicitation',
      '02:00:00:00:00:01 > 33:33:ff:00:00:02, IPv6, length 86: fe80::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fd00:42::2, source 02:00:00:00:00:01, length 32',
    ],
    [
      'neighbourAdvertisement',
      '02:00:00:00:00:02 > 02:00:00:00:00:01, IPv6, length 86: fd00:42::2 > fe80::1: ICMP6, neighbor advertisement, tgt is fd00:42::2, flags solicited override, target 02:00:00:00:00:02, length 32',
    ],
    [
      'routerSolicitation',
      '02:00:00:00:00:01 > 33:33:00:00:00:02, IPv6, length 70: fe80::1 > ff02::2: ICMP6, router solicitation, source 02:00:00:00:00:01, length 16',
    ],
    [
      'multicastReport6',
      '02:00:00:00:00:01 > 33:33:00:00:00:16, IPv6, length 90: fe80::1 > ff02::16: ICMP6, multicast listener report v2, length 28',
    ],
    ['vlan', `${HEAD}, vlan 7 p 3, IPv4, length 50: 10.42.0.1.5000 > 10.42.0.2.53: UDP, length 4`],
    ['qinq', `${HEAD}, vlan 100, vlan 7, IPv6, length 74: fd00:42::1.5000 > fd00:42::2.53: UDP, length 4`],
    ['firstFragment4', `${HEAD}, IPv4, length 58: 10.42.0.1.5000 > 10.42.0.2.53: UDP, length 92, frag 9:24@0+`],
    ['nextFragment4', `${HEAD}, IPv4, length 50: 10.42.0.1 > 10.42.0.2: UDP, frag 9:16@24`],
    ['nextFragment6', `${HEAD}, IPv6, length 70: fd00:42::1 > fd00:42::2: frag`],
    ['options4', `${HEAD}, IPv4, length 46: 10.42.0.1 > 10.42.0.2: IGMP, length 8`],
    ['extensions6', `${HEAD}, IPv6, length 106: fd00:42::1.5000 > fd00:42::2.53: UDP, length 4`],
    [
      'dhcpRequest',
      '02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, IPv4, length 297: 0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, request, requested 10.42.0.9, hostname h.1, length 255',
    ],
    [
      'lldp',
      '02:00:00:00:00:01 > 01:80:c2:00:00:0e, LLDP, length 60: chassis 02:00:00:00:00:01, port eth0, ttl 120, system host-a',
    ],
    [
      'vxlan',
      `${HEAD}, IPv4, length 92: 198.18.0.1.50000 > 198.18.0.2.4789: VXLAN, vni 42: ${HEAD}, IPv4, length 42: 10.42.0.1 > 10.42.0.2: ICMP echo request, id 1, seq 3, length 8`,
    ],
  ] as const)('%s', (name, expected) => expect(line(frames[name])).toBe(expected))

  it('a "too big" answer with what it quotes', () => {
    expect(line(tooBig4)).toBe(
      '02:00:00:00:00:02 > 02:00:00:00:00:01, IPv4, length 590: 10.42.0.2 > 10.42.0.1: ICMP unreachable - need to frag (mtu 1400), length 556 (10.42.0.1.40000 > 10.42.0.2.443: Flags [.], seq 1000:1508, ack 2000, win 502, length 508)',
    )
    expect(line(tooBig6.subarray(14), false)).toMatch(
      /^fd00:42::2 > fd00:42::1: ICMP6, packet too big, mtu 1380, length 1240 \(fd00:42::1\.40000 > /,
    )
  })
})

describe('bytes that are none of these', () => {
  it.each([
    ['nothing', '', true, '[|ether] length 0'],
    ['a cut header', '0200', true, '[|ether] length 2'],
    ['a type without a name', '020000000002 020000000001 88b5 0102', true, `${HEAD}, type 0x88b5, length 16: 0102`],
    ['a length as type', '020000000002 020000000001 0003 424203', true, `${HEAD}, 802.3, length 17: 424203`],
    ['ARP, cut', '020000000002 020000000001 0806 0001', true, `${HEAD}, ARP, length 16: [|arp]`],
    ['an IPv4 header, cut', '45000014', false, '[|ip]'],
    ['an IPv6 header, cut', '60000000', false, '[|ip6]'],
    ['another IP version', '50010203', false, 'IP version 5: 50010203'],
    ['no packet', '', false, '[|ip]'],
    [
      'a total length shorter than the header',
      '45 00 0013 00000000 40 06 0000 0a2a0001 0a2a0002',
      false,
      '10.42.0.1 > 10.42.0.2: bad header length or total length',
    ],
    [
      'TCP, cut',
      '45 00 0018 00000000 40 06 0000 0a2a0001 0a2a0002 00010002',
      false,
      '10.42.0.1.1 > 10.42.0.2.2: [|tcp]',
    ],
    [
      'UDP with an impossible length',
      '45 00 001c 00000000 40 11 0000 0a2a0001 0a2a0002 0001000200070000',
      false,
      '10.42.0.1.1 > 10.42.0.2.2: UDP, bad length 7',
    ],
  ])('%s', (_name, bytes, l2, expected) => expect(line(hex(bytes), l2)).toBe(expected))

  it('a DHCP option that is cut', () => {
    expect(line(frames.dhcpRequest.subarray(0, -2))).toMatch(/requested 10\.42\.0\.9 \[\|options\], length 253$/)
  })

  it('a name from the network reaches no terminal raw', () => {
    expect(frames.dhcpRequest.includes(0x1b)).toBe(true)
    for (const frame of Object.values(frames)) expect(line(frame)).toMatch(/^[\x20-\x7e…]*$/)
  })

  it('VXLAN in VXLAN in VXLAN ends somewhere', () => {
    const outer = frames.vxlan.subarray(0, 50)
    const bytes = Uint8Array.from(Array.from({ length: 20 }, () => [...outer]).flat())
    // Every length field covers the rest.
    for (let at = 0; at < bytes.length; at += 50) {
      const rest = bytes.length - at - 14
      bytes.set([rest >> 8, rest & 255], at + 16)
      bytes.set([(rest - 20) >> 8, (rest - 20) & 255], at + 38)
    }
    expect(line(bytes).match(/VXLAN/g)).toHaveLength(3)
  })
})
