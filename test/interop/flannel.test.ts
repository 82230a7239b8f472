// Members of a flannel network: agents and a kernel VXLAN device programmed as flanneld does it, over one real etcd.
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { makeKeys } from '../../src/lab/keys.ts'
import type { Host } from '../../src/lab/lab.ts'
import { FlannelLab, KernelMember, knows, leasesOf, stream } from '../support/flannel-lab.ts'
import { drops, networkOf, reaches, status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

/** Agents on hosts a and b, each with a pod. */
async function pair(network: object = {}, more: object[] = [{}, {}]): Promise<{ a: Member; b: Member }> {
  const [a, b] = await Promise.all(
    ['a', 'b'].map(async (name, k) => {
      const agent = await startAgent(lab.host(name), lab.member(k + 1, network, more[k]))
      return { agent, host: agent.host, pod: await lab.pod(agent.host, agent) }
    }),
  )
  await knowEachOther(a!, b!)
  return { a: a!, b: b! }
}

interface Member {
  readonly agent: LabAgent
  readonly host: Host
  readonly pod: string
}

const subnetOf = (pod: string): string => pod.replace(/\.1$/, '.0/24')
const routesOf = (host: Host): Promise<string> => host.ip('route', 'show')

async function knowEachOther(a: Member, b: Member): Promise<void> {
  await knows(a.agent, { [subnetOf(b.pod)]: 'programmed' })
  await knows(b.agent, { [subnetOf(a.pod)]: 'programmed' })
}

async function reachEachOther(a: Member, b: Member): Promise<void> {
  await reaches(a.host, b.pod)
  await reaches(b.host, a.pod)
}

describeRoot('a flannel network', () => {
  it('is one for agents and kernel VXLAN devices, and follows what the store says', async (context) => {
    lab = await FlannelLab.open({ a: 1, b: 2, k: 3 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const kernel = new KernelMember(lab, lab.host('k'), 3)
    const why = await kernel.start()
    if (why) context.skip(`no kernel VXLAN: ${why}`)
    const { a, b } = await pair()
    await knows(a.agent, { '10.42.3.0/24': 'programmed' })
    await knows(b.agent, { '10.42.3.0/24': 'programmed' })
    await kernel.learn()
    await reaches(a.host, b.pod, kernel.pod, '10.42.3.0')
    await reaches(kernel.host, a.pod, b.pod, a.pod.replace(/1$/, '0'))
    await transferTcp({ from: a.host, to: kernel.host, address: kernel.pod }, 16 << 20)
    await transferTcp({ from: kernel.host, to: a.host, address: a.pod }, 16 << 20)
    const file = join(a.agent.runtimeDir, 'subnet.env')
    expect(readFileSync(file, 'utf8')).toBe(
      `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=${a.pod}/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
    )
    expect(statSync(file).mode & 0o777).toBe(0o644)
    expect(await networkOf(a.agent)).toMatchObject({ vni: 1, interface: 'vt1', mtu: 1450, device: 'tun' })

    // What others write wrongly costs them alone.
    await lab.put('10.42.77.0-24', 'no json')
    await lab.put('198.18.0.254-31', JSON.stringify({ PublicIP: '198.18.0.9', BackendType: 'vxlan' }))
    await lab.lease(78, '0.0.0.0', '02:00:00:00:00:78')
    await knows(a.agent, { '198.18.0.254/31': 'ignored', '10.42.78.0/24': 'ignored' })
    expect(await routesOf(a.host)).not.toMatch(/198\.18\.0\.254|10\.42\.7[78]/)

    // Another MAC of a kernel's device, as after a restart.
    await kernel.host.ip('link', 'set', 'flannel.1', 'address', '02:00:00:00:00:99')
    await lab.lease(3, '198.18.0.3', '02:00:00:00:00:99')
    await until(
      'the new MAC',
      async () => (await leasesOf(a.agent)).find((l) => l.subnet === '10.42.3.0/24')?.vtepMac,
      (mac) => mac === '02:00:00:00:00:99',
    )
    // A kernel forgets a device's neighbours with its MAC.
    await kernel.learn()
    await reaches(a.host, kernel.pod)

    // Gone: its entries go with it. Traffic between the others has not felt anything.
    const flow = stream(a.host, a.pod, b.pod)
    await lab.remove('10.42.3.0-24')
    await knows(a.agent, { '10.42.3.0/24': 'gone' })
    await until(
      'no route',
      () => routesOf(a.host),
      (text) => !text.includes('10.42.3.0/24'),
      2000,
    )

    // Another VNI and port: everybody follows.
    expect(await flow.lost()).toBe(0)
    await lab.configure({ Backend: { Type: 'vxlan', VNI: 7, Port: 4444 } })
    for (const { agent } of [a, b]) {
      await until(
        'VNI 7',
        () => networkOf(agent).catch(() => null),
        (n) => n?.vni === 7 && n.interface === 'vt7',
      )
      expect(await agent.host.ip('-br', 'link')).not.toMatch(/^vt1 /m)
    }
    await reachEachOther(a, b)
    expect((await drops(a.agent))['source-not-allowed'] ?? 0).toBe(0)

    // The device is nobody's but the agent's.
    await a.host.ip('link', 'set', 'vt7', 'down')
    await until(
      'the device again',
      () => routesOf(a.host),
      (text) => text.includes('dev vt7'),
    )
    await reachEachOther(a, b)
  })

  it('waits for a store that is away, and carries on when it goes', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 }, false)
    const starting = pair()
    const file = join(lab.lab.dir, 'a', 'subnet.env')
    await until('the agent', () => existsSync(join(lab.lab.dir, 'a', 'vtepd.sock')), Boolean)
    expect(existsSync(file)).toBe(false)
    await lab.startStore()
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const { a, b } = await starting
    expect(existsSync(file)).toBe(true)
    await reachEachOther(a, b)
    const flow = stream(a.host, a.pod, b.pod)
    lab.stopStore()
    await reachEachOther(a, b)
    await lab.startStore()
    await lab.lease(9, '198.18.0.9', '02:00:00:00:00:09')
    await knows(a.agent, { '10.42.9.0/24': 'programmed' })
    expect(await flow.lost()).toBe(0)
  })

  it('is secure over the same store: keys in leases, and a new one is taken without a loss, also by a slow store', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const keys = ['a', 'b'].map((name) => makeKeys(lab.lab, name))
    const { a, b } = await pair(
      { security: 'secure' },
      keys.map(({ file }) => ({ privateKeyFile: file })),
    )
    await reachEachOther(a, b)
    expect(await networkOf(a.agent)).toMatchObject({ security: 'secure', mtu: 1440 })
    await lab.lease(3, '198.18.0.3', '02:00:00:00:00:03')
    const leases = await knows(a.agent, { '10.42.3.0/24': 'refused' })
    expect(leases.find((l) => l.subnet === '10.42.3.0/24')!.reason).toMatch(/PublicKey/)
    const values = Object.values(await lab.leases()).filter((value) => value.PublicIP !== '198.18.0.3')
    for (const value of values) {
      expect(value).toMatchObject({ BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: expect.any(String) } })
    }
    const flow = stream(a.host, a.pod, b.pod)
    const fresh = makeKeys(lab.lab, 'b-next')
    copyFileSync(fresh.file, keys[1]!.file)
    // The store is stopped for longer than an agent waits: the reload is refused, and all is as before.
    const waiting = async (): Promise<string[]> => (await status(b.agent)).undesired.map(({ what }) => what)
    lab.signalStore('SIGSTOP')
    const refused = b.agent.reload().catch(String)
    await until('the key that waits', waiting, (all) => all.includes('key'))
    expect(await refused).toMatch(/503.*the store has not taken our new key/)
    expect(await waiting()).not.toContain('key')
    await until('a store that is silent', waiting, (all) => all.includes('store'))
    // And for less: it is taken once the store goes on.
    const taken = b.agent.reload()
    await until('the key that waits', waiting, (all) => all.includes('key'))
    expect(await peerKeys(a.agent)).toEqual([keys[1]!.publicKey])
    lab.signalStore('SIGCONT')
    await taken
    await until(
      'the new key',
      () => peerKeys(a.agent),
      (all) => all.includes(fresh.publicKey),
    )
    expect(await flow.lost()).toBe(0)
    await until('the store again', waiting, (all) => all.length === 0)
    await reachEachOther(a, b)
  })

  it('hears of a key and a port that wg(8) sets', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const keys = ['a', 'b'].map((name) => makeKeys(lab.lab, name))
    // Sockets of wg(8) have one directory for all namespaces.
    const wan = `wf${process.pid % 10_000}`
    const besides = { wan: { vni: 9, device: 'tun', interface: wan, address: '10.43.0.1/24' } }
    const { a, b } = await pair({ security: 'secure' }, [
      { privateKeyFile: keys[0]!.file },
      { privateKeyFile: keys[1]!.file, networks: { pods: { type: 'flannel' }, ...besides } },
    ])
    await reachEachOther(a, b)
    const flow = stream(a.host, a.pod, b.pod)
    const fresh = makeKeys(lab.lab, 'b-next')
    const told = async () => (await lab.leases())[subnetOf(b.pod).replace('/', '-')]!['BackendData']
    await b.host.run(['wg', 'set', wan, 'private-key', fresh.file])
    expect(await told()).toMatchObject({ PublicKey: fresh.publicKey, Port: 51820 })
    expect(await flow.lost()).toBe(0)
    // What is on its way to the old port is lost.
    await b.host.run(['wg', 'set', wan, 'listen-port', '51999'])
    await until('the port', told, (data) => (data as { Port: number }).Port === 51999)
    await untilReaches(a.host, b.pod)
  })

  it('goes by routes, tunnels and bare IP as the store says, and by the tunnel where a gateway is between', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'vxlan', DirectRouting: true } })
    const { a, b } = await pair()
    await allowForwarding(a, b)
    const direct = `${subnetOf(b.pod)} via 198.18.0.2 dev eth0`
    expect(await routesOf(a.host)).toContain(direct)
    expect(await a.agent.get('/v1/routes')).toMatchObject({
      routes: [{ prefix: subnetOf(b.pod), via: '198.18.0.2', interface: 'eth0', origin: 'control', installed: true }],
    })
    await reachEachOther(a, b)
    expect((await networkOf(a.agent)).txPackets).toBe(0)
    await a.host.ip('route', 'add', '198.18.0.2/32', 'via', '198.18.0.100')
    await until(
      'the tunnel',
      () => routesOf(a.host),
      (text) => text.includes(`${subnetOf(b.pod)} dev vt1`),
    )
    await a.host.ip('route', 'del', '198.18.0.2/32')
    await until(
      'the link again',
      () => routesOf(a.host),
      (text) => text.includes(direct),
    )
    await reachEachOther(a, b)

    const mtu = (is: number) =>
      until(
        `MTU ${is}`,
        () => readFileSync(join(a.agent.runtimeDir, 'subnet.env'), 'utf8'),
        (text) => text.includes(`FLANNEL_MTU=${is}\n`),
      )
    await lab.configure({ Backend: { Type: 'host-gw' } })
    await mtu(1500)
    await knowEachOther(a, b)
    expect(await networkOf(a.agent)).toMatchObject({ name: 'pods', device: null, interface: null, mtu: 1500 })
    expect(await routesOf(a.host)).toContain(direct)
    await reachEachOther(a, b)
    // What cannot be is not half there.
    await lab.configure({ Backend: { Type: 'wireguard' } })
    await knows(a.agent, { [subnetOf(a.pod)]: 'refused' })
    await until(
      'no route',
      () => routesOf(a.host),
      (text) => !text.includes(subnetOf(b.pod)),
    )

    await lab.configure({ Backend: { Type: 'udp' } })
    await mtu(1472)
    await knowEachOther(a, b)
    await reachEachOther(a, b)
    await transferTcp({ from: a.host, to: b.host, address: b.pod }, 4 << 20)
    expect((await networkOf(a.agent)).rxPackets).toBeGreaterThan(0)
    await a.agent.stop()
    expect(await routesOf(a.host)).not.toContain(subnetOf(b.pod))
  })

  it('is WireGuard alone where the store says so', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'wireguard', PSK: Buffer.alloc(32, 3).toString('base64') } })
    const keys = ['a', 'b'].map((name) => makeKeys(lab.lab, name))
    const { a, b } = await pair(
      { security: 'secure' },
      keys.map(({ file }) => ({ privateKeyFile: file })),
    )
    await reachEachOther(a, b)
    const value = Object.values(await lab.leases()).find((one) => one.PublicIP === '198.18.0.1')
    expect(value).toMatchObject({
      BackendType: 'wireguard',
      BackendData: { PublicKey: keys[0]!.publicKey, Port: 51820 },
    })
  })

  it('has two families, each over its own underlay', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ EnableIPv6: true, IPv6Network: 'fd00:42::/48', Backend: { Type: 'vxlan' } })
    const both = (n: number) => ({ underlay: { address: [`198.18.0.${n}`, `fd18::${n}`] } })
    const { a, b } = await pair({}, [both(1), both(2)])
    await reachEachOther(a, b)
    const own = (await leasesOf(b.agent)).find((lease) => lease.own)!
    await reaches(a.host, own.subnet6!.replace('/64', ''))
    expect(await networkOf(a.agent)).toMatchObject({ mtu: 1430 })
    const peers = (await status(a.agent)).peers.map(({ endpoint, rxBytes }) => [endpoint, rxBytes > 0])
    expect(peers.sort()).toEqual([
      ['198.18.0.2:8472', true],
      ['[fd18::2]:8472', true],
    ])
  })
}, ['etcd', 'etcdctl', 'bridge'])

// A pod's address on lo is reached through the host as a pod behind a bridge would be.
async function allowForwarding(...members: Member[]): Promise<void> {
  for (const { host } of members) await host.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
}

async function peerKeys(agent: LabAgent): Promise<string[]> {
  return (await status(agent)).peers.filter(({ state }) => state === 'up').map(({ publicKey }) => publicKey!)
}
