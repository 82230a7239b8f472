// Routes by difference in a namespace of the test's own, checked with ip(8) as an independent reader. No agent: the device is
// one end of a veth pair, the underlay too.
//
//   vt0 the network's device   eth0 198.18.0.1/24
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type HostRoute, HostRoutes, type Mended } from '../../src/control/upkeep/host-routes.ts'
import { netnsPath } from '../../src/host/netdev.ts'
import * as routes from '../../src/host/routes.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { describeRoot } from '../support/root.ts'

const NOW = 1_000_000

let lab: Lab
let host: Host
let netns = ''

function place(device = 'vt0'): { device(): string; netns(): string } {
  return { device: () => device, netns: () => netns }
}

function into(prefix: string, more: Partial<HostRoute> = {}): HostRoute {
  return { prefix, via: null, interface: null, onlink: false, mtu: null, ...more }
}

/** The routes of our protocol, of both families, one a line. */
async function ours(): Promise<string[]> {
  const text = await host.ip('route', 'show', 'proto', '118')
  const text6 = await host.ip('-6', 'route', 'show', 'proto', '118')
  const lines = `${text}\n${text6}`.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '').sort()
}

const texts = (mended: readonly Mended[]): string[] => mended.map((m) => m.text)

describeRoot('routes of the host', () => {
  beforeAll(async () => {
    lab = new Lab()
    host = await lab.host('a')
    netns = netnsPath(host.namespace)
  })
  afterAll(async () => {
    await lab.close()
  })
  beforeEach(async () => {
    for (const name of ['vt0', 'eth0']) await host.ip('link', 'del', name).catch(() => {})
    // Those that lead nowhere stay.
    await host.ip('route', 'flush', 'table', 'main')
    for (const name of ['vt0', 'eth0']) {
      await host.ip('link', 'add', name, 'type', 'veth', 'peer', `${name}x`)
      await host.ip('link', 'set', `${name}x`, 'up')
      await host.ip('link', 'set', name, 'up')
    }
    await host.ip('addr', 'add', '198.18.0.1/24', 'dev', 'eth0')
  })

  it('are what is wanted, in both families, and the difference when that changes', async () => {
    const all = new HostRoutes(place())
    all.set([into('10.42.1.0/24'), into('10.42.2.7/24', { mtu: 1400 }), into('fd00:42:0::/64')], [], NOW)
    expect(await ours()).toEqual([
      '10.42.1.0/24 dev vt0 scope link',
      '10.42.2.0/24 dev vt0 scope link mtu 1400',
      'fd00:42::/64 dev vt0 metric 1024 pref medium',
    ])
    const direct = into('10.42.1.0/24', { via: '198.18.0.9', interface: 'eth0' })
    const onlink = into('10.42.3.0/24', { via: '10.42.3.0', onlink: true })
    const onlink6 = into('fd00:43::/64', { via: 'fd00:43::1', onlink: true })
    expect(all.set([direct, onlink, onlink6, into('fd00:42::/64')], [], NOW)).toEqual([])
    const now = [
      '10.42.1.0/24 via 198.18.0.9 dev eth0',
      '10.42.3.0/24 via 10.42.3.0 dev vt0 onlink',
      'fd00:42::/64 dev vt0 metric 1024 pref medium',
      'fd00:43::/64 via fd00:43::1 dev vt0 metric 1024 onlink pref medium',
    ]
    expect(await ours()).toEqual(now)
    expect(all.check(NOW)).toEqual([])
    expect(all.undesired()).toEqual([])
    all.change([into('10.42.9.0/24')], ['10.42.1.0/24', 'fd00:43::/64'], NOW)
    expect(await ours()).toEqual(['10.42.9.0/24 dev vt0 scope link', now[1], now[2]].sort())
    all.clear()
    expect(await ours()).toEqual([])
  })

  it('come back when they are flushed, deleted, turned elsewhere or given another metric', async () => {
    const all = new HostRoutes(place())
    const direct = into('10.42.2.0/24', { via: '198.18.0.9', interface: 'eth0' })
    all.set([into('10.42.1.0/24'), direct, into('fd00:42::/64')], [], NOW)
    const before = await ours()
    await host.ip('route', 'flush', 'dev', 'vt0')
    await host.ip('-6', 'route', 'flush', 'dev', 'vt0')
    expect(texts(all.check(NOW))).toEqual(['2 routes (10.42.1.0/24 for one) changed or removed: put back'])
    expect(await ours()).toEqual(before)
    await host.ip('route', 'replace', '10.42.1.0/24', 'dev', 'eth0')
    await host.ip('route', 'change', '10.42.2.0/24', 'via', '198.18.0.77')
    await host.ip('-6', 'route', 'replace', 'fd00:42::/64', 'dev', 'eth0')
    expect(texts(all.check(NOW))).toEqual(['3 routes (10.42.1.0/24 for one) changed or removed: put back'])
    expect(await ours()).toEqual(before)
    await host.ip('route', 'del', '10.42.1.0/24')
    await host.ip('route', 'add', '10.42.1.0/24', 'dev', 'vt0', 'metric', '50', 'proto', '118')
    await host.ip('route', 'replace', 'blackhole', '10.42.2.0/24')
    expect(texts(all.check(NOW))).toHaveLength(1)
    expect(await ours()).toEqual(before)
    expect(await host.ip('route', 'show', '10.42.2.0/24')).not.toContain('blackhole')
    expect(all.check(NOW)).toEqual([])
    expect(all.undesired()).toEqual([])
  })

  it('of a life before are taken over, and removed when no longer wanted', async () => {
    const before = new HostRoutes(place())
    const gateway = { via: '198.18.0.9', interface: 'eth0' }
    before.set([into('10.42.1.0/24', gateway), into('10.42.2.0/24', gateway), into('10.42.3.0/24')], [], NOW)
    await host.ip('route', 'add', '10.42.8.0/24', 'dev', 'eth0', 'proto', 'static')
    // Another agent's, which has the same protocol.
    await host.ip('route', 'add', '10.99.1.0/24', 'dev', 'eth0', 'proto', '118')
    // Of another device of ours, in the same prefix.
    await host.ip('route', 'add', '10.42.7.0/24', 'dev', 'eth0', 'proto', '118')
    const after = new HostRoutes(place())
    const said = after.set([into('10.42.1.0/24', gateway), into('10.42.4.0/24')], ['10.42.0.0/16'], NOW)
    expect(texts(said)).toEqual([expect.stringMatching(/^2 routes .* no longer wanted: removed$/)])
    expect(await ours()).toEqual([
      '10.42.1.0/24 via 198.18.0.9 dev eth0',
      '10.42.4.0/24 dev vt0 scope link',
      '10.42.7.0/24 dev eth0 scope link',
      '10.99.1.0/24 dev eth0 scope link',
    ])
    expect(await host.ip('route', 'show', '10.42.8.0/24')).toContain('proto static')
    // From directly to through the tunnel, over a restart.
    const third = new HostRoutes(place())
    third.set([into('10.42.1.0/24')], ['10.42.0.0/16'], NOW)
    expect((await ours())[0]).toBe('10.42.1.0/24 dev vt0 scope link')
    expect(await ours()).toHaveLength(3)
  })

  it('of somebody else are left alone and named, and ours goes in when they go', async () => {
    await host.ip('route', 'add', '10.42.1.0/24', 'via', '198.18.0.50')
    await host.ip('route', 'add', 'unreachable', '10.42.2.0/24', 'proto', 'static')
    await host.ip('-6', 'route', 'add', 'fd00:42::/64', 'dev', 'eth0')
    const all = new HostRoutes(place())
    all.set([into('10.42.1.0/24'), into('10.42.2.0/24'), into('fd00:42::/64'), into('10.42.3.0/24')], [], NOW)
    const since = NOW / 1000
    const want = 'dev vt0'
    const where = 'vt0'
    expect(all.undesired()).toEqual([
      {
        what: 'route 10.42.1.0/24',
        where,
        want,
        have: "somebody else's route: via 198.18.0.50 dev eth0 proto boot",
        since,
      },
      {
        what: 'route 10.42.2.0/24',
        where,
        want,
        have: "somebody else's route: blackhole, unreachable or the like, proto static",
        since,
      },
      { what: 'route fd00:42::/64', where, want, have: "somebody else's route: dev eth0 proto boot", since },
    ])
    expect(all.check(NOW + 5000)).toEqual([])
    expect(all.undesired().map((u) => u.since)).toEqual([since, since, since])
    await host.ip('route', 'del', '10.42.1.0/24')
    await host.ip('-6', 'route', 'del', 'fd00:42::/64')
    all.check(NOW)
    expect(all.undesired().map((u) => u.what)).toEqual(['route 10.42.2.0/24'])
    all.set([], [], NOW)
    expect(all.undesired()).toEqual([])
    expect(await host.ip('route', 'show', 'type', 'unreachable')).toContain('10.42.2.0/24')
  })

  it('that somebody takes again and again are taken back at a pace', async () => {
    const all = new HostRoutes(place())
    all.set([into('10.42.1.0/24')], [], NOW)
    let back = 0
    while (back < 50) {
      await host.ip('route', 'replace', '10.42.1.0/24', 'dev', 'eth0')
      if (all.check(NOW).length === 0) break
      back++
    }
    expect(back).toBe(20)
    expect(await ours()).toEqual([])
    expect(all.undesired()).toMatchObject([{ have: 'somebody removes or replaces it again and again' }])
    expect(all.check(NOW + 199)).toEqual([])
    expect(texts(all.check(NOW + 200))).toEqual(['route 10.42.1.0/24 changed or removed: put back'])
    expect(await ours()).toHaveLength(1)
    all.check(NOW + 200)
    expect(all.undesired()).toEqual([])
  })

  it('wait for a device that is down or missing', async () => {
    const all = new HostRoutes(place())
    await host.ip('link', 'set', 'eth0', 'down')
    await host.ip('link', 'set', 'vt0', 'down')
    const gateway = { via: '198.18.0.9', interface: 'eth0' }
    all.set([into('10.42.1.0/24', gateway), into('10.42.2.0/24'), into('10.42.3.0/24', { interface: 'no0' })], [], NOW)
    // That the network's own device is down is told with the device.
    expect(all.undesired().map((u) => u.have)).toEqual(['eth0 is down', 'there is no no0'])
    await host.ip('link', 'set', 'eth0', 'up')
    await host.ip('link', 'set', 'vt0', 'up')
    expect(all.check(NOW)).toEqual([])
    expect(await ours()).toEqual(['10.42.1.0/24 via 198.18.0.9 dev eth0', '10.42.2.0/24 dev vt0 scope link'])
    // A gateway that nobody can reach is no way.
    all.change([into('10.42.4.0/24', { via: '203.0.113.1', interface: 'eth0' })], ['10.42.3.0/24'], NOW)
    expect(all.undesired()).toMatchObject([{ what: 'route 10.42.4.0/24', have: 'ENETUNREACH' }])
    // What was ours once is taken back, also when somebody had its place while the device was down.
    await host.ip('link', 'set', 'vt0', 'down')
    all.check(NOW)
    await host.ip('route', 'add', '10.42.2.0/24', 'dev', 'eth0')
    await host.ip('link', 'set', 'vt0', 'up')
    all.check(NOW)
    expect(await host.ip('route', 'show', '10.42.2.0/24')).toContain('dev vt0 proto 118')
    // The device's own way out is gone: where the route went before is no place for it either.
    all.change([into('10.42.2.0/24', { interface: 'no0' })], [], NOW)
    expect(await ours()).toEqual(['10.42.1.0/24 via 198.18.0.9 dev eth0'])
  })

  it('ten thousand are few system calls', async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => into(`10.${100 + (i >> 8)}.${i & 255}.0/24`))
    const all = new HostRoutes(place())
    all.set(many, [], NOW)
    expect(routes.list(4, netns, routes.PROTOCOL)).toHaveLength(10_000)
    await host.ip('route', 'flush', 'dev', 'vt0')
    expect(all.check(NOW)).toMatchObject([{ count: 10_000 }])
    expect(all.check(NOW)).toEqual([])
    all.set(many.slice(0, 1), [], NOW)
    expect(await ours()).toHaveLength(1)
    // A reason that all share is told once.
    await host.ip('link', 'set', 'eth0', 'down')
    all.set(
      many.map((r) => ({ ...r, interface: 'eth0' })),
      [],
      NOW,
    )
    expect(all.undesired()).toMatchObject([{ what: '10000 routes (10.100.0.0/24 for one)', have: 'eth0 is down' }])
  })
})
