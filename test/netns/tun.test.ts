// Layer 3 between agents:
//
//   a eth0 ─┐                    each an agent, VNI 7, device vt7 (TUN)
//   b eth0 ─┼─ br0 of switch     underlay 198.18.0.x/24 or fd00:18::x/64
//   c eth0 ─┘                    overlay  10.42.0.x/24 and fd00:42::x/64; b has 10.60.0.0/16 behind it, c 10.60.3.0/24
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, networkOf, reaches, untilDropped } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const NAMES = ['a', 'b', 'c']
const BEHIND: Record<string, string[]> = { a: [], b: ['10.60.0.0/16'], c: ['10.60.3.0/24'] }

describeRoot('layer 3', () => {
  describe.each([
    ['IPv4', (n: number) => `198.18.0.${n}`, 24],
    ['IPv6', (n: number) => `fd00:18::${n}`, 64],
  ])('over %s', (_family, underlay, prefixLength) => {
    let lab: Lab
    let hosts: Host[]
    let agents: LabAgent[]

    beforeAll(async () => {
      lab = new Lab()
      hosts = []
      for (const name of NAMES) hosts.push(await lab.host(name))
      await lab.connect(hosts.map((host, i) => ({ host, addresses: [`${underlay(i + 1)}/${prefixLength}`] })))
      agents = await Promise.all(
        hosts.map((host, i) => {
          const peer = (name: string, k: number): [string, object] => {
            const own = [`10.42.0.${k + 1}/32`, `fd00:42::${k + 1}/128`]
            return [name, { endpoint: underlay(k + 1), allowedIps: [...own, ...BEHIND[name]!] }]
          }
          const blue = { vni: 7, device: 'tun', address: [`10.42.0.${i + 1}/24`, `fd00:42::${i + 1}/64`] }
          const others = Object.fromEntries(NAMES.map(peer).filter((_, k) => k !== i)) as Record<string, never>
          return startAgent(host, configuration({ underlay: underlay(i + 1), networks: { blue }, peers: others }))
        }),
      )
      await hosts[1]!.ip('addr', 'add', '10.60.1.1/32', 'dev', 'lo')
      await hosts[2]!.ip('addr', 'add', '10.60.3.1/32', 'dev', 'lo')
    })
    afterAll(() => lab?.close())

    it('carries pings between all three, over IPv4 and IPv6', async () => {
      await reaches(hosts[0]!, '10.42.0.2', '10.42.0.3')
      await reaches(hosts[1]!, 'fd00:42::3', 'fd00:42::1')
      await reaches(hosts[2]!, '10.42.0.1', 'fd00:42::2')
    })

    it('carries TCP both ways, every byte as it was', async () => {
      await transferTcp({ from: hosts[0]!, to: hosts[1]!, address: '10.42.0.2' }, 20_000_000)
      await transferTcp({ from: hosts[1]!, to: hosts[0]!, address: 'fd00:42::1' }, 20_000_000)
    })

    it('carries datagrams of every size, also those that need fragments', async () => {
      await transferUdp({ from: hosts[1]!, to: hosts[2]!, address: '10.42.0.3' }, 50, [4, 64, 1000, 1386, 9000])
      await transferUdp({ from: hosts[2]!, to: hosts[1]!, address: 'fd00:42::2' }, 50, [4, 64, 1400, 20_000])
    })

    it('finds the peer by the longest prefix, and routes prefixes outside the device into it', async () => {
      const before = await Promise.all(agents.map((agent) => networkOf(agent)))
      await reaches(hosts[0]!, '10.60.1.1', '10.60.3.1')
      const after = await Promise.all(agents.map((agent) => networkOf(agent)))
      expect(after.slice(1).map((n, i) => n.rxPackets - before[i + 1]!.rxPackets)).toEqual([3, 3])
      expect(await hosts[0]!.ip('route', 'show', 'dev', 'vt7')).toMatch(/10\.60\.0\.0\/16.*\n.*10\.60\.3\.0\/24/s)
    })

    it("refuses an inner source outside the sender's prefixes", async () => {
      const before = await drops(agents[1]!)
      await hosts[0]!.ip('addr', 'add', '10.99.0.1/32', 'dev', 'lo')
      const ping = ['ping', '-n', '-c', '3', '-i', '0.05', '-W', '0.1', '-I', '10.99.0.1', '10.42.0.2']
      await expect(hosts[0]!.run(ping)).rejects.toThrow('ended with 1')
      await untilDropped(agents[1]!, 'source-not-allowed', before, 3)
    })

    it('drops what no peer is there for', async () => {
      const before = await drops(agents[0]!)
      await expect(hosts[0]!.run(['ping', '-n', '-c', '2', '-i', '0.05', '-W', '0.1', '10.42.0.9'])).rejects.toThrow(
        'ended with 1',
      )
      await untilDropped(agents[0]!, 'no-route', before, 2)
    })
  })
}, ['ping'])
