// Beside the real flanneld, where one is in PATH: each finds the other in the store, programs it, and reaches it.
//
//   a vtepd    198.18.0.1 ─┐
//   b vtepd    198.18.0.2 ─┼─ switch ─ store          pods: 10.42.N.1 and fd42::N… on lo
//   f flanneld 198.18.0.3 ─┘
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { makeKeys } from '../../src/lab/keys.ts'
import type { Host } from '../../src/lab/lab.ts'
import { FlannelLab, leasesOf } from '../support/flannel-lab.ts'
import { drops, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

const DUAL = { EnableIPv6: true, IPv6Network: 'fd42::/48' }
const NETWORKS: Record<string, { Backend: object } & Record<string, unknown>> = {
  vxlan: { Backend: { Type: 'vxlan' } },
  'vxlan with a number, a port and an MTU': { Backend: { Type: 'vxlan', VNI: 77, Port: 5000, MTU: 1400 } },
  'vxlan with DirectRouting': { Backend: { Type: 'vxlan', DirectRouting: true } },
  'vxlan, dual stack': { Backend: { Type: 'vxlan' }, ...DUAL },
  'host-gw, dual stack': { Backend: { Type: 'host-gw' }, ...DUAL },
  udp: { Backend: { Type: 'udp' } },
}

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

function envOf(file: string): Record<string, string> {
  try {
    return Object.fromEntries(
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    )
  } catch {
    return {}
  }
}

const envFile = (agent: LabAgent): string => join(agent.runtimeDir, 'subnet.env')

class Flanneld {
  readonly host: Host
  readonly file: string
  private readonly n: number
  private child: ReturnType<Host['spawn']> | null = null
  private log = ''

  constructor(host: Host, n: number) {
    this.host = host
    this.n = n
    this.file = join(host.lab.dir, `${host.name}.env`)
  }

  get alive(): boolean {
    return this.child?.exitCode === null
  }

  /** Resolves when it has a subnet and has said so. */
  async start(): Promise<void> {
    const { n, file } = this
    const where = ['--iface', 'eth0', '--public-ip', `198.18.0.${n}`, '--public-ipv6', `fd18::${n}`]
    const how = ['--etcd-endpoints', 'http://198.18.0.100:2379', '--subnet-file', file, '--healthz-port', '0']
    rmSync(file, { force: true })
    this.child = this.host.spawn(['flanneld', ...where, ...how])
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
    })
    await until(
      'flanneld',
      () => (this.alive ? Object.keys(envOf(file)) : [this.log]),
      (keys) => keys.includes('FLANNEL_SUBNET'),
    )
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = new Promise((resolve) => this.child!.once('close', resolve))
    this.child!.kill(signal)
    await ended
  }
}

interface Member {
  readonly host: Host
  /** One of each family that the network has. */
  readonly pods: readonly string[]
}

/** What a host's pods would be given by CNI. */
async function member(host: Host, file: string): Promise<Member> {
  const env = envOf(file)
  const pods = [env['FLANNEL_SUBNET'], env['FLANNEL_IPV6_SUBNET']].flatMap((text) =>
    text ? [text.split('/')[0]!] : [],
  )
  for (const pod of pods) await host.ip('addr', 'replace', pod, 'dev', 'lo')
  return { host, pods }
}

async function mesh(members: readonly Member[]): Promise<void> {
  for (const one of members)
    for (const other of members) if (other !== one) for (const pod of other.pods) await untilReaches(one.host, pod)
}

async function vtepd(name: string, n: number, network: object = {}, more: object = {}): Promise<LabAgent> {
  const underlay = { address: [`198.18.0.${n}`, `fd18::${n}`] }
  return startAgent(lab.host(name), lab.member(n, network, { underlay, ...more }))
}

async function killed(agent: LabAgent): Promise<void> {
  process.kill(agent.pid, 'SIGKILL')
  await until(
    'its end',
    () => agent.alive,
    (alive) => !alive,
  )
}

describeRoot('flanneld and vtepd', () => {
  for (const [title, network] of Object.entries(NETWORKS)) {
    it(`reach each other whoever comes first and whoever is started again: ${title}`, async () => {
      lab = await FlannelLab.open({ a: 1, b: 2, f: 3 })
      await lab.configure(network)
      const f = new Flanneld(lab.host('f'), 3)
      const a = await vtepd('a', 1)
      await f.start()
      const b = await vtepd('b', 2)
      const all = await Promise.all([member(a.host, envFile(a)), member(b.host, envFile(b)), member(f.host, f.file)])
      expect(all.map(({ pods }) => pods.length)).toEqual('EnableIPv6' in network ? [2, 2, 2] : [1, 1, 1])
      // Of two families flanneld names the larger room, which is not there over IPv6.
      const [theirs, ours] = [f.file, envFile(a)].map((file) => Number(envOf(file)['FLANNEL_MTU']))
      expect(theirs! - ours!).toBe(title === 'vxlan, dual stack' ? 20 : 0)
      await mesh(all)
      const keys = Object.keys(await lab.leases()).sort()

      await f.end('SIGKILL')
      await f.start()
      await mesh(all)
      await killed(a)
      const again = await vtepd('a', 1)
      await mesh(all)
      expect(Object.keys(await lab.leases()).sort()).toEqual(keys)
      expect(await drops(again)).toEqual({})
      expect(f.alive).toBe(true)
    })
  }

  it('take one another’s place on a host, with its subnet', async () => {
    lab = await FlannelLab.open({ a: 1, f: 3 })
    await lab.configure(NETWORKS['vxlan']!)
    const a = await vtepd('a', 1)
    const f = new Flanneld(lab.host('f'), 3)
    await f.start()
    const all = [await member(a.host, envFile(a)), await member(f.host, f.file)]
    await mesh(all)
    const keys = Object.keys(await lab.leases()).sort()

    await f.end('SIGTERM')
    await f.host.ip('link', 'del', 'flannel.1')
    const ours = await vtepd('f', 3)
    await mesh(all)
    expect(Object.keys(await lab.leases()).sort()).toEqual(keys)

    await ours.stop()
    await f.start()
    await mesh(all)
    expect(Object.keys(await lab.leases()).sort()).toEqual(keys)
  })

  it('are apart where the network is secure: flanneld has no key, and comes to no harm', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2, f: 3 })
    await lab.configure(NETWORKS['vxlan']!)
    const f = new Flanneld(lab.host('f'), 3)
    await f.start()
    const secure = (name: string, n: number): Promise<LabAgent> =>
      vtepd(name, n, { security: 'secure' }, { privateKeyFile: makeKeys(lab.lab, name).file })
    const [a, b] = await Promise.all([secure('a', 1), secure('b', 2)])
    await mesh([await member(a.host, envFile(a)), await member(b.host, envFile(b))])
    const foreign = await member(f.host, f.file)
    const row = (await leasesOf(a)).find(({ publicIp }) => publicIp === '198.18.0.3')!
    expect(row).toMatchObject({ state: 'refused', reason: expect.stringContaining('PublicKey') })
    expect(await a.host.ip('route', 'show')).not.toContain(foreign.pods[0]!.replace(/1$/, '0/24'))
    expect(f.alive).toBe(true)
  })
}, ['flanneld'])
