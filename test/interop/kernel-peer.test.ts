// The kernel's own VXLAN device as the other end (ip-link(8), type vxlan), where kernel-vxlan.test.ts does not look: over
// IPv6, over a wire that carries single packets, in layer 3 without checksums; both families inside.
//
//   a: agent, vt42 10.42.0.1/24 fd00:42::1/64 ─ eth0 ──── eth0 ─ vx42 10.42.0.2/24 fd00:42::2/64 :k
//
// The veth pair has its offloads as they are by default, so that both sides hand over whole super-packets with unfinished
// checksums, but for the row that says so. In tun networks k has static entries for a, and a knows k's MAC.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, networkOf, reaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const V4 = ['198.18.0.1', '198.18.0.2'] as const
const V6 = ['fd00:18::1', 'fd00:18::2'] as const
const MACS = ['02:00:5e:00:00:01', '02:00:5e:00:00:02'] as const
const MANY = 20_000_000

interface Row {
  readonly title: string
  readonly device: 'tap' | 'tun'
  readonly ends: readonly [string, string]
  readonly port?: number
  /** Neither side writes UDP checksums. */
  readonly unsummed?: boolean
  /** The veth pair carries frames no larger than its MTU, checksums written. */
  readonly bare?: boolean
}

const ROWS: Row[] = [
  { title: 'tap over IPv6', device: 'tap', ends: V6 },
  { title: 'tap over a veth without offloads', device: 'tap', ends: V4, bare: true },
  { title: 'tun over IPv6', device: 'tun', ends: V6 },
  { title: 'tun on port 8472 without UDP checksums', device: 'tun', ends: V4, port: 8472, unsummed: true },
]

describeRoot('a kernel VXLAN device as peer', () => {
  describe.each(ROWS)('$title', (row) => {
    const { device, ends, port = 4789, unsummed = false, bare = false } = row
    let lab: Lab
    let a: Host
    let k: Host
    let agent: LabAgent

    beforeAll(async () => {
      lab = new Lab()
      a = await lab.host('a')
      k = await lab.host('k')
      const length = ends === V6 ? 64 : 30
      await lab.connect([a, k].map((host, i) => ({ host, addresses: [`${ends[i]}/${length}`] })))
      if (bare) {
        const off = ['-K', 'eth0', 'tx', 'off', 'rx', 'off', 'gso', 'off', 'gro', 'off']
        for (const host of [a, k]) await host.run(['ethtool', ...off])
      }
      await addKernelDevice(k, row)
      const network = { vni: 42, device, port, mac: MACS[0], address: ['10.42.0.1/24', 'fd00:42::1/64'] }
      const layer3 = { allowedIps: ['10.42.0.2/32', 'fd00:42::2/128', 'fe80::/10'], mac: MACS[1] }
      agent = await startAgent(
        a,
        configuration({
          underlay: ends[0],
          networks: { blue: { ...network, ...(unsummed ? { udpChecksum: 'off' } : {}) } },
          peers: { k: { endpoint: ends[1], ...(device === 'tun' ? layer3 : {}) } },
        }),
      )
    })
    afterAll(() => lab?.close())

    it('carries pings both ways', async () => {
      await reaches(a, '10.42.0.2', 'fd00:42::2')
      await reaches(k, '10.42.0.1', 'fd00:42::1')
    })

    it('carries TCP both ways, every byte as it was', async () => {
      await transferTcp({ from: a, to: k, address: '10.42.0.2' }, MANY)
      await transferTcp({ from: k, to: a, address: '10.42.0.1' }, MANY)
      await transferTcp({ from: a, to: k, address: 'fd00:42::2' }, MANY / 10)
      await transferTcp({ from: k, to: a, address: 'fd00:42::1' }, MANY / 10)
    })

    it('carries datagrams both ways, also those that need fragments', async () => {
      await transferUdp({ from: a, to: k, address: '10.42.0.2' }, 30, [4, 1400, 9000, 60_000])
      await transferUdp({ from: k, to: a, address: 'fd00:42::1' }, 30, [4, 1300, 9000, 40_000])
    })

    it('refuses nothing, and counts segments', async () => {
      const { rxPackets, txPackets } = await networkOf(agent)
      // 22 MB each way in segments of at most 1448 bytes. What the kernel sends as one datagram is one.
      expect(txPackets).toBeGreaterThan(15_000)
      expect(rxPackets).toBeGreaterThan(bare ? 15_000 : 300)
      const { 'no-route': noise = 0, ...refused } = await drops(agent)
      // Router solicitations and reports to multicast groups go nowhere in layer 3.
      expect(noise).toBeLessThan(device === 'tun' ? 100 : 1)
      expect(refused).toEqual({})
    })
  })
}, ['ping', 'ethtool', 'bridge'])

async function addKernelDevice(k: Host, { device, ends, port = 4789, unsummed }: Row): Promise<void> {
  const checksum = unsummed ? ['noudpcsum'] : []
  const far = device === 'tap' ? ['remote', ends[0]] : ['nolearning']
  const how = ['id', '42', 'local', ends[1], ...far, 'dstport', String(port), 'dev', 'eth0', ...checksum]
  await k.ip('link', 'add', 'vx42', 'address', MACS[1], 'type', 'vxlan', ...how)
  for (const address of ['10.42.0.2/24', 'fd00:42::2/64']) {
    await k.ip('addr', 'add', address, 'dev', 'vx42', ...(address.includes(':') ? ['nodad'] : []))
  }
  await k.ip('link', 'set', 'vx42', 'up')
  if (device === 'tap') return
  await k.run(['bridge', 'fdb', 'append', MACS[0], 'dev', 'vx42', 'dst', ends[0]])
  for (const address of ['10.42.0.1', 'fd00:42::1']) {
    await k.ip('neigh', 'replace', address, 'lladdr', MACS[0], 'dev', 'vx42', 'nud', 'permanent')
  }
}
