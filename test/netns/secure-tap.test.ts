// Layer 2 inside WireGuard, over either family:
//
//   a eth0 ─┐                    each an agent, VNI 42, device vt42 (TAP)
//   b eth0 ─┼─ br0 of switch     underlay 198.18.0.x/24 or fd00:18::x/64
//   c eth0 ─┘                    overlay  10.42.0.x/24 and fd00:42::x/64
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { openBooks } from '../support/books.ts'
import { drops, fdbOf, networkOf, reaches, status, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { type Pair, pair, secureConfiguration, untilPeer } from '../support/secure.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const NAMES = ['a', 'b', 'c']
const MANY = 20_000_000

describeRoot('secure layer 2', () => {
  describe.each([
    ['IPv4', (n: number) => `198.18.0.${n}`, 24],
    ['IPv6', (n: number) => `fd00:18::${n}`, 64],
  ])('over %s', (family, underlay, prefixLength) => {
    const endpoint = (n: number): string => (family === 'IPv4' ? `${underlay(n)}:51820` : `[${underlay(n)}]:51820`)
    let lab: Lab
    let hosts: Host[]
    let agents: LabAgent[]
    let keys: Pair[]

    beforeAll(async () => {
      lab = new Lab()
      hosts = []
      keys = NAMES.map(() => pair())
      for (const name of NAMES) hosts.push(await lab.host(name))
      await lab.connect(hosts.map((host, i) => ({ host, addresses: [`${underlay(i + 1)}/${prefixLength}`] })))
      agents = await Promise.all(
        hosts.map((host, i) => {
          const others = NAMES.map(
            (name, k) => [name, { endpoint: underlay(k + 1), publicKey: keys[k]!.public }] as const,
          )
          const blue = { vni: 42, address: [`10.42.0.${i + 1}/24`, `fd00:42::${i + 1}/64`] }
          const peers = Object.fromEntries(others.filter((_, k) => k !== i))
          return startAgent(host, secureConfiguration(host, keys[i]!, { networks: { blue }, peers }))
        }),
      )
      // Every host answers broadcast pings, so that one broadcast has two answers when each copy arrives once.
      for (const host of hosts) await host.run(['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_broadcasts=0'])
    })
    afterAll(() => lab?.close())

    it('carries pings between all three, over IPv4 and IPv6, from the first packet on', async () => {
      await reaches(hosts[0]!, '10.42.0.2', '10.42.0.3')
      await reaches(hosts[1]!, 'fd00:42::3', 'fd00:42::1')
      await reaches(hosts[2]!, '10.42.0.1', 'fd00:42::2')
      for (const agent of agents) expect((await drops(agent))['no-session']).toBeUndefined()
    })

    it('carries TCP both ways, every byte as it was', async () => {
      await transferTcp({ from: hosts[0]!, to: hosts[1]!, address: '10.42.0.2' }, MANY)
      await transferTcp({ from: hosts[1]!, to: hosts[0]!, address: '10.42.0.1' }, MANY)
      await transferTcp({ from: hosts[1]!, to: hosts[2]!, address: 'fd00:42::3' }, MANY)
      await transferTcp({ from: hosts[2]!, to: hosts[1]!, address: 'fd00:42::2' }, MANY)
    })

    it('carries datagrams of every size, also those that need fragments', async () => {
      await transferUdp({ from: hosts[1]!, to: hosts[2]!, address: '10.42.0.3' }, 50, [4, 64, 1000, 1370, 9000, 40_000])
      await transferUdp({ from: hosts[2]!, to: hosts[1]!, address: 'fd00:42::2' }, 50, [4, 64, 1350, 20_000])
    })

    it('carries the largest packet whole, and the host refuses the next size', async () => {
      const mtu = family === 'IPv4' ? 1418 : 1398
      const sized = (size: number): string[] => ['ping', '-n', '-c', '1', '-W', '2', '-M', 'do', '-s', `${size - 28}`]
      await hosts[0]!.run([...sized(mtu), '10.42.0.2'])
      await expect(hosts[0]!.run([...sized(mtu + 1), '10.42.0.2'])).rejects.toThrow('ended with 1')
    })

    it('learns behind which peer a station is', async () => {
      await reaches(hosts[0]!, '10.42.0.2')
      const { mac } = await networkOf(agents[1]!)
      const entry = (await fdbOf(agents[0]!)).find((e) => e.mac === mac)
      expect(entry).toMatchObject({ network: 'blue', vni: 42, vtep: underlay(2), peer: 'b', origin: 'learned' })
    })

    it('brings a broadcast to each host once, and no host passes it on', async () => {
      const before = await Promise.all(agents.map((agent) => networkOf(agent)))
      const { stdout } = await hosts[0]!.run(['ping', '-b', '-n', '-c', '5', '-i', '0.1', '10.42.0.255'])
      expect(answers(stdout, 4, '10.42.0.1')).toEqual(['10.42.0.2', '10.42.0.3'].flatMap((ip) => fourOf(ip)))
      const after = await Promise.all(agents.map((agent) => networkOf(agent)))
      const flooded = after.map((n, i) => n.floodedPackets - before[i]!.floodedPackets)
      expect(flooded[0]).toBeGreaterThanOrEqual(5)
    })

    it('brings a multicast to each host once', async () => {
      const addresses = await Promise.all(hosts.map((host) => linkLocal(host)))
      const { stdout } = await hosts[0]!.run(['ping', '-n', '-c', '5', '-i', '0.1', '-I', 'vt42', 'ff02::1'])
      expect(answers(stdout, 4, addresses[0]!)).toEqual(
        addresses
          .slice(1)
          .sort()
          .flatMap((ip) => fourOf(ip)),
      )
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
      expect(networks[0]).toMatchObject({ name: 'blue', security: 'secure', mtu: family === 'IPv4' ? 1418 : 1398 })
      const shown = peers.map((p) => [p.name, p.publicKey, p.endpoint, p.security, p.mtu, p.state])
      expect(shown).toEqual([
        ['b', keys[1]!.public, endpoint(2), 'secure', 1500, 'up'],
        ['c', keys[2]!.public, endpoint(3), 'secure', 1500, 'up'],
      ])
      expect(offloads).toMatchObject({ udpGso: 'on', udpGro: 'on', aead: expect.stringContaining('chacha20') })
      expect(undesired).toEqual([])
    })

    // Last, since nobody is back at the old address afterwards.
    it('follows a peer that has moved, with all stations behind it', async () => {
      const { mac } = await networkOf(agents[1]!)
      await hosts[1]!.ip('addr', 'del', `${underlay(2)}/${prefixLength}`, 'dev', 'eth0')
      await hosts[1]!.ip('addr', 'add', `${underlay(22)}/${prefixLength}`, 'dev', 'eth0', ...nodad(family))
      await until(
        'moved',
        () =>
          reaches(hosts[1]!, '10.42.0.1').then(
            () => true,
            () => false,
          ),
        Boolean,
      )
      await untilPeer(agents[0]!, 'b', (p) => p.endpoint === endpoint(22))
      const entry = (await fdbOf(agents[0]!)).find((e) => e.mac === mac)
      expect(entry).toMatchObject({ vtep: underlay(22), peer: 'b', origin: 'learned' })
      await transferTcp({ from: hosts[0]!, to: hosts[1]!, address: '10.42.0.2' }, MANY)
    })
  })
}, ['ping', 'sysctl'])

/** "address number" of each answer to the first `n` requests but our own; ping ends at the first answer to its last one. */
function answers(text: string, n: number, self: string): string[] {
  const all = [...text.matchAll(/from ([\da-f.:]+)(?:%\w+)?: icmp_seq=(\d+)/g)].map(
    (m) => [m[1]!, Number(m[2])] as const,
  )
  return all.flatMap(([from, k]) => (from !== self && k <= n ? [`${from} ${k}`] : [])).sort()
}

function fourOf(address: string): string[] {
  return [1, 2, 3, 4].map((n) => `${address} ${n}`)
}

async function linkLocal(host: Host): Promise<string> {
  const links = JSON.parse(await host.ip('-j', '-6', 'addr', 'show', 'dev', 'vt42', 'scope', 'link')) as {
    addr_info: { local?: string }[]
  }[]
  return links.flatMap((link) => link.addr_info.flatMap((a) => a.local ?? []))[0]!
}

function nodad(family: string): string[] {
  return family === 'IPv6' ? ['nodad'] : []
}
