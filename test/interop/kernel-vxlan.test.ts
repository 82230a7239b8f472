// The kernel's VXLAN device as the other end, with its super-packets and unfinished checksums across the veth.
//
//   a vtepd vt42 10.42.0.1/24 ═══ VNI 42, UDP 4789 or 8472 ═══ 10.42.0.2/24 vx42 (kernel) b
import { afterEach, expect, it } from 'vitest'
import { startAgent } from '../../src/lab/agent.ts'
import { addKernelVxlan } from '../../src/lab/kernel-vxlan.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, networkOf, reaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function hosts(): Promise<[Host, Host]> {
  lab = new Lab()
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/24'] },
    { host: b, addresses: ['198.18.0.2/24'] },
  ])
  return [a, b]
}

async function kernelOn(b: Host, port: number): Promise<string | null> {
  const device = { name: 'vx42', vni: 42, port, local: '198.18.0.2', remote: '198.18.0.1', address: '10.42.0.2/24' }
  return addKernelVxlan(b, device)
}

describeRoot("the kernel's VXLAN device", () => {
  for (const [title, port, more] of [
    ['on 4789', 4789, {}],
    ['on 8472', 8472, { port: 8472 }],
    ['without checksums', 4789, { udpChecksum: 'off' }],
    ['with a fixed source port', 4789, { sourcePort: 'fixed' }],
  ] as const) {
    it(`is a full peer of a tap network, ${title}`, async (context) => {
      const [a, b] = await hosts()
      const why = await kernelOn(b, port)
      if (why) context.skip(`no kernel VXLAN: ${why}`)
      const agent = await startAgent(
        a,
        configuration({
          underlay: '198.18.0.1',
          networks: { blue: { vni: 42, address: '10.42.0.1/24', ...more } },
          peers: { kernel: '198.18.0.2' },
        }),
      )
      await reaches(b, '10.42.0.1')
      await reaches(a, '10.42.0.2')
      // What the kernel sent while the agent was starting had nobody to hear it.
      const before = await drops(agent)
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 16 << 20)
      await transferTcp({ from: b, to: a, address: '10.42.0.1' }, 16 << 20)
      await transferUdp({ from: a, to: b, address: '10.42.0.2' }, 20, [16, 1400, 4000, 30_000])
      await transferUdp({ from: b, to: a, address: '10.42.0.1' }, 20, [16, 1400, 4000, 30_000])
      expect(await drops(agent)).toEqual(before)
    })
  }

  it('is a full peer of a tun network, with static entries', async (context) => {
    const [a, b] = await hosts()
    const why = await kernelOn(b, 4789)
    if (why) context.skip(`no kernel VXLAN: ${why}`)
    const mac = (await b.run(['cat', '/sys/class/net/vx42/address'])).stdout.trim()
    const agent = await startAgent(
      a,
      configuration({
        underlay: '198.18.0.1',
        networks: { l3: { vni: 42, device: 'tun', address: '10.42.0.1/24' } },
        peers: { kernel: { endpoint: '198.18.0.2', networks: { l3: { allowedIps: ['10.42.0.2/32'], mac } } } },
      }),
    )
    const ours = (await networkOf(agent)).mac!
    await b.ip('neigh', 'replace', '10.42.0.1', 'lladdr', ours, 'dev', 'vx42')
    await reaches(a, '10.42.0.2')
    await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 16 << 20)
    await transferTcp({ from: b, to: a, address: '10.42.0.1' }, 16 << 20)
    await transferUdp({ from: b, to: a, address: '10.42.0.1' }, 20, [16, 1400, 4000, 30_000])
  })
})
