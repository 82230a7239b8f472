// `vtepd where` and `vtepd routes` on a host that has everything: a device in a bridge with a container beside it, a layer 3
// network, stations far away.
//
//   container c1: eth0 10.42.0.9 ── veth9 ─┐
//                    vt42 (tap) ───────────┴ br0        tn7 (tun) 10.43.1.1     a ─ eth0 ── eth0 ─ b
import { afterEach, expect, it } from 'vitest'
import type { Found, RouteEntry } from '../../src/control/api/api.ts'
import { startAgent } from '../../src/lab/agent.ts'
import { Lab } from '../../src/lab/lab.ts'
import { configuration, fdbOf, type Keys, networkOf, reaches, until, untilReaches, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

function file(n: number): Keys {
  const far = 3 - n
  const allowedIps = [`10.43.${far}.0/24`, `10.44.0.0/16`, `fd00:43:${far}::/64`]
  return configuration({
    underlay: `198.18.0.${n}`,
    networks: {
      blue: { vni: 42, ...(n === 2 && { address: '10.42.0.2/24' }) },
      green: { vni: 7, device: 'tun', interface: 'tn7', address: [`10.43.${n}.1/24`] },
    },
    peers: { far: { endpoint: `198.18.0.${far}`, networks: { blue: {}, green: { allowedIps } } } },
  })
}

describeRoot('where', () => {
  it('finds what is asked for, in every table, and says where from', async () => {
    lab = new Lab()
    const [a, b, c1] = [await lab.host('a'), await lab.host('b'), await lab.host('c1')]
    await lab.connect([a, b].map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
    const agent = await startAgent(a, file(1))
    const other = await startAgent(b, file(2))
    await a.ip('link', 'add', 'br0', 'type', 'bridge')
    await a.ip('addr', 'add', '10.42.0.1/24', 'dev', 'br0')
    await a.ip('link', 'set', 'br0', 'up')
    await a.ip('link', 'set', 'vt42', 'master', 'br0')
    await a.ip('link', 'add', 'veth9', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', c1.namespace)
    await a.ip('link', 'set', 'veth9', 'master', 'br0', 'up')
    await c1.ip('addr', 'add', '10.42.0.9/24', 'dev', 'eth0')
    await c1.ip('link', 'set', 'eth0', 'up')
    await untilReaches(a, '10.42.0.2')
    await untilReaches(c1, '10.42.0.2')
    await reaches(a, '10.42.0.9', '10.43.2.1')
    const far = (await networkOf(other, 'blue')).mac!
    await until(
      'the station',
      () => fdbOf(agent),
      (all) => all.some((e) => e.mac === far),
    )
    const container = /link\/ether (\S+)/.exec(await c1.ip('link', 'show', 'eth0'))![1]!
    const where = async (what: string): Promise<Partial<Found>[]> => {
      const { found } = await agent.get<{ found: Found[] }>(`/v1/where?what=${what}`)
      return found.map((f) => Object.fromEntries(Object.entries(f).filter(([, value]) => value !== null)))
    }
    const blue = { network: 'blue', vni: 42 }
    const green = { network: 'green', vni: 7 }
    const station = { ...blue, kind: 'station', device: 'vt42', mac: far, vtep: '198.18.0.2', peer: 'far' }

    // As it answers ARP; a station may have more addresses, which the kernel makes.
    const met = (ip: string, origin: string): object => ({ ...blue, kind: 'neighbour', device: 'vt42', ip, origin })
    await until(
      'bindings',
      () => where(container),
      (all) => all.some((f) => f.device === 'vt42'),
    )
    const has = async (what: string, ...facts: object[]): Promise<void> => {
      expect(await where(what)).toEqual(expect.arrayContaining(facts.map((fact) => expect.objectContaining(fact))))
    }
    expect(await where('10.42.0.2')).toMatchObject([
      { ...met('10.42.0.2', 'learned'), mac: far },
      { ...blue, kind: 'neighbour', device: 'br0', ip: '10.42.0.2', mac: far, origin: 'kernel' },
      { ...station, origin: 'learned' },
      { kind: 'kernel-route', device: 'br0', prefix: '10.42.0.0/24', origin: 'route' },
    ])
    await has(far.toUpperCase(), { ...station, origin: 'learned' }, met('10.42.0.2', 'learned'), {
      ...blue,
      kind: 'neighbour',
      device: 'br0',
      ip: '10.42.0.2',
      origin: 'kernel',
    })
    await has(
      container,
      { ...blue, kind: 'port', device: 'veth9', bridge: 'br0', netns: c1.namespace, origin: 'kernel' },
      met('10.42.0.9', 'local'),
      { ...blue, kind: 'neighbour', device: 'br0', ip: '10.42.0.9', origin: 'kernel' },
    )
    expect(await where('veth9')).toMatchObject([
      { ...blue, kind: 'interface', device: 'veth9', bridge: 'br0', netns: c1.namespace },
    ])
    expect(await where('vt42')).toMatchObject([
      { ...blue, kind: 'device', device: 'vt42', vtep: '198.18.0.1', bridge: 'br0', origin: 'local' },
    ])
    expect(await where('10.44.3.4')).toMatchObject([
      { ...green, kind: 'route', prefix: '10.44.0.0/16', peer: 'far', vtep: '198.18.0.2', origin: 'static' },
      { ...green, kind: 'kernel-route', device: 'tn7', prefix: '10.44.0.0/16', origin: 'route' },
    ])
    expect(await where('fd00:43:2:0::5')).toMatchObject([
      { ...green, kind: 'route', prefix: 'fd00:43:2::/64', peer: 'far' },
      { ...green, kind: 'kernel-route', device: 'tn7' },
    ])
    expect(await where('10.43.1.1')).toMatchObject([
      { ...green, kind: 'device', device: 'tn7', ip: '10.43.1.1', origin: 'local' },
      { kind: 'kernel-route', origin: 'route' },
    ])
    expect(await where('198.18.0.2')).toMatchObject([
      { ...blue, kind: 'peer', peer: 'far', origin: 'static' },
      { ...green, kind: 'peer', peer: 'far', origin: 'static' },
      { kind: 'neighbour', device: 'eth0', origin: 'kernel' },
      { kind: 'kernel-route', device: 'eth0' },
    ])
    expect((await where('198.18.0.1'))[0]).toMatchObject({ kind: 'vtep', device: 'eth0', origin: 'local' })
    expect((await vtepd(agent, 'where', far)).stdout).toMatch(
      /^KIND .*ORIGIN\nstation +blue .*learned \d+s ago\nneighbour /,
    )

    await expect(vtepd(agent, 'where', 'nobody')).rejects.toMatchObject({ exitCode: 1 })
    await expect(vtepd(agent, 'where', 'a/b')).rejects.toMatchObject({ exitCode: 2 })

    await a.ip('route', 'flush', 'proto', '118').catch(() => {})
    const { routes } = await agent.get<{ routes: RouteEntry[] }>('/v1/routes')
    const common = { network: 'green', peer: 'far', via: '198.18.0.2', interface: 'tn7', origin: 'static' }
    expect(routes).toEqual(
      ['10.43.2.0/24', '10.44.0.0/16', 'fd00:43:2::/64'].map((prefix) => ({ ...common, prefix, installed: true })),
    )
  })
}, ['ping'])
