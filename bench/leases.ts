// A flannel network of many hosts in a real etcd, and one member that follows it: time until all are known, memory, bytes, and CPU
// while one lease in a hundred changes every second. The hosts are leases as flanneld writes them; nothing is forwarded.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import { Etcd } from '../src/control/etcd/etcd.ts'
import { isInstalled } from '../src/lab/command.ts'
import { EtcdServer } from '../src/lab/etcd.ts'
import type { Seen } from './lease-follower.ts'
import { cpuSeconds, residentBytes } from './proc.ts'

const SIZES = [1000, 5000, 10_000]
const AT_ONCE = 100
const TTL_SEC = 3600
const SHORT_TTL_SEC = 2
const FOLLOWER = fileURLToPath(new URL('./lease-follower.js', import.meta.url))
const CONFIG = '{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}'

interface Size {
  readonly leases: number
  readonly readySeconds: number
  readonly readyBytes: number
  readonly readyCpuSeconds: number
  /** Beside the same process with nobody to follow. */
  readonly residentBytes: number
  readonly churn: {
    readonly perSecond: number
    readonly cpuShare: number
    readonly bytesPerSecond: number
    readonly told: number
  }
  /** From the end of a lost host's lease until the member knows. */
  readonly goneSeconds: number
}

export interface LeasesReport {
  readonly sizes: readonly Size[]
}

/** Measures and prints; null when this machine does not allow it. */
export async function leases({ seconds }: { readonly seconds: number }): Promise<LeasesReport | null> {
  const lacking = ['etcd', 'etcdctl'].filter((name) => !isInstalled(name))
  if (lacking.length > 0) {
    process.stdout.write(`skipped: needs ${lacking.join(', ')}\n`)
    return null
  }
  const sizes: Size[] = []
  for (const count of SIZES) sizes.push(await measure(count, seconds))
  const report = { sizes }
  process.stdout.write(shown(report))
  return report
}

async function measure(count: number, seconds: number): Promise<Size> {
  const server = await EtcdServer.start()
  const wire = await Wire.to(server.endpoint)
  const store = new Etcd({
    endpoints: [server.endpoint],
    credentials: () => ({ ca: null, cert: null, key: null, login: null }),
  })
  const member = new Member(wire.endpoint)
  try {
    await member.line()
    const base = residentBytes(member.pid)
    const crowd = new Crowd(store, count)
    await crowd.fill()
    const cpu = cpuSeconds(member.pid)
    const ready = await member.ask()
    if (ready.members !== count) throw new Error(`the member knows ${ready.members} of ${count}`)
    const start = { bytes: wire.bytes, cpu: cpuSeconds(member.pid) - cpu, resident: residentBytes(member.pid) - base }
    const churn = await churned(member, wire, crowd, seconds)
    return {
      leases: count,
      readySeconds: ready.readySeconds,
      readyBytes: start.bytes,
      readyCpuSeconds: start.cpu,
      residentBytes: start.resident,
      churn,
      goneSeconds: await gone(member, crowd, count),
    }
  } finally {
    member.end()
    store.close()
    wire.close()
    server.remove()
  }
}

async function churned(member: Member, wire: Wire, crowd: Crowd, seconds: number): Promise<Size['churn']> {
  const before = { cpu: cpuSeconds(member.pid), bytes: wire.bytes, ...(await member.ask()) }
  const begin = performance.now()
  const perSecond = Math.ceil(crowd.count / 100)
  let changed = 0
  for (let left = seconds * 10; left > 0; left--) {
    for (const due = (seconds * 10 - left + 1) * (perSecond / 10); changed < due; changed++) await crowd.change(changed)
    await pause(Math.max(0, begin + (seconds * 10 - left + 1) * 100 - performance.now()))
  }
  const took = (performance.now() - begin) / 1000
  const after = await member.ask()
  return {
    perSecond: changed / took,
    cpuShare: (cpuSeconds(member.pid) - before.cpu) / took,
    bytesPerSecond: (wire.bytes - before.bytes) / took,
    told: (after.changes - before.changes) / took,
  }
}

async function gone(member: Member, crowd: Crowd, count: number): Promise<number> {
  const end = await crowd.visit()
  while ((await member.ask()).members <= count) await pause(5)
  while ((await member.ask()).members > count) await pause(5)
  return (performance.now() - end) / 1000
}

