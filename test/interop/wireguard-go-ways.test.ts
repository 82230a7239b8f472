// Ways between an agent and wireguard-go that are not straight: several addresses, addresses that go, two links, NAT that forgets;
// and keys that nobody may talk to. The hosts are drawn in test/support/stock-peer.ts, others where they are made.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { lowOrder } from '../support/keys.ts'
import { cannotReach, reaches, status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { untilPeer } from '../support/secure.ts'
import { A, StockPeer, W } from '../support/stock-peer.ts'

const KEEPALIVE = 32
const NAT_ADDRESS = '10.0.0.1'

let lab: Lab

beforeEach(() => {
  lab = new Lab()
})

afterEach(() => lab.close())

describeRoot('between an agent and wireguard-go', () => {
  it('an answer leaves from the address that was reached', async () => {
    // All of it before the agent starts: what changes later makes it forget where it was reached.
    const [a, w] = await StockPeer.hosts(lab)
    for (const address of ['198.18.0.11/24', '10.99.0.1/32', 'fd00:18::11/64', 'fd00:99::1/128']) {
      // Also on an interface that the packets do not come in by.
      const own = address.endsWith('/32') || address.endsWith('/128')
      await a.ip('addr', 'add', address, 'dev', own ? 'lo' : 'eth0', ...(address.includes(':') ? ['nodad'] : []))
    }
    await w.ip('route', 'add', '10.99.0.1', 'via', A.outer4)
    await w.ip('-6', 'route', 'add', 'fd00:99::1', 'via', A.outer6)
    const s = await StockPeer.between(a, w, { caller: 'wireguard-go' })
    const all = ['198.18.0.11', '10.99.0.1', A.outer4, '[fd00:18::11]', '[fd00:99::1]', `[${A.outer6}]`]
    for (const address of [...all, ...all.toReversed()]) {
      const endpoint = `${address}:${A.port}`
      await s.go.set('peer', s.keys.public, 'endpoint', endpoint)
      await reaches(s.w, A.inner4)
      // It would have followed us to another one.
      expect(await s.seenByGo('endpoints')).toBe(endpoint)
      await reaches(s.a, W.inner6)
      expect(await s.seenByGo('endpoints')).toBe(endpoint)
    }
  })

  it.each([
    ['IPv4', '198.18.0.11/24', '198.18.0.11', A.outer4],
    ['IPv6', 'fd00:18::11/64', '[fd00:18::11]', `[${A.outer6}]`],
  ])('an address that is gone is left at once (%s)', async (family, added, reached, left) => {
    const s = await StockPeer.start(lab, { caller: 'wireguard-go' })
    await s.a.ip('addr', 'add', added, 'dev', 'eth0', ...(family === 'IPv6' ? ['nodad'] : []))
    await s.go.set('peer', s.keys.public, 'endpoint', `${reached}:${A.port}`)
    await reaches(s.w, A.inner4)
    expect(await s.seenByGo('endpoints')).toBe(`${reached}:${A.port}`)
    await s.a.ip('addr', 'del', added, 'dev', 'eth0')
    await reaches(s.a, W.inner4)
    expect(await s.seenByGo('endpoints')).toBe(`${left}:${A.port}`)
    await reaches(s.w, A.inner4)
  })

  // a eth0 198.18.0.1 ── 198.18.0.2 eth0 w,  a eth1 198.18.1.1 ── 198.18.1.2 eth1 w,  10.99.0.2 on w's lo
  it('a route that is better from now on is taken, and its source with it', async () => {
    const s = await StockPeer.start(lab, { caller: 'agent', peer: { endpoint: `10.99.0.2:${W.port}` } })
    await s.a.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', s.w.namespace)
    for (const [host, n] of [
      [s.a, 1],
      [s.w, 2],
    ] as const) {
      await host.ip('addr', 'add', `198.18.1.${n}/24`, 'dev', 'eth1')
      await host.ip('link', 'set', 'eth1', 'up')
      await host.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.eth1.rp_filter=0'])
    }
    await s.w.ip('addr', 'add', '10.99.0.2/32', 'dev', 'lo')
    await s.a.ip('route', 'add', '10.99.0.2', 'via', W.outer4, 'metric', '10')
    await s.a.ip('route', 'add', '10.99.0.2', 'via', '198.18.1.2', 'metric', '20')
    await reaches(s.a, W.inner4)
    expect(await s.seenByGo('endpoints')).toBe(`${A.outer4}:${A.port}`)
    await s.a.ip('route', 'add', '10.99.0.2', 'via', '198.18.1.2', 'metric', '1')
    await until(
      'the other source',
      async () => {
        await untilReaches(s.a, W.inner4)
        return s.seenByGo('endpoints')
      },
      (at) => at === `198.18.1.1:${A.port}`,
    )
    await reaches(s.w, A.inner4)
  })

  // The kernel's self-test has this between two of its own; wireguard-go fills up to its device's MTU and would be cut off.
  it('what is filled up stays within a route that takes less than the device', async () => {
    const network = { mtu: 1300 }
    const s = await StockPeer.start(lab, { network })
    await s.w.ip('link', 'set', s.go.name, 'mtu', '1299')
    await reaches(s.a, W.inner4)
    await s.w.run(['nft', 'add', 'table', 'inet', 'narrow'])
    await s.w.run(['nft', 'add', 'chain', 'inet', 'narrow', 'in', '{ type filter hook input priority 0; }'])
    await s.w.run(['nft', 'add', 'rule', 'inet', 'narrow', 'in', 'meta', 'length', '1360', 'counter', 'drop'])
    // 1297 bytes and 3 more, and 60 around them.
    const ping = ['ping', '-n', '-c', '1', '-W', '0.5', '-s', '1269', W.inner4]
    await expect(s.a.run(ping)).rejects.toThrow('ended with 1')
    await s.a.ip('route', 'add', W.inner4, 'dev', s.device, 'mtu', '1299')
    const answered = (): Promise<boolean> =>
      s.a.run(ping).then(
        () => true,
        () => false,
      )
    await until('an answer', answered, Boolean)
    // And back.
    await s.a.ip('route', 'del', W.inner4, 'dev', s.device)
    await until('none', answered, (yes) => !yes)
  })

  it('nothing is said to keys with which every secret would be zero', async () => {
    // The first of them is zero, which the file may not name; wg(8) may (wg-selftest.test.ts).
    const dead = lowOrder.slice(1).map((publicKey, i) => {
      const endpoint = `${W.outer4}:${7001 + i}`
      return [`dead-${i}`, { publicKey, endpoint, keepalive: '1s', allowedIps: [`10.43.1.${i}/32`] }] as const
    })
    const s = await StockPeer.start(lab, { caller: 'agent', others: Object.fromEntries(dead) })
    await s.w.run(['nft', 'add', 'table', 'inet', 'seen'])
    await s.w.run(['nft', 'add', 'chain', 'inet', 'seen', 'in', '{ type filter hook input priority 0; }'])
    await s.w.run(['nft', 'add', 'rule', 'inet', 'seen', 'in', 'udp', 'dport', '7001-7007', 'counter'])
    await s.a.ip('route', 'add', '10.43.1.0/24', 'dev', s.device)
    for (const i of dead.keys()) {
      const ping = ['ping', '-n', '-c', '1', '-W', '0.1', `10.43.1.${i}`]
      await expect(s.a.run(ping)).rejects.toThrow('ended with 1')
    }
    // What was asked for before has been decided on: this one comes after.
    await reaches(s.a, W.inner4)
    expect((await s.w.run(['nft', 'list', 'table', 'inet', 'seen'])).stdout).toContain('packets 0 bytes 0')
    const { peers } = await status(s.agent)
    expect(peers.filter((p) => p.state === 'up').map((p) => p.name)).toEqual(['go'])
  })

  describe('through a router that translates addresses and forgets after two seconds', () => {
    it('we are reached from outside as long as we say something', async () => {
      const { inside, outside, router } = await natted()
      const endpoint = `10.0.0.100:${W.port}`
      const s = await StockPeer.between(inside, outside, { caller: 'agent', peer: { endpoint, keepalive: '1s' } })
      await reaches(inside, W.inner4)
      expect(await s.seenByGo('endpoints')).toBe(`${NAT_ADDRESS}:${A.port}`)
      // Longer than the router remembers: what keeps it open is counted meanwhile.
      const got = async (): Promise<number> => Number((await s.seenByGo('transfer')).split('\t')[0])
      const then = await got()
      await until('four keepalives', got, (n) => n >= then + 4 * KEEPALIVE)
      await reaches(outside, A.inner4)
      // Without keepalives it is shut after a while.
      await s.reload({ peer: { endpoint } })
      await untilForgotten(router)
      await cannotReach(outside, A.inner4)
      await untilReaches(inside, W.inner4)
      await reaches(outside, A.inner4)
    })

    it('a peer inside is found again when it gets another port', async () => {
      const { inside, outside, router } = await natted()
      const s = await StockPeer.between(outside, inside, { caller: 'wireguard-go' })
      await s.go.set('peer', s.keys.public, 'endpoint', `10.0.0.100:${A.port}`)
      await reaches(inside, A.inner4)
      expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe(`${NAT_ADDRESS}:${W.port}`)
      await router.run(['nft', 'flush', 'chain', 'ip', 'nat', 'post'])
      const rule = ['nft', 'add', 'rule', 'ip', 'nat', 'post', 'oifname', 'right', 'udp', 'dport', `${A.port}`]
      await router.run([...rule, 'snat', 'to', `${NAT_ADDRESS}:31000`])
      await untilForgotten(router)
      await reaches(inside, A.inner4)
      expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe(`${NAT_ADDRESS}:31000`)
      await reaches(outside, W.inner4)
    })
  })
}, ['ping', 'wg', 'wireguard-go', 'nft', 'sysctl'])

/** inside eth0 192.168.1.100 ── .1 left router right 10.0.0.1 ── .100 eth0 outside; connections are forgotten after 2 s. */
async function natted(): Promise<{ inside: Host; router: Host; outside: Host }> {
  const [inside, router, outside] = [await lab.host('inside'), await lab.host('router'), await lab.host('outside')]
  for (const [host, end, own, address] of [
    [inside, 'left', '192.168.1.1/24', '192.168.1.100/24'],
    [outside, 'right', `${NAT_ADDRESS}/24`, '10.0.0.100/24'],
  ] as const) {
    await router.ip('link', 'add', end, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.namespace)
    await router.ip('addr', 'add', own, 'dev', end)
    await router.ip('link', 'set', end, 'up')
    await host.ip('addr', 'add', address, 'dev', 'eth0')
    await host.ip('link', 'set', 'eth0', 'up')
  }
  await inside.ip('route', 'add', 'default', 'via', '192.168.1.1')
  await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  await router.run(['nft', 'add', 'table', 'ip', 'nat'])
  await router.run(['nft', 'add', 'chain', 'ip', 'nat', 'post', '{ type nat hook postrouting priority 100; }'])
  await router.run(['nft', 'add', 'rule', 'ip', 'nat', 'post', 'oifname', 'right', 'snat', 'to', NAT_ADDRESS])
  for (const what of ['timeout', 'timeout_stream'])
    await router.run(['sysctl', '-qw', `net.netfilter.nf_conntrack_udp_${what}=2`])
  return { inside, router, outside }
}

/** Until the router knows of no connection any more. Its list leaves out what has timed out; its count does not. */
async function untilForgotten(router: Host): Promise<void> {
  const list = async (): Promise<string> => (await router.run(['cat', '/proc/net/nf_conntrack'])).stdout
  await until('connections', list, (text) => !text.includes('udp'))
}
