// Hosts of a flannel network in namespaces, and etcd on a host of its own. A kernel's VXLAN device programmed from the store's
// leases as flanneld does it plays the member that is not ours.
//
//   a vtepd 198.18.0.1 ─┐
//   b vtepd 198.18.0.2 ─┼─ switch ─ store etcd 198.18.0.100
//   k kernel 198.18.0.3 ┘           pods: 10.42.N.1 on lo
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { LeaseRow } from '../../src/control/api/api.ts'
import type { LabAgent } from '../../src/lab/agent.ts'
import { etcdDir } from '../../src/lab/etcd.ts'
import { type End, type Host, Lab } from '../../src/lab/lab.ts'
import { flanneldValue } from './flannel.ts'
import { until } from './overlay.ts'

const PREFIX = '/coreos.com/network'
const STORE = 'http://198.18.0.100:2379'
/** Packets of a stream after which nothing before them is still under way. */
const LATER = 20

export class FlannelLab {
  readonly lab = new Lab()
  readonly hosts = new Map<string, Host>()
  private store!: Host
  private readonly data = etcdDir()
  private process: ReturnType<Host['spawn']> | null = null

  /** Hosts by name with their number on the underlay; etcd runs. */
  static async open(hosts: Record<string, number>, running = true): Promise<FlannelLab> {
    const one = new FlannelLab()
    const ends: End[] = []
    for (const [name, n] of Object.entries({ ...hosts, store: 100 })) {
      const host = await one.lab.host(name)
      ends.push({ host, addresses: [`198.18.0.${n}/24`, `fd18::${n}/64`] })
      one.hosts.set(name, host)
    }
    await one.lab.connect(ends)
    one.store = one.host('store')
    if (running) await one.startStore()
    return one
  }

  host(name: string): Host {
    return this.hosts.get(name)!
  }

  async startStore(): Promise<void> {
    const urls = ['--listen-client-urls', STORE, '--advertise-client-urls', STORE]
    const peers = ['--listen-peer-urls', 'http://127.0.0.1:2380', '--log-level', 'error', '--logger', 'zap']
    this.process = this.store.spawn(['etcd', '--data-dir', this.data, ...urls, ...peers], {
      stdio: 'ignore',
    })
    await until(
      'etcd',
      () => this.ask(1, 'get', 'ready').catch(String),
      (said) => !/error|Error/.test(said),
      30_000,
    )
  }

  stopStore(): void {
    this.process?.kill('SIGKILL')
  }

  signalStore(signal: NodeJS.Signals): void {
    this.process!.kill(signal)
  }

  ctl(...args: string[]): Promise<string> {
    return this.ask(15, ...args)
  }

  private async ask(seconds: number, ...args: string[]): Promise<string> {
    const how = ['--endpoints', STORE, '--command-timeout', `${seconds}s`]
    return (await this.store.run(['env', 'ETCDCTL_API=3', 'etcdctl', ...how, ...args])).stdout.trim()
  }

  /** Of the subnets below SubnetMin nobody takes one by chance: they are the tests'. */
  async configure(value: object, prefix = PREFIX): Promise<void> {
    const network = 'Network' in value ? {} : { Network: '10.42.0.0/16', SubnetMin: '10.42.100.0' }
    await this.ctl('put', `${prefix}/config`, JSON.stringify({ ...network, ...value }))
  }

  /** Of host number n, as flanneld writes it. */
  async lease(n: number, publicIp: string, mac: string, key = `10.42.${n}.0-24`): Promise<void> {
    await this.ctl('put', `${PREFIX}/subnets/${key}`, flanneldValue(publicIp, mac))
  }

  async put(key: string, value: string): Promise<void> {
    await this.ctl('put', `${PREFIX}/subnets/${key}`, value)
  }

  async remove(key: string): Promise<void> {
    await this.ctl('del', `${PREFIX}/subnets/${key}`)
  }

  async leases(
    prefix = PREFIX,
  ): Promise<Record<string, { PublicIP: string; PublicIPv6: string | null } & Record<string, unknown>>> {
    const lines = (await this.ctl('get', '--prefix', `${prefix}/subnets/`)).split('\n')
    const pairs: [string, never][] = []
    for (let k = 0; k + 1 < lines.length; k += 2) {
      // What others write need not be JSON.
      if (!lines[k + 1]!.startsWith('{')) continue
      pairs.push([lines[k]!.slice(`${prefix}/subnets/`.length), JSON.parse(lines[k + 1]!) as never])
    }
    return Object.fromEntries(pairs)
  }

