// Members of a flannel network: agents and a kernel VXLAN device programmed as flanneld does it, over one real etcd.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { startAgent } from '../../src/lab/agent.ts'
import { FlannelLab, KernelMember, knows, leasesOf } from '../support/flannel-lab.ts'
import { networkOf, reaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

let flannel: FlannelLab | null = null

afterEach(async () => {
  await flannel?.close()
  flannel = null
})

describeRoot(
  'a flannel network',
  () => {
    it('is one for agents and kernel VXLAN devices: every pod and every host reaches every other', async (context) => {
      const lab = await FlannelLab.open({ a: 1, b: 2, k: 3 })
      flannel = lab
      await lab.configure({ Backend: { Type: 'vxlan' } })
      const kernel = new KernelMember(lab, lab.host('k'), 3)
      const why = await kernel.start()
      if (why) context.skip(`no kernel VXLAN: ${why}`)
      const [a, b] = await Promise.all([1, 2].map((n) => startAgent(lab.host('ab'[n - 1]!), lab.member(n))))
      const [podA, podB] = await Promise.all([lab.pod(a!.host, a!), lab.pod(b!.host, b!)])
      await knows(a!, { '10.42.3.0/24': 'programmed', [podB!.replace(/\.1$/, '.0/24')]: 'programmed' })
      await kernel.learn()
      console.log(await leasesOf(a!), a!.stderr)
      await reaches(a!.host, podB!, kernel.pod, '10.42.3.0')
      await reaches(kernel.host, podA!, podB!)
      await transferTcp({ from: a!.host, to: kernel.host, address: kernel.pod }, 16 << 20)
      await transferTcp({ from: kernel.host, to: a!.host, address: podA! }, 16 << 20)
      const file = join(a!.runtimeDir, 'subnet.env')
      expect(readFileSync(file, 'utf8')).toBe(
        `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=${podA}/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
      )
      expect(statSync(file).mode & 0o777).toBe(0o644)
      expect(await networkOf(a!)).toMatchObject({ vni: 1, interface: 'vt1', mtu: 1450, device: 'tun' })
    })
  },
  ['etcd', 'etcdctl', 'bridge'],
)
