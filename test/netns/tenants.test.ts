// Two networks that know nothing of each other, on one socket, with the same addresses and the same MACs (VX27):
//
//   a ── agent ─ eth0 198.18.0.1/30 ──── 198.18.0.2/30 eth0 ─ agent ── b
//        │                                                  │
//        ├ VNI 42 in a-red    10.42.0.1/24 02:…:01          ├ VNI 42 in b-red    10.42.0.2/24 02:…:02
//        └ VNI 16777215 in a-green, the same                └ VNI 16777215 in b-green, the same
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { cannotReach, configuration, fdbOf, networkOf, reaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

const VNIS = { red: 42, green: 0xffffff }

describeRoot('two networks with the same addresses and MACs', () => {
  let lab: Lab
  const tenants = new Map<string, Host>()
  const agents = new Map<string, LabAgent>()

  beforeAll(async () => {
    lab = new Lab()
    const hosts = [await lab.host('a'), await lab.host('b')]
    await lab.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/30`] })))
    for (const [i, host] of hosts.entries()) {
      const networks: Record<string, object> = {}
      for (const [name, vni] of Object.entries(VNIS)) {
        const tenant = await lab.host(`${host.name}-${name}`)
        tenants.set(`${host.name}-${name}`, tenant)
        const mac = `02:00:5e:00:00:0${i + 1}`
        networks[name] = { vni, mac, interface: 'vt', netns: tenant.namespace, address: `10.42.0.${i + 1}/24` }
      }
      const peers = { other: `198.18.0.${2 - i}` }
      const shape = { underlay: `198.18.0.${i + 1}`, networks: networks as Record<string, never>, peers }
      agents.set(host.name, await startAgent(host, configuration(shape)))
    }
  })
  afterAll(() => lab?.close())

  it('puts each device into its namespace, and none into its own', async () => {
    expect(await tenants.get('a-red')!.ip('addr', 'show', 'vt')).toContain('10.42.0.1/24')
    expect(await tenants.get('a-green')!.ip('addr', 'show', 'vt')).toContain('10.42.0.1/24')
    await expect(agents.get('a')!.host.ip('link', 'show', 'vt')).rejects.toThrow('does not exist')
  })

  it('hears both on one socket', async () => {
    const { stdout } = await agents.get('a')!.host.run(['cat', '/proc/net/udp'])
    const heard = [...stdout.matchAll(/^ *\d+: \S+:12B5 /gm)]
    expect(heard).toHaveLength(1)
  })

  it('keeps their traffic and their stations apart', async () => {
    await reaches(tenants.get('a-red')!, '10.42.0.2')
    const green = await networkOf(agents.get('b')!, 'green')
    await transferTcp({ from: tenants.get('a-red')!, to: tenants.get('b-red')!, address: '10.42.0.2' }, 1_000_000)
    expect((await networkOf(agents.get('b')!, 'green')).rxPackets - green.rxPackets).toBeLessThan(10)
    await reaches(tenants.get('a-green')!, '10.42.0.2')
    const known = (await fdbOf(agents.get('a')!)).filter((e) => e.mac === '02:00:5e:00:00:02')
    expect(known.map((e) => e.vni).sort()).toEqual([VNIS.green, VNIS.red].sort())
  })

  it('does not answer in one network for a host that is down in the other', async () => {
    await tenants.get('b-red')!.ip('link', 'set', 'vt', 'down')
    await cannotReach(tenants.get('a-red')!, '10.42.0.2')
    await reaches(tenants.get('a-green')!, '10.42.0.2')
  })
}, ['ping'])