  /** A file of a member on host number n. */
  member(n: number, network: object = {}, more: object = {}): object {
    return {
      underlay: { address: [`198.18.0.${n}`] },
      networks: { pods: { type: 'flannel', security: 'plain', ...network } },
      control: { etcd: { endpoints: [STORE] } },
      ...more,
    }
  }

  /** A pod on a member: an address of its subnet that the host itself has. Answers it. */
  async pod(host: Host, agent: LabAgent, network = 'pods'): Promise<string> {
    const own = (await leasesOf(agent)).find((lease) => lease.own && lease.network === network)!
    const address = own.subnet!.replace(/\.0\/\d+$/, '.1')
    await host.ip('addr', 'add', `${address}/32`, 'dev', 'lo')
    return address
  }

  async close(): Promise<void> {
    try {
      await this.lab.close()
    } finally {
      rmSync(this.data, { recursive: true, force: true })
    }
  }
}

/** The kernel's VXLAN device with what flanneld writes for each lease. */
export class KernelMember {
  readonly host: Host
  readonly n: number
  readonly mac: string
  private readonly lab: FlannelLab

  constructor(lab: FlannelLab, host: Host, n: number) {
    this.lab = lab
    this.host = host
    this.n = n
    this.mac = `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`
  }

  get pod(): string {
    return `10.42.${this.n}.1`
  }

  /** null, or why this kernel has no VXLAN. */
  async start({ vni = 1, port = 8472 } = {}): Promise<string | null> {
    const { host, n, mac } = this
    const how = ['id', `${vni}`, 'local', `198.18.0.${n}`, 'dev', 'eth0', 'dstport', `${port}`, 'nolearning', 'udpcsum']
    try {
      await host.ip('link', 'add', 'flannel.1', 'address', mac, 'mtu', '1450', 'type', 'vxlan', ...how)
    } catch (error) {
      return String(error)
    }
    await host.ip('addr', 'add', `10.42.${n}.0/32`, 'dev', 'flannel.1')
    await host.ip('link', 'set', 'flannel.1', 'up')
    await host.ip('addr', 'add', `${this.pod}/32`, 'dev', 'lo')
    await this.lab.lease(n, `198.18.0.${n}`, mac)
    return null
  }

  /** Programs every lease but its own, in flanneld's order. */
  async learn(): Promise<void> {
    for (const [key, value] of Object.entries(await this.lab.leases())) {
      const subnet = key.replace(/-(\d+)$/, '/$1')
      const base = subnet.split('/')[0]!
      const { VtepMAC: mac } = (value['BackendData'] ?? {}) as { VtepMAC?: string }
      if (!mac || value.PublicIP === `198.18.0.${this.n}`) continue
      await this.host.ip('neigh', 'replace', base, 'lladdr', mac, 'dev', 'flannel.1', 'nud', 'permanent')
      await this.host.run(['bridge', 'fdb', 'replace', mac, 'dev', 'flannel.1', 'self', 'dst', value.PublicIP])
      await this.host.ip('route', 'replace', subnet, 'via', base, 'dev', 'flannel.1', 'onlink')
    }
  }
}

export async function leasesOf(agent: LabAgent): Promise<LeaseRow[]> {
  return (await agent.get<{ leases: LeaseRow[] }>('/v1/leases')).leases
}

/** Waits until the agent has what is said of these subnets. */
export async function knows(agent: LabAgent, subnets: Record<string, LeaseRow['state'] | 'gone'>): Promise<LeaseRow[]> {
  return until(
    `leases on ${agent.host.name}`,
    () => leasesOf(agent),
    (all) => Object.entries(subnets).every(([subnet, state]) => stateOf(all, subnet) === state),
  )
}

function stateOf(all: readonly LeaseRow[], subnet: string): LeaseRow['state'] | 'gone' {
  return all.find((lease) => lease.subnet === subnet)?.state ?? 'gone'
}

/** A packet every 10 ms. `lost`: how many of those before it did not come back; those after it show that the way is there still. */
export function stream(host: Host, from: string, to: string): { lost(): Promise<number> } {
  const child = host.spawn(['ping', '-n', '-i', '0.01', '-I', from, to], { stdio: ['ignore', 'pipe', 'ignore'] })
  const back = new Set<number>()
  let last = 0
  createInterface(child.stdout!).on('line', (line) => {
    const [, text] = /icmp_seq=(\d+) ttl/.exec(line) ?? []
    if (text === undefined) return
    back.add(Number(text))
    last = Math.max(last, Number(text))
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  return {
    lost: async () => {
      const asked = last
      await until(
        'later packets',
        () => last,
        (now) => now > asked + LATER,
      )
      child.kill('SIGINT')
      await ended
      return asked - [...back].filter((seq) => seq <= asked).length
    },
  }
}
