// Broadcast, multicast and unknown destinations over multicast groups of the underlay, with kernel VXLAN devices in the same group,
// IPv4 and IPv6 (RFC 7348 §4.2). Nobody lists anybody: who is in the group is found.
//
//   a agent vt42 10.42.0.1 ═══╗               group 239.1.1.42 or ff05::42 on eth0
//   b agent vt42 10.42.0.2 ═══╬══ VNI 42 ══ 10.42.0.3 vx42 (kernel) c
//   a, b, c eth0 198.18.0.1, .2, .3 and fd00::1, ::2, ::3 on one bridge
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, fdbOf, networkOf, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function hosts(): Promise<[Host, Host, Host]> {
  lab = new Lab()
  const all = [await lab.host('a'), await lab.host('b'), await lab.host('c')] as [Host, Host, Host]
  await lab.connect(
    all.map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`, `fd00::${k + 1}/64`] })),
    1400,
  )
  return all
}

interface Family {
  readonly title: string
  readonly group: string
  readonly underlay: (k: number) => string
  readonly accept: string
}

const GROUP = '239.1.1.42'
const FAMILIES: readonly Family[] = [
  { title: 'IPv4', group: GROUP, underlay: (k) => `198.18.0.${k}`, accept: '198.18.0.0/24' },
  { title: 'IPv6', group: 'ff05::42', underlay: (k) => `fd00::${k}`, accept: 'fd00::/64' },
]

function file(f: Family, k: number, flood: unknown = { group: f.group, interface: 'eth0' }): object {
  const network = { vni: 42, address: `10.42.0.${k}/24`, accept: [f.accept], flood }
  return configuration({ underlay: f.underlay(k), networks: { blue: network }, peers: {} })
}

async function rewrite(agent: LabAgent, config: object): Promise<void> {
  writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify({ node: agent.host.name, ...config }))
  await agent.reload()
}

/** Groups that the host has joined on eth0. */
async function joined(host: Host, group: string): Promise<boolean> {
  return (await host.ip('maddr', 'show', 'dev', 'eth0')).includes(` ${group}`)
}

/** null, or why this kernel cannot. */
async function kernelIn(f: Family, host: Host, k: number): Promise<string | null> {
  const how = ['id', '42', 'local', f.underlay(k), 'group', f.group, 'dev', 'eth0', 'dstport', '4789', 'ttl', '4']
  try {
    await host.ip('link', 'add', 'vx42', 'type', 'vxlan', ...how)
  } catch (error) {
    return String(error)
  }
  await host.ip('addr', 'add', `10.42.0.${k}/24`, 'dev', 'vx42')
  await host.ip('link', 'set', 'vx42', 'up')
  return null
}

async function learned(agent: LabAgent): Promise<string[]> {
  return (await fdbOf(agent)).map((e) => e.vtep).sort()
}

describeRoot('flood: { group }', () => {
  for (const f of FAMILIES) {
    it(`finds agents and kernel VXLAN devices in an ${f.title} group, and leaves it with its network (VX23 VX24 VX26)`, async (context) => {
      const [a, b, c] = await hosts()
      const why = await kernelIn(f, c, 3)
      if (why) context.skip(`no kernel VXLAN: ${why}`)
      const agent = await startAgent(a, file(f, 1))
      const other = await startAgent(b, file(f, 2))
      expect([await joined(a, f.group), await joined(b, f.group)]).toEqual([true, true])
      await untilReaches(a, '10.42.0.3')
      await untilReaches(c, '10.42.0.2')
      await untilReaches(b, '10.42.0.1')
      expect(await learned(agent)).toEqual([f.underlay(2), f.underlay(3)])
      expect(await learned(other)).toEqual([f.underlay(1), f.underlay(3)])
      // The interface's 1400 less what stands in front.
      expect((await networkOf(agent)).mtu).toBe(f.title === 'IPv4' ? 1350 : 1330)
      // One copy each, to the group.
      const { floodedPackets, txPackets } = await networkOf(agent)
      expect(floodedPackets).toBeGreaterThan(0)
      expect(txPackets).toBeGreaterThanOrEqual(floodedPackets)
      expect(await drops(agent)).not.toHaveProperty('vxlan-unknown-vtep')
      await rewrite(agent, file(f, 1, 'off'))
      expect(await joined(a, f.group)).toBe(false)
      await rewrite(agent, file(f, 1))
      expect(await joined(a, f.group)).toBe(true)
      await agent.stop()
      expect(await joined(a, f.group)).toBe(false)
    })
  }

  it('hears nobody whom accept does not name, and no group but its own (VX25)', async () => {
    const [a, b, c] = await hosts()
    const v4 = FAMILIES[0]!
    const strict = { vni: 42, address: '10.42.0.1/24', flood: { group: v4.group, interface: 'eth0' } }
    const agent = await startAgent(a, configuration({ underlay: '198.18.0.1', networks: { blue: strict }, peers: {} }))
    const other = await startAgent(b, file(v4, 2))
    const third = await startAgent(c, file(v4, 3, { group: '239.1.1.43', interface: 'eth0' }))
    await b.run(['ping', '-n', '-c', '2', '-i', '0.1', '-W', '0.3', '10.42.0.1']).catch(() => null)
    expect((await drops(agent))['vxlan-unknown-vtep']).toBeGreaterThan(0)
    expect(await learned(agent)).toEqual([])
    expect(await learned(third)).toEqual([])
    expect(await learned(other)).not.toContain('198.18.0.3')
  })

  it('joins again when its interface has gone and come again', async () => {
    const made = new Lab()
    lab = made
    const a = await made.host('a')
    const add = async (): Promise<void> => {
      await a.ip('link', 'add', 'grp0', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'grp1')
      await a.ip('link', 'set', 'grp0', 'up')
    }
    const joins = (dev: string) =>
      until(
        `${GROUP} on ${dev}`,
        () => a.ip('maddr', 'show', 'dev', dev),
        (text) => text.includes(` ${GROUP}`),
      )
    await a.ip('addr', 'add', '198.18.0.1/32', 'dev', 'lo')
    await add()
    const blue = { vni: 42, flood: { group: GROUP, interface: 'grp0' } }
    const agent = await startAgent(a, configuration({ underlay: '198.18.0.1', networks: { blue }, peers: {} }))
    await joins('grp0')
    expect((await networkOf(agent)).mtu).toBe(1350)
    await a.ip('link', 'del', 'grp0')
    await add()
    await joins('grp0')
  })
})
