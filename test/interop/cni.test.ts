// Pods that a container engine makes from subnet.env, as flannel's CNI plugin has it done: by the plugins bridge and host-local
// of containernetworking-plugins, with their own protocol (CNI specification 1.0, "Section 2: Execution Protocol").
//
//   pod pa ─ cni0 (host a) ─ vtepd ══ vtepd ─ (host b) cni0 ─ pod pb
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { finish } from '../../src/lab/command.ts'
import type { Host } from '../../src/lab/lab.ts'
import { FlannelLab, knows } from '../support/flannel-lab.ts'
import { drops, reaches, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

const PLUGINS = '/usr/lib/cni'

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

/** The file's lines, as a shell that sources it has them. */
function subnetEnv(agent: LabAgent): Record<string, string> {
  const lines = readFileSync(join(agent.runtimeDir, 'subnet.env'), 'utf8').trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split('=') as [string, string]))
}

/** What flannel's plugin hands on to bridge. */
function delegate(env: Record<string, string>, dataDir: string): object {
  return {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'bridge',
    mtu: Number(env['FLANNEL_MTU']),
    isGateway: true,
    ipMasq: env['FLANNEL_IPMASQ'] === 'false',
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: env['FLANNEL_SUBNET']!.replace(/\.1\//, '.0/') }]],
      routes: [{ dst: env['FLANNEL_NETWORK'] }],
      dataDir,
    },
  }
}

interface Added {
  readonly ips: readonly { address: string; gateway: string }[]
}

class Pod {
  readonly namespace: Host
  private readonly host: Host
  private readonly config: string

  constructor(namespace: Host, host: Host, config: object) {
    this.namespace = namespace
    this.host = host
    this.config = JSON.stringify(config)
  }

  async add(): Promise<{ address: string; gateway: string }> {
    const { ips } = JSON.parse(await this.run('ADD')) as Added
    return { address: ips[0]!.address.split('/')[0]!, gateway: ips[0]!.gateway }
  }

  async del(): Promise<void> {
    await this.run('DEL')
  }

  private async run(command: 'ADD' | 'DEL'): Promise<string> {
    const variables = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: this.namespace.name,
      CNI_NETNS: `/run/netns/${this.namespace.namespace}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: PLUGINS,
    }
    const env = { ...process.env, ...variables }
    const plugin = [`${PLUGINS}/bridge`]
    const child = this.host.spawn(plugin, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin!.end(this.config)
    return (await finish(child, plugin)).stdout
  }
}

describeRoot('pods of a flannel network', () => {
  it('get their addresses from subnet.env and reach those of other hosts', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const agents = await Promise.all(
      ['a', 'b'].map((name, k) => startAgent(lab.host(name), lab.member(k + 1, {}, { masquerade: true }))),
    )
    const subnets = agents.map((agent) => subnetEnv(agent)['FLANNEL_SUBNET']!.replace(/\.1\//, '.0/'))
    for (const [k, agent] of agents.entries()) await knows(agent, { [subnets[1 - k]!]: 'programmed' })

    const pods = await Promise.all(
      agents.map(async (agent) => {
        const namespace = await lab.lab.host(`p${agent.host.name}`)
        const dataDir = join(lab.lab.dir, `cni-${agent.host.name}`)
        return new Pod(namespace, agent.host, delegate(subnetEnv(agent), dataDir))
      }),
    )
    const [a, b] = await Promise.all(pods.map((pod) => pod.add()))
    expect(a!.gateway).toBe(subnets[0]!.replace('.0/24', '.1'))
    expect(await pods[0]!.namespace.ip('link', 'show', 'eth0')).toContain('mtu 1450')
    await reaches(pods[0]!.namespace, b!.address, b!.gateway)
    await reaches(pods[1]!.namespace, a!.address, a!.gateway)
    await transferTcp({ from: pods[0]!.namespace, to: pods[1]!.namespace, address: b!.address }, 16 << 20)
    // Inside the network nobody masquerades: a pod sees a pod.
    const heard = pods[1]!.namespace.run(['tcpdump', '-lnc', '1', '-i', 'eth0', 'icmp[icmptype] == icmp-echo'])
    await until(
      'what arrives',
      () => Promise.race([heard.then(({ stdout }) => stdout), reaches(pods[0]!.namespace, b!.address).then(() => '')]),
      (said) => said !== '',
    )
    expect((await heard).stdout).toContain(`IP ${a!.address} > ${b!.address}`)
    expect((await drops(agents[1]!))['source-not-allowed'] ?? 0).toBe(0)

    // Gone and made again: the host's way to it is as it was.
    await pods[1]!.del()
    const again = await pods[1]!.add()
    await reaches(pods[0]!.namespace, again.address)
    for (const pod of pods) await pod.del()
  })
}, ['etcd', 'etcdctl', 'tcpdump', `${PLUGINS}/bridge`])
