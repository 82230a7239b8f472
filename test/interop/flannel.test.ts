// Members of a flannel network: agents and a kernel VXLAN device programmed as flanneld does it, over one real etcd.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import type { Host } from '../../src/lab/lab.ts'
import { FlannelLab, KernelMember, knows, leasesOf, stream } from '../support/flannel-lab.ts'
import { drops, networkOf, reaches, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

/** Agents on hosts a and b, each with a pod. */
async function pair(network: object = {}, more: object[] = [{}, {}]): Promise<{ a: Member; b: Member }> {
  const [a, b] = await Promise.all(
    ['a', 'b'].map(async (name, k) => {
      const agent = await startAgent(lab.host(name), lab.member(k + 1, network, more[k]))
      return { agent, host: agent.host, pod: await lab.pod(agent.host, agent) }
    }),
  )
  await knows(a!.agent, { [subnetOf(b!.pod)]: 'programmed' })
  await knows(b!.agent, { [subnetOf(a!.pod)]: 'programmed' })
  return { a: a!, b: b! }
}

interface Member {
  readonly agent: LabAgent
  readonly host: Host
  readonly pod: string
}

const subnetOf = (pod: string): string => pod.replace(/\.1$/, '.0/24')
const routesOf = (host: Host): Promise<string> => host.ip('route', 'show')

async function reachEachOther(a: Member, b: Member): Promise<void> {
  await reaches(a.host, b.pod)
  await reaches(b.host, a.pod)
}

describeRoot('a flannel network', () => {
  it('is one for agents and kernel VXLAN devices, and follows what the store says', async (context) => {
    lab = await FlannelLab.open({ a: 1, b: 2, k: 3 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const kernel = new KernelMember(lab, lab.host('k'), 3)
    const why = await kernel.start()
    if (why) context.skip(`no kernel VXLAN: ${why}`)
    const { a, b } = await pair()
    await knows(a.agent, { '10.42.3.0/24': 'programmed' })
    await knows(b.agent, { '10.42.3.0/24': 'programmed' })
    await kernel.learn()
    await reaches(a.host, b.pod, kernel.pod, '10.42.3.0')
    await reaches(kernel.host, a.pod, b.pod, a.pod.replace(/1$/, '0'))
    await transferTcp({ from: a.host, to: kernel.host, address: kernel.pod }, 16 << 20)
    await transferTcp({ from: kernel.host, to: a.host, address: a.pod }, 16 << 20)
    const file = join(a.agent.runtimeDir, 'subnet.env')
    expect(readFileSync(file, 'utf8')).toBe(
      `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=${a.pod}/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
    )
    expect(statSync(file).mode & 0o777).toBe(0o644)
    expect(await networkOf(a.agent)).toMatchObject({ vni: 1, interface: 'vt1', mtu: 1450, device: 'tun' })

    // What others write wrongly costs them alone.
    await lab.put('10.42.77.0-24', 'no json')
    await lab.put('198.18.0.254-31', JSON.stringify({ PublicIP: '198.18.0.9', BackendType: 'vxlan' }))
    await lab.lease(78, '0.0.0.0', '02:00:00:00:00:78')
    await knows(a.agent, { '198.18.0.254/31': 'ignored', '10.42.78.0/24': 'ignored' })
    expect(await routesOf(a.host)).not.toMatch(/198\.18\.0\.254|10\.42\.7[78]/)

    // Another MAC of a kernel's device, as after a restart.
    await kernel.host.ip('link', 'set', 'flannel.1', 'address', '02:00:00:00:00:99')
    await lab.lease(3, '198.18.0.3', '02:00:00:00:00:99')
    await until(
      'the new MAC',
      async () => (await leasesOf(a.agent)).find((l) => l.subnet === '10.42.3.0/24')?.vtepMac,
      (mac) => mac === '02:00:00:00:00:99',
    )
    await reaches(a.host, kernel.pod)

    // Gone: its entries go with it. Traffic between the others has not felt anything.
    const flow = stream(a.host, a.pod, b.pod)
    await lab.remove('10.42.3.0-24')
    await knows(a.agent, { '10.42.3.0/24': 'gone' })
    await until(
      'no route',
      () => routesOf(a.host),
      (text) => !text.includes('10.42.3.0/24'),
      2000,
    )

    // Another VNI and port: everybody follows.
    const { sent, back } = await flow.stop()
    expect(sent - back).toBeLessThanOrEqual(1)
    await lab.configure({ Backend: { Type: 'vxlan', VNI: 7, Port: 4444 } })
    for (const { agent } of [a, b]) {
      await until(
        'VNI 7',
        () => networkOf(agent).catch(() => null),
        (n) => n?.vni === 7 && n.interface === 'vt7',
      )
    }
    await reachEachOther(a, b)
    expect((await drops(a.agent))['source-not-allowed'] ?? 0).toBe(0)
  })

  it('waits for a store that is away, and carries on when it goes', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 }, false)
    const starting = pair()
    const file = join(lab.lab.dir, 'a', 'subnet.env')
    await until('the agent', () => existsSync(join(lab.lab.dir, 'a', 'vtepd.sock')), Boolean)
    expect(existsSync(file)).toBe(false)
    await lab.startStore()
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const { a, b } = await starting
    expect(existsSync(file)).toBe(true)
    const flow = stream(a.host, a.pod, b.pod)
    lab.stopStore()
    await reachEachOther(a, b)
    await lab.startStore()
    await lab.lease(9, '198.18.0.9', '02:00:00:00:00:09')
    await knows(a.agent, { '10.42.9.0/24': 'programmed' })
    const { sent, back } = await flow.stop()
    expect(sent - back).toBeLessThanOrEqual(1)
  })
}, ['etcd', 'etcdctl', 'bridge'])
