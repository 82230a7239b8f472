// What an agent takes and what it refuses, byte by byte. Topology: test/support/wire-lab.ts.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { drops } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { scapyPython } from '../support/wire.ts'
import { datagram, mark, marked, type Outer, vxlan, type WireLab, wireLab } from '../support/wire-lab.ts'

const STATION = "Ether(dst='ff:ff:ff:ff:ff:ff',src='02:00:00:00:00:99')"
const IP = "IP(src='10.42.0.9',dst='10.42.0.255')/UDP(sport=9,dport=9)"
const GOOD = vxlan(42)

/** In the place of an outcome: it comes out of the device. */
const CARRIED = null
/** The agent never sees it: the kernel's UDP has dropped it. */
const BY_KERNEL = 'by the kernel'

interface Case {
  readonly title: string
  readonly header?: string
  /** Behind the header; 'none': nothing. */
  readonly inner?: string
  readonly outer?: Outer
  readonly outcome: string | null
  readonly device?: string
}

const VLAN = `Ether(dst='ff:ff:ff:ff:ff:ff',src='02:00:00:00:00:99')/Dot1Q(vlan=7)/${IP}`
const QINQ = `Ether(dst='ff:ff:ff:ff:ff:ff',src='02:00:00:00:00:99',type=0x88a8)/Dot1Q(vlan=7)/Dot1Q(vlan=8)/${IP}`

const CASES: Case[] = [
  { title: 'carries a plain datagram', outcome: CARRIED },
  { title: 'carries one over IPv6', outer: { v6: true }, outcome: CARRIED },
  { title: 'ignores other flags and reserved bits (VX6)', header: vxlan(42, 0xff, 0xabcdef, 0x55), outcome: CARRIED },
  { title: 'refuses I = 0 (VX7)', header: vxlan(42, 0xf7), outcome: 'vxlan-no-vni' },
  { title: 'refuses an unknown VNI (VX21)', header: vxlan(41), outcome: 'vxlan-unknown-vni' },
  { title: 'tells VNIs by all 24 bits (VX8)', header: vxlan(0x01002a), outcome: 'vxlan-unknown-vni' },
  { title: 'refuses an unknown VTEP (VX29)', outer: { from: '198.18.0.99' }, outcome: 'vxlan-unknown-vtep' },
  {
    title: 'refuses an unknown VTEP over IPv6',
    outer: { v6: true, from: 'fd00:18::99' },
    outcome: 'vxlan-unknown-vtep',
  },
  {
    title: 'takes an unknown VTEP from a range that `accept` names',
    header: vxlan(44),
    outer: { from: '198.18.0.99' },
    outcome: CARRIED,
    device: 'vt44',
  },
  {
    title: 'refuses one outside of that range',
    header: vxlan(44),
    outer: { from: '198.18.0.200' },
    outcome: 'vxlan-unknown-vtep',
    device: 'vt44',
  },
  { title: 'takes any source port', outer: { sport: 1 }, outcome: CARRIED },
  { title: 'takes UDP checksum 0 over IPv4 (VX14)', outer: { checksum: 0 }, outcome: CARRIED },
  { title: 'refuses UDP checksum 0 over IPv6 (ZC3)', outer: { v6: true, checksum: 0 }, outcome: BY_KERNEL },
  { title: 'refuses a wrong checksum (VX16)', outer: { checksum: 0x1234 }, outcome: BY_KERNEL },
  { title: 'refuses a wrong checksum over IPv6', outer: { v6: true, checksum: 0x1234 }, outcome: BY_KERNEL },
  { title: 'refuses an inner VLAN tag (VX17)', inner: VLAN, outcome: 'inner-vlan-tag' },
  { title: 'refuses two of them', inner: QINQ, outcome: 'inner-vlan-tag' },
  { title: 'carries a tag with `innerVlan: keep`', header: vxlan(43), inner: VLAN, outcome: CARRIED, device: 'vt43' },
  { title: 'carries two tags then', header: vxlan(43), inner: QINQ, outcome: CARRIED, device: 'vt43' },
  { title: 'refuses a datagram without a byte', header: '', inner: 'none', outcome: 'truncated' },
  { title: 'refuses seven bytes', header: '08000000000000', inner: 'none', outcome: 'truncated' },
  { title: 'refuses a header without a frame', inner: 'none', outcome: 'truncated' },
  {
    title: 'refuses half an Ethernet header',
    header: `${GOOD}ffffffffffff0200000000`,
    inner: 'none',
    outcome: 'truncated',
  },
]

const python = scapyPython()
const needs = ['ethtool', ...(python === null ? ['python3-scapy'] : [])]

describeRoot(
  'into an agent',
  () => {
    let w: WireLab
    beforeAll(async () => {
      w = await wireLab()
    })
    afterAll(() => w?.lab.close())

    it.each(CASES)(
      '$title',
      async ({ header = GOOD, inner = `${STATION}/${IP}`, outer = {}, outcome, device = 'vt42' }) => {
        const before = await drops(w.agent)
        const [first, then] = [mark(), mark()]
        const body = inner === 'none' ? null : `${inner}/${marked(first)}`
        // Behind it one that is carried for sure: when that is there, the first is there or never comes.
        const { v6 = false } = outer
        const proof = datagram(GOOD, `${STATION}/${IP}/${marked(then)}`, { v6 })
        await w.outside.send('eth0', datagram(header, body, outer), proof)
        await w.inside.untilHeard('vt42', isProof(then, first, device === 'vt42' && outcome === CARRIED))
        if (device !== 'vt42' && outcome === CARRIED) await w.inside.untilHeard(device, (h) => h.hex.includes(first))
        const after = await drops(w.agent)
        const counted = outcome !== null && outcome !== BY_KERNEL ? { [outcome]: (before[outcome] ?? 0) + 1 } : {}
        expect(after).toEqual({ ...before, ...counted })
      },
    )
  },
  needs,
)

/** Takes the proof; what is heard before it must have been carried. */
function isProof(then: string, first: string, carried: boolean): (h: { hex: string }) => boolean {
  let seen = false
  return ({ hex }) => {
    if (hex.includes(first)) seen = true
    if (!hex.includes(then)) return false
    if (seen !== carried) throw new Error(seen ? 'carried what it should refuse' : 'refused what it should carry')
    return true
  }
}
