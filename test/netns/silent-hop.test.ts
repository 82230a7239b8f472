// A narrow place that nobody tells of: routers that drop their own ICMP errors, and between them a link with an MTU of 1280. What
// does not fit is lost without a sign. Agents find it by asking each other (src/datapath/path-probe.ts).
//
//   a: agent, vt42 10.42.0.1 ─ eth0 .1 ── 198.18.1.0/24, fd00:18:1::/64 ── .254 left :r mid ─┐ silent
//   b: agent, vt42 10.42.0.2 ─ eth0 .2 ── 198.18.2.0/24, fd00:18:2::/64 ── .254 right :s mid ─┘ MTU 1280, or from some moment on
import { afterEach, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { drops, reaches, status, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { type Pair, pair, peerOf, secureConfiguration, untilPeer } from '../support/secure.ts'
import { transferTcp } from '../support/transfer.ts'

const NARROW = 1280
const MANY = 4_000_000
const FAMILIES = {
  IPv4: { address: (n: number, host: number) => `198.18.${n}.${host}`, length: 24, zero: '0' },
  IPv6: { address: (n: number, host: number) => `fd00:18:${n}::${host}`, length: 64, zero: '' },
}
type Family = keyof typeof FAMILIES
type Device = 'tap' | 'tun'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

interface World {
  readonly a: Host
  readonly b: Host
  readonly agents: readonly LabAgent[]
  narrow(mtu: number): Promise<void>
}

/** `mtu`: of the link in the middle. `network`: more keys of both ends' network. */
async function world(family: Family, device: Device, mtu: number, network = {}): Promise<World> {
  const { address, length, zero } = FAMILIES[family]
  lab = new Lab()
  const made = lab
  const [a, b, r, s] = [await made.host('a'), await made.host('b'), await made.host('r'), await made.host('s')]
  const link = async (x: Host, nameX: string, ipX: string, y: Host, nameY: string, ipY: string): Promise<void> => {
    const far = ['type', 'veth', 'peer', 'name', nameY, 'netns', y.namespace]
    await made.run(['ip', 'link', 'add', nameX, 'netns', x.namespace, ...far])
    for (const [host, name, ip] of [[x, nameX, ipX] as const, [y, nameY, ipY] as const]) {
      await host.ip('addr', 'add', `${ip}/${length}`, 'dev', name, ...(family === 'IPv6' ? ['nodad'] : []))
      await host.ip('link', 'set', name, 'up')
    }
  }
  await link(a, 'eth0', address(1, 1), r, 'left', address(1, 254))
  await link(b, 'eth0', address(2, 2), s, 'right', address(2, 254))
  await link(r, 'mid', address(9, 1), s, 'mid', address(9, 2))
  const to = (n: number): string => `${address(n, 0).replace(/0$/, zero)}/${length}`
  await a.ip('route', 'add', to(2), 'via', address(1, 254))
  await r.ip('route', 'add', to(2), 'via', address(9, 2))
  await s.ip('route', 'add', to(1), 'via', address(9, 1))
  await b.ip('route', 'add', to(1), 'via', address(2, 254))
  for (const router of [r, s]) await silence(router)
  const narrow = async (bytes: number): Promise<void> => {
    for (const router of [r, s]) await router.ip('link', 'set', 'mid', 'mtu', String(bytes))
  }
  await narrow(mtu)
  const keys = [pair(), pair()]
  const agents = await Promise.all([a, b].map((host, i) => member(host, i + 1, keys, { family, device, network })))
  return { a, b, agents, narrow }
}

/** Forwards, and says nothing of what it cannot forward. */
async function silence(router: Host): Promise<void> {
  await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  const rules = [
    'table inet silent {',
    'chain out { type filter hook output priority 0;',
    'icmp type destination-unreachable drop',
    'icmpv6 type packet-too-big drop',
    '}',
    '}',
  ]
  await router.run(['nft', rules.join('\n')])
}

interface Kind {
  readonly family: Family
  readonly device: Device
  readonly network: object
}

function member(host: Host, n: number, keys: readonly Pair[], { family, device, network }: Kind): Promise<LabAgent> {
  const other = 3 - n
  const peer = {
    endpoint: FAMILIES[family].address(other, other),
    publicKey: keys[other - 1]!.public,
    ...(device === 'tun' ? { allowedIps: [`10.42.0.${other}/32`, `fd00:42::${other}/128`] } : {}),
  }
  const blue = { vni: 42, device, address: [`10.42.0.${n}/24`, `fd00:42::${n}/64`], ...network }
  return startAgent(host, secureConfiguration(host, keys[n - 1]!, { networks: { blue }, peers: { other: peer } }))
}

/** TCP over IPv6 inside that begins once the path is known: IPv6 knows no MTU under 1280, so that its hosts cannot be told. */
async function hangsNoIpv6Inside({ a, b, agents }: Pick<World, 'a' | 'b' | 'agents'>): Promise<void> {
  const tooBig = async (): Promise<unknown[]> =>
    Promise.all(agents.map(async (agent) => (await drops(agent))['too-big']))
  const before = await tooBig()
  await transferTcp({ from: a, to: b, address: 'fd00:42::2' }, MANY)
  await transferTcp({ from: b, to: a, address: 'fd00:42::1' }, MANY)
  expect(await tooBig()).toEqual(before)
}

describeRoot('a narrow place that nobody tells of', () => {
  describe.each(['tap', 'tun'] as const)('in a secure %s network', (device) => {
    it.each(['IPv4', 'IPv6'] as const)('over %s hangs no transfer, not even the first', async (family) => {
      const { a, b, agents } = await world(family, device, NARROW)
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, MANY)
      await transferTcp({ from: b, to: a, address: '10.42.0.1' }, MANY)
      for (const agent of agents) expect((await peerOf(agent, 'other')).mtu).toBe(NARROW)
      expect((await drops(agents[0]!))['unknown-payload']).toBeUndefined()
      if (family === 'IPv4') await hangsNoIpv6Inside({ a, b, agents })
    })

    it('that comes later is found, and the transfer goes on', async () => {
      const { a, b, agents, narrow } = await world('IPv4', device, 1500)
      await reaches(a, '10.42.0.2')
      expect((await peerOf(agents[0]!, 'other')).mtu).toBe(1500)
      const transfer = transferTcp({ from: a, to: b, address: '10.42.0.2' }, 200_000_000)
      await until(
        'data',
        () => status(agents[0]!),
        (s) => s.networks[0]!.txBytes > 1_000_000,
      )
      await narrow(NARROW)
      await transfer
      await untilPeer(agents[0]!, 'other', (p) => p.mtu === NARROW)
      expect((await peerOf(agents[1]!, 'other')).mtu).toBe(1500)
    })
  })
}, ['nft', 'sysctl'])
