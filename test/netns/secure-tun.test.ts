// Layer 3 inside WireGuard:
//
//   a eth0 ─┐                    each an agent, VNI 7, device vt7 (TUN)
//   b eth0 ─┼─ br0 of switch     underlay 198.18.0.x/24 or fd00:18::x/64
//   c eth0 ─┘                    overlay  10.42.0.x/24 and fd00:42::x/64; b has 10.60.0.0/16 and fd00:60::/48 behind it, c
//                                10.60.3.0/24 and fd00:60:0:3::/64
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { cannotReach, drops, networkOf, reaches, status, until, untilDropped } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { keyFile, type Pair, pair, presharedKey, rewrite, secureConfiguration, untilPeer } from '../support/secure.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const NAMES = ['a', 'b', 'c']
const BEHIND: Record<string, string[]> = {
  a: [],
  b: ['10.60.0.0/16', 'fd00:60::/48'],
  c: ['10.60.3.0/24', 'fd00:60:0:3::/64'],
}
const MANY = 20_000_000

describeRoot('secure layer 3', () => {
  describe.each([
    ['IPv4', (n: number) => `198.18.0.${n}`, 24],
    ['IPv6', (n: number) => `fd00:18::${n}`, 64],
  ])('over %s', (family, underlay, prefixLength) => {
    let lab: Lab
    let hosts: Host[]
    let agents: LabAgent[]
    let keys: Pair[]
    let configs: Record<string, unknown>[]

    beforeAll(async () => {
      lab = new Lab()
      hosts = []
      keys = NAMES.map(() => pair())
      for (const name of NAMES) hosts.push(await lab.host(name))
      await lab.connect(hosts.map((host, i) => ({ host, addresses: [`${underlay(i + 1)}/${prefixLength}`] })))
      const presharedKeyFile = keyFile(lab, 'psk', presharedKey())
      configs = hosts.map((host, i) => {
        const peer = (name: string, k: number): [string, object] => {
          const allowedIps = [`10.42.0.${k + 1}/32`, `fd00:42::${k + 1}/128`, ...BEHIND[name]!]
          return [name, { endpoint: underlay(k + 1), publicKey: keys[k]!.public, presharedKeyFile, allowedIps }]
        }
        const blue = { vni: 7, device: 'tun', address: [`10.42.0.${i + 1}/24`, `fd00:42::${i + 1}/64`] }
        const peers = Object.fromEntries(NAMES.map(peer).filter((_, k) => k !== i)) as Record<string, never>
        return secureConfiguration(host, keys[i]!, { networks: { blue }, peers })
      })
      agents = await Promise.all(hosts.map((host, i) => startAgent(host, configs[i]!)))
      await hosts[1]!.ip('addr', 'add', '10.60.1.1/32', 'dev', 'lo')
      await hosts[1]!.ip('addr', 'add', 'fd00:60::1/128', 'dev', 'lo')
      await hosts[2]!.ip('addr', 'add', '10.60.3.1/32', 'dev', 'lo')
      await hosts[2]!.ip('addr', 'add', 'fd00:60:0:3::1/128', 'dev', 'lo')
    })
    afterAll(() => lab?.close())

    it('carries pings between all three, over IPv4 and IPv6, with a preshared key', async () => {
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
      await transferUdp({ from: hosts[1]!, to: hosts[2]!, address: '10.42.0.3' }, 50, [4, 64, 1000, 1392, 9000])
      await transferUdp({ from: hosts[2]!, to: hosts[1]!, address: 'fd00:42::2' }, 50, [4, 64, 1370, 20_000])
    })

    it('carries the largest packet whole, and every size below it, padded or not', async () => {
      const mtu = family === 'IPv4' ? 1440 : 1420
      expect((await networkOf(agents[0]!)).mtu).toBe(mtu)
      const sized = (size: number): string[] => ['ping', '-n', '-c', '1', '-W', '2', '-M', 'do', '-s', `${size - 28}`]
      for (let size = mtu - 17; size <= mtu; size++) await hosts[0]!.run([...sized(size), '10.42.0.2'])
      await expect(hosts[0]!.run([...sized(mtu + 1), '10.42.0.2'])).rejects.toThrow('ended with 1')
    })

    it('finds the peer by the longest prefix, and routes prefixes outside the device into it', async () => {
      const before = await Promise.all(agents.map((agent) => networkOf(agent)))
      await reaches(hosts[0]!, '10.60.1.1', '10.60.3.1', 'fd00:60::1', 'fd00:60:0:3::1')
      const after = await Promise.all(agents.map((agent) => networkOf(agent)))
      expect(after.slice(1).map((n, i) => n.rxPackets - before[i + 1]!.rxPackets)).toEqual([6, 6])
      expect(await hosts[0]!.ip('route', 'show', 'dev', 'vt7')).toMatch(/10\.60\.0\.0\/16.*\n.*10\.60\.3\.0\/24/s)
    })

    it("refuses an inner source outside the sender's prefixes, also one that is another peer's", async () => {
      const before = await drops(agents[1]!)
      await hosts[0]!.ip('addr', 'add', '10.99.0.1/32', 'dev', 'lo')
      await hosts[0]!.ip('addr', 'add', '10.60.3.9/32', 'dev', 'lo')
      await hosts[0]!.ip('addr', 'add', 'fd00:99::1/128', 'dev', 'lo', 'nodad')
      const ping = (source: string, to: string): string[] => [
        'ping',
        '-n',
        '-c',
        '3',
        '-i',
        '0.05',
        '-W',
        '0.1',
        '-I',
        source,
        to,
      ]
      await expect(hosts[0]!.run(ping('10.99.0.1', '10.42.0.2'))).rejects.toThrow('ended with 1')
      await expect(hosts[0]!.run(ping('10.60.3.9', '10.42.0.2'))).rejects.toThrow('ended with 1')
      await expect(hosts[0]!.run(ping('fd00:99::1', 'fd00:42::2'))).rejects.toThrow('ended with 1')
      await untilDropped(agents[1]!, 'source-not-allowed', before, 9)
    })

    it('drops what no peer is there for', async () => {
      const before = await drops(agents[0]!)
      const ping = ['ping', '-n', '-c', '2', '-i', '0.05', '-W', '0.1']
      await expect(hosts[0]!.run([...ping, '10.42.0.9'])).rejects.toThrow('ended with 1')
      await expect(hosts[0]!.run([...ping, 'fd00:42::9'])).rejects.toThrow('ended with 1')
      await until(
        'no-route',
        () => drops(agents[0]!),
        (d) => (d['no-route'] ?? 0) >= (before['no-route'] ?? 0) + 4,
      )
    })

    it('moves a prefix from peer to peer by reload, under traffic to others', async () => {
      const { peers, ...rest } = configs[0] as { peers: Record<string, { allowedIps: string[] }> }
      const moved = structuredClone(peers)
      moved['b']!.allowedIps = moved['b']!.allowedIps.filter((ip) => ip !== '10.60.0.0/16')
      moved['c']!.allowedIps.push('10.60.0.0/16')
      const transfer = transferTcp({ from: hosts[0]!, to: hosts[1]!, address: '10.42.0.2' }, MANY)
      const before = await networkOf(agents[2]!)
      rewrite(agents[0]!, { ...rest, peers: moved })
      await agents[0]!.reload()
      await cannotReach(hosts[0]!, '10.60.1.1')
      // c is asked now, and has no such address: it is no router, and what it does with the packets is its host's business.
      expect((await networkOf(agents[2]!)).rxPackets - before.rxPackets).toBeGreaterThanOrEqual(2)
      rewrite(agents[0]!, configs[0]!)
      await agents[0]!.reload()
      await reaches(hosts[0]!, '10.60.1.1')
      await transfer
    })

    it('says in status what runs', async () => {
      const { networks, peers } = await status(agents[0]!)
      expect(networks[0]).toMatchObject({ name: 'blue', device: 'tun', security: 'secure' })
      expect(peers.map((p) => [p.name, p.publicKey, p.security, p.mtu, p.state])).toEqual([
        ['b', keys[1]!.public, 'secure', 1500, 'up'],
        ['c', keys[2]!.public, 'secure', 1500, 'up'],
      ])
      await untilPeer(agents[0]!, 'b', (p) => p.lastHandshakeSeconds !== null && p.rxBytes > MANY && p.txBytes > MANY)
    })
  })
}, ['ping'])
