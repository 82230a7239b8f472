// Every kind of frame through a layer 2 network, in both directions, unchanged; and the congestion marks of RFC 6040.
// Topology: test/support/wire-lab.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drops, untilDropped } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { scapyPython } from '../support/wire.ts'
import { datagram, mark, marked, vxlan, type WireLab, wireLab } from '../support/wire-lab.ts'

const SRC = '02:00:00:00:00:99'
const ALL = 'ff:ff:ff:ff:ff:ff'
const ether = (dst: string, type?: number): string =>
  `Ether(dst='${dst}',src='${SRC}'${type === undefined ? '' : `,type=${type}`})`

const FRAMES: [string, string][] = [
  ['ARP', `${ether(ALL)}/ARP(op=1,hwsrc='${SRC}',psrc='10.42.0.9',pdst='10.42.0.1')`],
  [
    'IPv6 neighbour solicitation',
    `${ether('33:33:ff:00:00:01')}/IPv6(src='fd00:42::9',dst='ff02::1:ff00:1')/ICMPv6ND_NS(tgt='fd00:42::1')`,
  ],
  [
    'DHCP',
    `${ether(ALL)}/IP(src='0.0.0.0',dst='255.255.255.255')/UDP(sport=68,dport=67)/BOOTP(chaddr=b'abcdef')/DHCP(options=[('message-type','discover'),'end'])`,
  ],
  ['LLDP', `${ether('01:80:c2:00:00:0e', 0x88cc)}`],
  ['spanning tree', `Dot3(dst='01:80:c2:00:00:00',src='${SRC}')/LLC()/STP()`],
  ['IPv6 multicast', `${ether('33:33:00:00:00:fb')}/IPv6(src='fd00:42::9',dst='ff02::fb')/UDP(sport=5353,dport=5353)`],
  ['IPv4 multicast', `${ether('01:00:5e:00:00:fb')}/IP(src='10.42.0.9',dst='224.0.0.251')/UDP(sport=5353,dport=5353)`],
  ['unicast to somebody unknown', `${ether('02:00:00:00:00:77')}/IP(src='10.42.0.9',dst='10.42.0.7')/TCP(flags='S')`],
  ['an IPv4 fragment', `${ether(ALL)}/IP(src='10.42.0.9',dst='10.42.0.1',frag=5,flags='MF',proto=17)`],
  ['ESP', `${ether(ALL)}/IP(src='10.42.0.9',dst='10.42.0.1',proto=50)`],
  ['SCTP', `${ether(ALL)}/IP(src='10.42.0.9',dst='10.42.0.1')/SCTP(sport=7,dport=8)`],
  ['an unknown EtherType', ether(ALL, 0x88b5)],
  ['an IPv4 header that lies', `${ether(ALL, 0x0800)}/Raw(bytes.fromhex('4f00ffff00000000ff11'))`],
  ['an IPv6 header that lies', `${ether(ALL, 0x86dd)}/Raw(bytes.fromhex('60000000ffff00ff'))`],
]
const TAGGED = `${ether(ALL)}/Dot1Q(vlan=7)/IP(src='10.42.0.9',dst='10.42.0.255')/UDP(sport=9,dport=9)`

const needs = ['ethtool', ...(scapyPython() === null ? ['python3-scapy'] : [])]

describeRoot(
  'frames through a layer 2 network',
  () => {
    let w: WireLab
    beforeAll(async () => {
      w = await wireLab()
    })
    afterAll(() => w?.lab.close())

    it.each(FRAMES)('%s comes in as it was', async (_title, frame) => {
      const one = mark()
      const send = datagram(vxlan(42), `${frame}/${marked(one)}`)
      await w.outside.send('eth0', send)
      const [inner] = await w.inside.untilHeard('vt42', (h) => h.hex.includes(one))
      const [outer] = await w.outside.untilHeard('eth0', (h) => h.hex.includes(one))
      expect(outer!.hex.endsWith(inner!.hex)).toBe(true)
      // Ethernet, IPv4, UDP, VXLAN: 50 bytes in front, nothing behind (VX20).
      expect(outer!.hex.length - inner!.hex.length).toBe(100)
    })

    it.each(FRAMES)('%s goes out as it was, to every peer once', async (_title, frame) => {
      const one = mark()
      await w.inside.send('vt42', `${frame}/${marked(one)}`)
      const [inner] = await w.inside.untilHeard('vt42', (h) => h.out && h.hex.includes(one))
      const outer = await w.outside.untilHeard('eth0', (h) => !h.out && h.hex.includes(one), 2)
      const heads = outer.map((h) => h.hex.slice(0, h.hex.length - inner!.hex.length))
      expect(outer.every((h) => h.hex.endsWith(inner!.hex))).toBe(true)
      expect(heads.map((head) => head.length / 2).sort()).toEqual([50, 70])
      expect(heads.every((head) => head.endsWith(vxlan(42)))).toBe(true)
      expect(outer.every((h) => h.checksumRight)).toBe(true)
    })

    it('refuses to send a VLAN tag (VX18)', async () => {
      const before = await drops(w.agent)
      await w.inside.send('vt42', `${TAGGED}/${marked(mark())}`)
      await untilDropped(w.agent, 'inner-vlan-tag', before)
    })

    it('sends a VLAN tag with `innerVlan: keep`, never stripped', async () => {
      const one = mark()
      await w.inside.send('vt43', `${TAGGED}/${marked(one)}`)
      const [outer] = await w.outside.untilHeard('eth0', (h) => !h.out && h.hex.includes(one))
      expect(outer!.layers['Dot1Q']).toMatchObject({ vlan: 7 })
    })

    // RFC 6040 §4.2: rows are the inner mark, columns the outer one; null: dropped.
    const TABLE = [
      [0, 0, 0, null],
      [1, 1, 1, 3],
      [2, 1, 2, 3],
      [3, 3, 3, 3],
    ]
    describe.each([false, true])('congestion marks, IPv6: %s (VX30)', (v6) => {
      for (const [inner, row] of TABLE.entries()) {
        for (const [outer, want] of row.entries()) {
          it(`inner ${inner} and outer ${outer} give ${want ?? 'a drop'}`, async () => {
            const before = await drops(w.agent)
            const one = mark()
            const ip = v6
              ? `IPv6(src='fd00:42::9',dst='ff02::1',tc=${inner | 0xb8})`
              : `IP(src='10.42.0.9',dst='10.42.0.255',tos=${inner | 0xb8})`
            const frame = `${ether(ALL)}/${ip}/UDP(sport=9,dport=9)/${marked(one)}`
            await w.outside.send('eth0', datagram(vxlan(42), frame, { v6, tos: outer }))
            if (want === null) return untilDropped(w.agent, 'ecn-ce-on-not-ect', before)
            const [heard] = await w.inside.untilHeard('vt42', (h) => h.hex.includes(one))
            const tos = v6 ? heard!.layers['IPv6']!['tc'] : heard!.layers['IP']!['tos']
            expect(tos).toBe(want | 0xb8)
            if (!v6) expect(headerSum(heard!.hex)).toBe(0xffff)
          })
        }
      }
    })
  },
  needs,
)

/** RFC 1071 over the IPv4 header behind an Ethernet one: 0xffff when its checksum is right. */
function headerSum(hex: string): number {
  const words = hex.slice(28, 68).match(/..../g)!
  const sum = words.reduce((n, word) => n + Number.parseInt(word, 16), 0)
  return (sum & 0xffff) + (sum >>> 16)
}
