// A narrow place that no end sees: a router in the underlay. Its ICMP errors reach the agent through the socket's error
// queue and the kernel's routing cache, and their news goes on into the network (RFC 1191, RFC 8201, RFC 4459 §3.2).
//
//   a: agent, vt42 10.42.0.1 ─ eth0 .1 ── 198.18.1.0/24, fd00:18:1::/64 ── .254 left :r
//   b: agent, vt42 10.42.0.2 ─ eth0 .2 ── 198.18.2.0/24, fd00:18:2::/64 ── .254 right, MTU 1400 on both of its ends
import { afterEach, describe, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

const NARROW = 1400
/** The devices' MTU: neither side's segments are small by chance. */
const WIDE = 1430
const FAMILIES = {
  IPv4: { overhead: 50, address: (n: number, host: number) => `198.18.${n}.${host}`, length: 24 },
  IPv6: { overhead: 70, address: (n: number, host: number) => `fd00:18:${n}::${host}`, length: 64 },
}

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

interface Ends {
  readonly a: Host
  readonly b: Host
  readonly agent: LabAgent
}

async function behindRouter(family: keyof typeof FAMILIES, device: 'tap' | 'tun'): Promise<Ends> {
  const { address, length } = FAMILIES[family]
  const made = new Lab()
  lab = made
  const [a, b, r] = [await made.host('a'), await made.host('b'), await made.host('r')]
  const flags = family === 'IPv6' ? ['nodad'] : []
  await r.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  for (const [host, n, port] of [[a, 1, 'left'] as const, [b, 2, 'right'] as const]) {
    const far = ['type', 'veth', 'peer', 'name', port, 'netns', r.namespace]
    await made.run(['ip', 'link', 'add', 'eth0', 'netns', host.namespace, ...far])
    await r.ip('addr', 'add', `${address(n, 254)}/${length}`, 'dev', port, ...flags)
    await host.ip('addr', 'add', `${address(n, n)}/${length}`, 'dev', 'eth0', ...flags)
    const mtu = n === 2 ? ['mtu', String(NARROW)] : []
    await r.ip('link', 'set', port, ...mtu, 'up')
    await host.ip('link', 'set', 'eth0', ...mtu, 'up')
    await host.ip(
      'route',
      'add',
      `${address(3 - n, 0).replace(/\b0$/, '')}${family === 'IPv4' ? '0' : ''}/${length}`,
      'via',
      address(n, 254),
    )
  }
  const start = (host: Host, n: number): Promise<LabAgent> => {
    const far = `10.42.0.${3 - n}/32`
    const peer = {
      endpoint: address(3 - n, 3 - n),
      ...(device === 'tun' ? { allowedIps: [far, `fd00:42::${3 - n}/128`] } : {}),
    }
    const networks = { blue: { vni: 42, device, mtu: WIDE, address: [`10.42.0.${n}/24`, `fd00:42::${n}/64`] } }
    return startAgent(host, configuration({ underlay: address(n, n), networks, peers: { other: peer } }))
  }
  const [agent] = await Promise.all([start(a, 1), start(b, 2)])
  await untilReaches(a, '10.42.0.2')
  return { a, b, agent }
}

/** What ping says to one packet of `size` bytes that must not be cut. */
function pinged(host: Host, address: string, size: number): Promise<string> {
  const payload = size - (address.includes(':') ? 48 : 28)
  const words = ['ping', '-n', '-c', '1', '-W', '0.3', '-M', 'do', '-s', String(payload), address]
  return host.run(words).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`,
  )
}

describeRoot('a narrow place behind a router', () => {
  describe.each(['tap', 'tun'] as const)('in a %s network', (device) => {
    it.each(['IPv4', 'IPv6'] as const)(
      'is found over %s, told to the hosts, and transfers complete',
      async (family) => {
        const { a, b, agent } = await behindRouter(family, device)
        const room = NARROW - FAMILIES[family].overhead
        expect((await status(agent)).peers[0]!.mtu).toBe(1500)
        // The first one is lost where nobody can know; the next is answered by us.
        const size = room + 1
        await until(
          'the answer',
          () => pinged(a, '10.42.0.2', size),
          (said) => new RegExp(`mtu ?= ?${room}`).test(said),
        )
        expect((await status(agent)).peers[0]!.mtu).toBe(NARROW)
        expect((await drops(agent))['too-big']).toBeGreaterThan(0)
        // The first answer to another host is not held back.
        expect(await pinged(a, 'fd00:42::2', size)).toMatch(new RegExp(`mtu ?= ?${room}`))
        expect(await pinged(a, '10.42.0.2', room)).toContain('1 received')
        expect(await pinged(a, 'fd00:42::2', room)).toContain('1 received')
        await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 2_000_000)
        await transferTcp({ from: a, to: b, address: 'fd00:42::2' }, 2_000_000)
        await transferTcp({ from: b, to: a, address: '10.42.0.1' }, 2_000_000)
      },
    )

    it('is found by a TCP transfer alone', async () => {
      const { a, b, agent } = await behindRouter('IPv4', device)
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 2_000_000)
      expect((await status(agent)).peers[0]!.mtu).toBe(NARROW)
    })
  })
}, ['ping', 'sysctl'])
