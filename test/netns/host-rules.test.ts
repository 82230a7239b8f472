// The host's rules with real traffic, in nftables and in both kinds of iptables, whose FORWARD drops as Docker sets it:
//
//   b: agent, vt42 10.42.0.2 ─ eth0 198.18.0.2 ─┐
//   a: agent, vt42 10.42.0.1 ─ eth0 198.18.0.1 ─┼─ br0 of switch      a forwards, masquerades and maps ports; c knows nothing of
//   c:           lo 198.18.1.3, eth0 198.18.0.3 ┘                     10.42.0.0/24
//
// IPv6 the same, fd00:42:: inside, fd00:18:: and fd00:19::3 outside.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LabAgent, startAgent } from '../../src/lab/agent.ts'
import { built } from '../../src/lab/built.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { cannotReach, configuration, type Keys, status, until, untilReaches, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

const PYTHON = '/usr/bin/python3'
const MAPPED = ['8080:10.42.0.2:80/tcp', '8053:10.42.0.2:53/udp', '8080:[fd00:42::2]:80']
/** Answers on TCP 80 and UDP 53 with the address that it was asked from. */
const SERVER = `
import socket, threading
t = socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('0.0.0.0', 53))
print('ready', flush=True)
def udp():
    while True:
        _, a = u.recvfrom(99)
        u.sendto(a[0].encode(), a)
threading.Thread(target=udp, daemon=True).start()
while True:
    c, a = t.accept()
    c.sendall(a[0].encode())
    c.close()
`
const ASK = `
import socket, sys
address, port, udp = sys.argv[1], int(sys.argv[2]), len(sys.argv) > 3
if udp:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('', int(sys.argv[3])))
    s.settimeout(3)
    s.connect((address, port))
    s.send(b'?')
else:
    s = socket.create_connection((address, port), 3)
print(s.recv(99).decode().replace('::ffff:', ''), end='')
`

const noBridgeFilter = !existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')
const because = noBridgeFilter ? ' (needs br_netfilter)' : ''

interface Engine {
  readonly kind: string
  readonly firewall: string
  /** Its own word, as every tool of its kind has it. */
  readonly iptables: string | null
  /** What somebody does to our rules. TABLE: our table's name. */
  readonly damages: readonly (readonly string[])[]
}

const ENGINES: Engine[] = [
  {
    kind: 'nftables',
    firewall: 'auto',
    iptables: null,
    damages: [
      ['nft flush ruleset'],
      ['nft flush chain inet TABLE postrouting'],
      ['nft insert rule inet TABLE forward drop'],
    ],
  },
  {
    kind: 'iptables',
    firewall: 'auto',
    iptables: 'nft',
    damages: [
      ['iptables -t nat -F FLANNEL-POSTRTG'],
      ['iptables -F FORWARD', 'iptables -t raw -F'],
      ['iptables -t nat -I FLANNEL-POSTRTG -j ACCEPT', 'ip6tables -t nat -F'],
      ['iptables -A FORWARD -j FLANNEL-FWD', 'iptables -A FORWARD -j FLANNEL-FWD', 'iptables -I FORWARD -j DROP'],
    ],
  },
  {
    kind: 'iptables-legacy',
    firewall: 'auto',
    iptables: 'legacy',
    damages: [['iptables-legacy -t nat -F', 'iptables-legacy -I FORWARD -j REJECT']],
  },
]

function file(n: number, more: Keys): Keys {
  const other = 3 - n
  return configuration({
    underlay: `198.18.0.${n}`,
    networks: { blue: { vni: 42, address: [`10.42.0.${n}/24`, `fd00:42::${n}/64`] } },
    peers: { [`host-${other}`]: `198.18.0.${other}` },
    ...more,
  })
}

/** One command line, its words parted by spaces. */
async function run(host: Host, line: string): Promise<string> {
  return (await host.run(line.split(' '))).stdout
}

/** `from`: over UDP, from this port; 0: any. */
async function ask(host: Host, address: string, port: number, from?: number): Promise<string> {
  return (await host.run([PYTHON, '-c', ASK, address, String(port), ...(from === undefined ? [] : [String(from)])]))
    .stdout
}

