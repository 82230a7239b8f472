// Layer 2 between agents, over either family:
//
//   a eth0 ─┐                    each an agent, VNI 42, device vt42 (TAP)
//   b eth0 ─┼─ br0 of switch     underlay 198.18.0.x/24 or fd00:18::x/64
//   c eth0 ─┘                    overlay  10.42.0.x/24 and fd00:42::x/64
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { openBooks } from '../support/books.ts'
import { configuration, fdbOf, networkOf, reaches, status } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const NAMES = ['a', 'b', 'c']
const BROADCAST = '10.42.0.255'

describeRoot('layer 2', () => {
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
          const others = NAMES.map((name, k) => [name, underlay(k + 1)] as const).filter((_, k) => k !== i)
          const address = [`10.42.0.${i + 1}/24`, `fd00:42::${i + 1}/64`]
          const blue = { vni: 42, address }
          return startAgent(
            host,
            configuration({ underlay: underlay(i + 1), networks: { blue }, peers: Object.fromEntries(others) }),
          )
        }),
      )
      // Every host answers broadcast pings, so that one broadcast has two answers when each copy arrives once.
      for (const host of hosts) await host.run(['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_broadcasts=0'])
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
      await transferUdp({ from: hosts[1]!, to: hosts[2]!, address: '10.42.0.3' }, 50, [4, 64, 1000, 1372, 9000, 40_000])
      await transferUdp({ from: hosts[2]!, to: hosts[1]!, address: 'fd00:42::2' }, 50, [4, 64, 1400, 20_000])
    })

    it('learns behind which peer a station is (VX22)', async () => {
      await reaches(hosts[0]!, '10.42.0.2')
      const { mac } = await networkOf(agents[1]!)
      const entry = (await fdbOf(agents[0]!)).find((e) => e.mac === mac)
      expect(entry).toMatchObject({ network: 'blue', vni: 42, vtep: underlay(2), peer: 'b', origin: 'learned' })
    })

    it('brings a broadcast to each host once, and no host passes it on', async () => {
      const before = await Promise.all(agents.map((agent) => networkOf(agent)))
      const pings = 5
      const { stdout } = await hosts[0]!.run(['ping', '-b', '-n', '-c', String(pings), '-i', '0.1', BROADCAST])
      const answers = [...stdout.matchAll(/from (10\.42\.0\.\d): icmp_seq=(\d+)/g)].map((m) => `${m[1]} ${m[2]}`)
      // The host that asks hears itself, too; and ping ends at the first answer to its last request.
      const whole = answers.filter((line) => !line.startsWith('10.42.0.1 ') && !line.endsWith(` ${pings}`)).sort()
      const want = ['10.42.0.2', '10.42.0.3'].flatMap((ip) => [1, 2, 3, 4].map((n) => `${ip} ${n}`))
      expect(whole).toEqual(want)
      // Answers are unicast and known: whatever else was flooded meanwhile came from the one that asked.
      const after = await Promise.all(agents.map((agent) => networkOf(agent)))
      const flooded = after.map((n, i) => n.floodedPackets - before[i]!.floodedPackets)
      expect(flooded[0]).toBeGreaterThanOrEqual(pings)
    })

    it('keeps the books: what devices gave, plus copies, is what went out; that is what came in', async () => {
      const check = await openBooks(hosts, agents, 'vt42')
      await reaches(hosts[1]!, '10.42.0.3', 'fd00:42::1')
      const pings = await check()
      expect(pings('sent')).toBeGreaterThanOrEqual(12)
      expect(pings('delivered')).toBe(pings('received'))
      await transferUdp({ from: hosts[0]!, to: hosts[2]!, address: '10.42.0.3' }, 100, [100, 1000])
      const datagrams = await check()
      expect(datagrams('sent')).toBeGreaterThanOrEqual(400)
      // The agent joins datagrams that belong together, so the device sees fewer.
      expect(datagrams('delivered')).toBeLessThanOrEqual(datagrams('received'))
    })

    it('says in status what runs', async () => {
      const { ready, networks, peers, offloads, undesired } = await status(agents[0]!)
      expect(ready).toBe(true)
      expect(networks[0]).toMatchObject({
        name: 'blue',
        vni: 42,
        device: 'tap',
        interface: 'vt42',
        mtu: prefixLength === 64 ? 1430 : 1450,
      })
      expect(peers.map((p) => [p.name, p.mtu])).toEqual([
        ['b', 1500],
        ['c', 1500],
      ])
      expect(offloads).toMatchObject({ udpGso: 'on', udpGro: 'on' })
      expect(undesired).toEqual([])
    })
  })
}, ['ping', 'sysctl'])