/** Hosts as their leases. */
class Crowd {
  readonly count: number
  private readonly store: Etcd
  private readonly revisions = new Map<number, number>()
  private lease = '0'

  constructor(store: Etcd, count: number) {
    this.store = store
    this.count = count
  }

  async fill(): Promise<void> {
    await this.store.commit({ key: '/bench/config', expect: 0, put: { value: CONFIG, lease: '0' } })
    this.lease = (await this.store.grant(TTL_SEC)).lease
    for (let i = 0; i < this.count; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => this.put(i + j, 0, this.lease)))
    }
  }

  /** One more host gets another MAC. */
  async change(turn: number): Promise<void> {
    await this.put((turn * 7) % this.count, 1 + Math.floor((turn * 7) / this.count), this.lease)
  }

  /** A host that comes and is never heard of again. Resolves to when its lease ends. */
  async visit(): Promise<number> {
    const { lease, ttlSec } = await this.store.grant(SHORT_TTL_SEC)
    const end = performance.now() + ttlSec * 1000
    await this.put(this.count, 0, lease)
    return end
  }

  private async put(host: number, turn: number, lease: string): Promise<void> {
    const [high, low] = [host >> 8, host & 0xff]
    const mac = [turn & 0xff, high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    const data = `{"VNI":1,"VtepMAC":"02:00:00:${mac}"}`
    const value = `{"PublicIP":"198.18.${high}.${low}","PublicIPv6":null,"BackendType":"vxlan","BackendData":${data}}`
    const key = `/bench/subnets/10.${100 + high}.${low}.0-24`
    const { done, revision } = await this.store.commit({
      key,
      expect: this.revisions.get(host) ?? 0,
      put: { value, lease },
    })
    if (!done) throw new Error(`${key} is not as it was left`)
    this.revisions.set(host, revision)
  }
}

/** Between the member and etcd: counts what comes from there. */
class Wire {
  readonly endpoint: string
  private readonly server: Server
  bytes = 0

  private constructor(server: Server) {
    this.server = server
    this.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }

  static async to(endpoint: string): Promise<Wire> {
    const { hostname: host, port } = new URL(endpoint)
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const wire = new Wire(server)
    server.on('connection', (near) => {
      const far = connect({ host, port: Number(port) })
      far.on('data', (chunk) => {
        wire.bytes += chunk.length
      })
      near.pipe(far).pipe(near)
      for (const end of [near, far]) end.on('error', () => end.destroy())
    })
    return wire
  }

  close(): void {
    this.server.close()
  }
}

class Member {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(endpoint: string) {
    this.child = spawn(process.execPath, [FOLLOWER, endpoint, '/bench'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  get pid(): number {
    return this.child.pid!
  }

  /** The first time it begins to follow, and answers when it knows all. */
  ask(): Promise<Seen> {
    this.child.stdin!.write('\n')
    return this.line()
  }

  async line(): Promise<Seen> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error('the member has ended')
    return JSON.parse(value) as Seen
  }

  end(): void {
    this.child.stdin!.end()
  }
}

function shown({ sizes }: LeasesReport): string {
  const columns = [{ title: 'leases' }, ...sizes.map(({ leases: count }) => ({ title: String(count), right: true }))]
  const row = (title: string, text: (size: Size) => string): string[] => [title, ...sizes.map(text)]
  const rows = [
    row('all known after', (s) => `${(s.readySeconds * 1000).toFixed(0)} ms`),
    row("  member's CPU for that", (s) => `${(s.readyCpuSeconds * 1000).toFixed(0)} ms`),
    row('  bytes from etcd', (s) => `${(s.readyBytes / 1e6).toFixed(2)}e6 B`),
    row('memory they cost (VmRSS)', (s) => `${(s.residentBytes / 1e6).toFixed(1)}e6 B`),
    row('changes a second', (s) => s.churn.perSecond.toFixed(0)),
    row("  member's CPU", (s) => `${(s.churn.cpuShare * 100).toFixed(1)} %`),
    row('  bytes from etcd a second', (s) => `${(s.churn.bytesPerSecond / 1e3).toFixed(1)}e3 B`),
    row('  told to the agent a second', (s) => s.churn.told.toFixed(1)),
    row('a lost host is gone, after its lease', (s) => `${s.goneSeconds.toFixed(2)} s`),
  ]
  return table(columns, rows, paintFor(process.stdout))
}