/** Everything on a host that is an agent's, as the firewall says it. */
async function ours(host: Host, { iptables }: Pick<Engine, 'iptables'>): Promise<string> {
  if (iptables === null) return run(host, 'nft -s list ruleset inet')
  const both = [await run(host, `iptables-${iptables}-save`), await run(host, `ip6tables-${iptables}-save`)]
  const lines = both.join('\n').split('\n')
  return lines.filter((line) => /FLANNEL|VTEPD/.test(line)).join('\n')
}

describeRoot('host rules', () => {
  describe.each(ENGINES)('in $kind', (engine) => {
    let lab: Lab
    let a: Host
    let b: Host
    let c: Host
    let agent: LabAgent
    let config: Keys

    beforeAll(async () => {
      lab = new Lab()
      ;[a, b, c] = [await lab.host('a'), await lab.host('b'), await lab.host('c')]
      const hosts = [a, b, c]
      await lab.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`, `fd00:18::${i + 1}/64`] })))
      for (const outside of ['198.18.1.3/32', 'fd00:19::3/128']) await c.ip('addr', 'add', outside, 'dev', 'lo')
      await a.ip('route', 'add', '198.18.1.0/24', 'via', '198.18.0.3')
      await a.ip('route', 'add', 'fd00:19::/64', 'via', 'fd00:18::3')
      await run(a, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
      if (engine.iptables !== null) {
        for (const tool of [`iptables-${engine.iptables}`, `ip6tables-${engine.iptables}`]) {
          await run(a, `${tool} -P FORWARD DROP`)
          await run(a, `${tool} -N DOCKER-USER`)
          await run(a, `${tool} -A FORWARD -j DOCKER-USER`)
        }
      }
      config = file(1, { masquerade: true, notrack: true, ports: MAPPED, firewall: engine.firewall })
      const other = startAgent(b, file(2, { masquerade: true, firewall: 'nftables' }))
      agent = await startAgent(a, config)
      await other
      await b.ip('route', 'add', '198.18.1.0/24', 'via', '10.42.0.1')
      await b.ip('route', 'add', 'fd00:19::/64', 'via', 'fd00:42::1')
      const server = b.spawn([PYTHON, '-c', SERVER])
      await new Promise((resolve) => server.stdout!.once('data', resolve))
    })
    afterAll(() => lab?.close())

    async function rewrite(keys: Keys): Promise<void> {
      writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify({ node: 'a', ...keys }))
      await agent.reload()
    }

    it('let the network reach the outside, and nobody miss a route back', async () => {
      expect(await status(agent)).toMatchObject({ firewall: { kind: engine.kind, repairs: 0 }, undesired: [] })
      await untilReaches(b, '198.18.1.3')
      await untilReaches(b, 'fd00:19::3')
    })

    it('lead mapped ports to their targets, from outside, from here and from the network', async () => {
      expect(await ask(c, '198.18.0.1', 8080)).toBe('10.42.0.1')
      expect(await ask(c, '198.18.0.1', 8053, 0)).toBe('10.42.0.1')
      expect(await ask(c, 'fd00:18::1', 8080)).toBe('fd00:42::1')
      expect(await ask(a, '198.18.0.1', 8080)).toBe('10.42.0.1')
      expect(await ask(b, '10.42.0.1', 8080)).toBe('10.42.0.1')
      expect(await ask(a, '10.42.0.2', 80)).toBe('10.42.0.1')
    })

    it('keep the tunnel out of connection tracking', async () => {
      const tracked = async (host: Host): Promise<number> =>
        (await run(host, 'cat /proc/net/nf_conntrack')).split('\n').filter((line) => line.includes('dport=4789')).length
      expect(await tracked(a)).toBe(0)
      expect(await tracked(b)).toBeGreaterThan(0)
    })

    it('are put back when somebody changes them', async () => {
      const before = await ours(a, engine)
      const table = /table inet (\S+)/.exec(before)?.[1] ?? ''
      for (const damage of engine.damages) {
        const { repairs } = (await status(agent)).firewall
        for (const line of damage) await run(a, line.replace('TABLE', table))
        await until(
          damage.join(', '),
          async () => (await status(agent)).firewall.repairs,
          (n) => n > repairs,
          20_000,
        )
        // Of several things done to it one after the other the last one may be mended a second later.
        await until(
          'as before',
          () => ours(a, engine),
          (text) => text === before,
        )
      }
      await untilReaches(b, '198.18.1.3')
      expect(agent.stderr.match(/put back/g)).toHaveLength(1)
    })

    if (engine.kind === 'nftables') {
      it('are put back when the event of it was lost among those of others', async () => {
        const before = await ours(a, engine)
        const table = /table inet (\S+)/.exec(before)![1]!
        const rules = Array.from({ length: 5000 }, (_, i) => `ip saddr 198.19.${i >> 8}.${i & 255} counter accept`)
        const large = join(lab.dir, 'large.nft')
        writeFileSync(large, `table ip others {\nchain many {\n${rules.join('\n')}\n}\n}\n`)
        process.kill(agent.pid, 'SIGSTOP')
        await run(a, `nft -f ${large}`)
        await run(a, `nft delete table inet ${table}`)
        process.kill(agent.pid, 'SIGCONT')
        await until(
          'as before',
          () => ours(a, engine),
          (text) => text === before,
        )
        await run(a, 'nft delete table ip others')
      })
    }

    // The same code for both kinds of iptables.
    if (engine.iptables !== 'legacy') {
      it('lead a flow of UDP that goes on the way that they say now', async () => {
        const local = a.spawn([PYTHON, '-c', SERVER.replaceAll('a[0].encode()', "b'here'").replace('53)', '8053)')])
        await new Promise((resolve) => local.stdout!.once('data', resolve))
        // Always from one port, sooner than the kernel forgets a flow.
        const answer = (): Promise<string> => ask(c, '198.18.0.1', 8053, 7777)
        expect(await answer()).toBe('10.42.0.1')
        await rewrite({ ...config, ports: [] })
        expect(await answer()).toBe('here')
        await rewrite(config)
        expect(await answer()).toBe('10.42.0.1')
        local.kill()
      })

      it('follow the file', async () => {
        const before = await ours(a, engine)
        await rewrite({ ...config, masquerade: false, notrack: false, ports: [] })
        const forward = await ours(a, engine)
        expect(forward).not.toMatch(/masquerade|notrack|8080/i)
        if (engine.iptables !== null) expect(forward).toContain('-A FLANNEL-FWD -d 10.42.0.0/24')
        await rewrite({ ...config, firewall: 'off' })
        expect(await ours(a, engine)).toBe('')
        await rewrite(config)
        expect(await ours(a, engine)).toBe(before)
      })

      it('of a killed agent are replaced by the next one, or removed by stop --cleanup', async () => {
        const before = await ours(a, engine)
        const kill = async (): Promise<void> => {
          process.kill(agent.pid, 'SIGKILL')
          await until(
            'dead',
            () => agent.alive,
            (alive) => !alive,
          )
        }
        await kill()
        expect(await ours(a, engine)).toBe(before)
        agent = await startAgent(a, config)
        expect(await ours(a, engine)).toBe(before)
        await kill()
        await vtepd(agent, 'stop', '--cleanup')
        expect(await ours(a, engine)).toBe('')
      })
    }

    it('go with the agent', async () => {
      if (!agent.alive) agent = await startAgent(a, config)
      expect(await ours(a, engine)).not.toBe('')
      await agent.stop()
      expect(await ours(a, engine)).toBe('')
    })
  })

  describe('of an agent that nobody asked for rules', () => {
    let lab: Lab
    let a: Host
    let b: Host
    let agent: LabAgent

    async function rewrite(keys: Keys): Promise<void> {
      writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify({ node: 'a', ...keys }))
      await agent.reload()
    }

    beforeAll(async () => {
      lab = new Lab()
      a = await lab.host('a')
      b = await lab.host('b')
      await lab.connect([a, b].map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
    })
    afterAll(() => lab?.close())

    it('are none until the host uses iptables; then forwarding passes it', async () => {
      agent = await startAgent(a, file(1, {}))
      expect((await status(agent)).firewall.kind).toBe('none')
      expect(await run(a, 'nft list ruleset')).toBe('')
      await run(a, 'iptables-nft -P FORWARD DROP')
      const jump = '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD'
      const lines = await until(
        'iptables',
        () => ours(a, { iptables: 'nft' }),
        (text) => text.includes(jump),
      )
      expect(lines).not.toContain('POSTRTG')
      expect((await status(agent)).firewall).toEqual({ kind: 'iptables', repairs: 0 })
    })

    it('are in iptables also where the host uses it for IPv6 alone; that it does not forward has a beginning', async () => {
      await run(b, 'ip6tables-legacy -P FORWARD DROP')
      const other = await startAgent(b, file(2, { masquerade: true }))
      expect((await status(other)).firewall.kind).toBe('iptables-legacy')
      expect(await run(b, 'ip6tables-legacy-save')).toContain('-A FLANNEL-FWD -d fd00:42::/64')
      const { undesired, uptimeSeconds } = await status(other)
      expect(undesired.map(({ what }) => what)).toEqual(['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'])
      const later = await until(
        'later',
        () => status(other),
        (now) => now.uptimeSeconds > uptimeSeconds + 1,
      )
      expect(later.undesired).toEqual(undesired)
      await other.stop()
      await run(b, 'ip6tables-legacy -P FORWARD ACCEPT')
    })

    it('of two agents in one namespace stand side by side', async () => {
      const dir = join(lab.dir, 'second')
      mkdirSync(dir)
      const keys = configuration({
        underlay: '198.18.0.1',
        networks: { red: { vni: 43, port: 4790, address: '10.43.0.1/24' } },
        peers: { b: '198.18.0.2' },
      })
      writeFileSync(join(dir, 'vtepd.yaml'), JSON.stringify({ node: 'second', ...keys, firewall: 'iptables' }))
      const places = ['-c', join(dir, 'vtepd.yaml'), '--runtime-dir', dir, '--state-dir', dir]
      const second = new LabAgent(a, a.spawn([process.execPath, built('main.js'), 'up', ...places]), dir)
      await second.untilReady()
      const both = await ours(a, { iptables: 'nft' })
      expect(both).toMatch(/-A FLANNEL-FWD -s 10\.42\.0\.0\/24/)
      expect(both).toMatch(/-A FLANNEL-FWD-[0-9a-f]{8} -s 10\.43\.0\.0\/24/)
      await second.stop()
      const one = await ours(a, { iptables: 'nft' })
      expect(one).toContain('10.42.0.0/24')
      expect(one).not.toContain('10.43.0.0/24')
    })

    it.skipIf(noBridgeFilter)(`let a bridge pass frames where it asks iptables${because}`, async () => {
      const bare = { ...file(1, {}), networks: { blue: { vni: 42, security: 'plain' } } }
      await rewrite({ ...bare, forward: false })
      await a.ip('link', 'add', 'br0', 'type', 'bridge')
      const d = await lab.host('d')
      await a.ip('link', 'add', 'port', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', d.namespace)
      for (const port of ['port', 'vt42']) await a.ip('link', 'set', port, 'master', 'br0', 'up')
      await a.ip('link', 'set', 'br0', 'up')
      await d.ip('addr', 'add', '10.42.0.50/24', 'dev', 'eth1')
      await d.ip('link', 'set', 'eth1', 'up')
      await startAgent(b, file(2, {}))
      await cannotReach(b, '10.42.0.50')
      await rewrite(bare)
      await untilReaches(b, '10.42.0.50')
    })

    it('in nftables do not get past a policy of iptables, and say so', async () => {
      await rewrite(file(1, { firewall: 'nftables' }))
      const { firewall, undesired } = await status(agent)
      expect(firewall.kind).toBe('nftables')
      expect(undesired).toMatchObject([{ what: 'forward', where: 'table ip filter, chain FORWARD', want: 'accept' }])
      expect(await ours(a, { iptables: 'nft' })).toBe('')
    })
  })
}, ['nft', 'iptables-nft', 'iptables-legacy', 'python3', 'ping'])
