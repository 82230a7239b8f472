// Layer 2 with less noise between real hosts: who asks is answered on the spot, an address that changes hands is found, a stream
// goes to who listens. Three agents, each a peer of the others.
//
//   a vt42 10.42.0.1 ═══ b 10.42.0.2 ═══ c 10.42.0.3          VNI 42, plain or secure
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, networkOf, reaches, until, untilReaches, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, secureConfiguration } from '../support/secure.ts'

const GROUP = '239.1.1.1'
const GROUP6 = 'ff05::42'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function three(isSecure = false): Promise<{ hosts: Host[]; agents: LabAgent[] }> {
  const made = new Lab()
  lab = made
  const hosts = [await made.host('a'), await made.host('b'), await made.host('c')]
  await made.connect(hosts.map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`] })))
  const pairs = hosts.map(() => pair())
  const agents: LabAgent[] = []
  for (const [k, host] of hosts.entries()) {
    const blue = { vni: 42, address: [`10.42.0.${k + 1}/24`, `fd00:42::${k + 1}/64`] }
    const peers = Object.fromEntries(
      [0, 1, 2]
        .filter((n) => n !== k)
        .map((n) => [
          `h${n + 1}`,
          { endpoint: `198.18.0.${n + 1}`, ...(isSecure ? { publicKey: pairs[n]!.public } : {}) },
        ]),
    )
    const config = isSecure
      ? secureConfiguration(host, pairs[k]!, { networks: { blue }, peers })
      : configuration({ underlay: `198.18.0.${k + 1}`, networks: { blue }, peers })
    agents.push(await startAgent(host, config))
  }
  return { hosts, agents }
}

const answered = async (agent: LabAgent) => (await drops(agent))['answered-here'] ?? 0

async function forgetNeighbours(host: Host): Promise<void> {
  await host.ip('neigh', 'flush', 'dev', 'vt42')
  await host.ip('-6', 'neigh', 'flush', 'dev', 'vt42')
}

describeRoot('suppressArp', () => {
  it.each([
    ['plain', false],
    ['secure', true],
  ])(
    'answers for known hosts of a %s network, and finds an address that has changed hands (EV23)',
    async (_kind, isSecure) => {
      const { hosts, agents } = await three(isSecure)
      const [a, b, c] = hosts as [Host, Host, Host]
      const [agent] = agents as [LabAgent]
      await reaches(a, '10.42.0.2', 'fd00:42::2')
      const before = await answered(agent)
      await forgetNeighbours(a)
      await reaches(a, '10.42.0.2', 'fd00:42::2')
      // One question each, and no third host has heard it.
      expect(await answered(agent)).toBeGreaterThanOrEqual(before + 2)
      const { entries } = JSON.parse((await vtepd(agent, 'neigh', '--json')).stdout)
      const mac = (await networkOf(agents[1]!)).mac
      expect(entries).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ network: 'blue', ip: '10.42.0.2', mac, origin: 'learned' }),
          expect.objectContaining({ network: 'blue', ip: 'fd00:42::2', mac, origin: 'learned' }),
          expect.objectContaining({ network: 'blue', ip: '10.42.0.1', origin: 'local' }),
        ]),
      )
      // The kernel says so with gratuitous ARP when arp_notify is on.
      await c.run(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/vt42/arp_notify'])
      await b.ip('addr', 'del', '10.42.0.2/24', 'dev', 'vt42')
      await c.ip('addr', 'add', '10.42.0.2/24', 'dev', 'vt42')
      await untilReaches(a, '10.42.0.2')
      await forgetNeighbours(a)
      await reaches(a, '10.42.0.2')
    },
  )

  it('lets duplicate address detection find a duplicate', async () => {
    const { hosts, agents } = await three()
    const [a, , c] = hosts as [Host, Host, Host]
    await reaches(c, 'fd00:42::1')
    await until(
      'the agent of c knows a',
      () => agents[2]!.get('/v1/neigh'),
      (answer) => JSON.stringify(answer).includes('"fd00:42::1"'),
    )
    await c.ip('addr', 'add', 'fd00:42::1/64', 'dev', 'vt42')
    await until(
      'dadfailed',
      () => c.ip('-6', 'addr', 'show', 'dev', 'vt42'),
      (text) => text.includes('dadfailed'),
    )
    await reaches(a, 'fd00:42::3')
  })
})

describeRoot('a multicast stream', () => {
  it('goes to the host that listens and not to the third, and to all once nobody listens (RFC 4541)', async () => {
    const { hosts, agents } = await three()
    const [a, b] = hosts as [Host, Host, Host]
    const [, agentB, agentC] = agents as [LabAgent, LabAgent, LabAgent]
    await reaches(a, '10.42.0.2', '10.42.0.3')
    // A listener in Python: groups of both families, and how many datagrams came.
    const listen = `
import socket, struct, sys
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.bind(('', 5001))
four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('${GROUP}') + socket.inet_aton('10.42.0.2'))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.bind(('::', 5002))
index = socket.if_nametoindex('vt42')
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, '${GROUP6}') + struct.pack('@I', index))
print('joined', flush=True)
sys.stdin.read()
`
    const send = `
import socket
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.42.0.1'))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('vt42'))
for _ in range(200):
    four.sendto(b'x' * 100, ('${GROUP}', 5001))
    six.sendto(b'x' * 100, ('${GROUP6}', 5002))
`
    const child = b.spawn(['/usr/bin/python3', '-c', listen], { stdio: ['pipe', 'pipe', 'inherit'] })
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    /** Packets that b and c have taken from the underlay while a sends 400. */
    const stream = async (): Promise<[number, number]> => {
      const count = async () => [(await networkOf(agentB)).rxPackets, (await networkOf(agentC)).rxPackets] as const
      const before = await count()
      await a.run(['/usr/bin/python3', '-c', send])
      await until(
        'the stream at b',
        async () => (await networkOf(agentB)).rxPackets - before[0],
        (n) => n >= 400,
      )
      const after = await count()
      return [after[0] - before[0], after[1] - before[1]]
    }
    // Reports are on their way: they come within a second or so.
    const [first] = await until('a stream that c does not get', stream, ([, third]) => third < 100)
    expect(first).toBeGreaterThanOrEqual(400)
    child.stdin!.end()
    await until('a stream that all get', stream, ([, third]) => third >= 400)
  })
})
