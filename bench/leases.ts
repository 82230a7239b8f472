// A flannel network of many hosts in a real etcd, and one member that follows it: time until all are known, memory, bytes, and CPU
// while one lease in a hundred changes every second. First the member's store side in a process by itself (lease-follower.ts), then
// a whole agent in a namespace of its own, with device, peers and routes (lease-agent.ts). Nothing is forwarded.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import { isInstalled } from '../src/lab/command.ts'
import { Lab } from '../src/lab/lab.ts'
import { refusal } from '../src/lab/permission.ts'
import type { AgentSize } from './lease-agent.ts'
import { PREFIX, Store } from './lease-crowd.ts'
import type { Seen } from './lease-follower.ts'
import { cpuSeconds, residentBytes } from './proc.ts'

const SIZES = [1000, 5000, 10_000]
/** Milliseconds that one measurement of an agent may take. */
const PATIENCE = 180_000
const FOLLOWER = fileURLToPath(new URL('./lease-follower.js', import.meta.url))
const AGENT = fileURLToPath(new URL('./lease-agent.js', import.meta.url))

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
  /** null: this machine does not allow namespaces and devices. */
  readonly agents: readonly AgentSize[] | null
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
  process.stdout.write(shown(sizes))
  const why = refusal()
  const agents: AgentSize[] = []
  if (why === null) {
    for (const count of [0, ...SIZES]) agents.push(await measureAgent(count, seconds))
    process.stdout.write(`\na whole agent, with a device, peers and routes\n${shownAgents(agents)}`)
  } else {
    process.stdout.write(`\na whole agent: skipped: ${why}\n`)
  }
  return { sizes, agents: why === null ? agents : null }
}

async function measureAgent(count: number, seconds: number): Promise<AgentSize> {
  const lab = new Lab()
  try {
    const host = await lab.host('a')
    const { stdout } = await host.run([process.execPath, AGENT, String(count), String(seconds), lab.dir], PATIENCE)
    return JSON.parse(stdout) as AgentSize
  } finally {
    await lab.close()
  }
}

async function measure(count: number, seconds: number): Promise<Size> {
  const store = await Store.open(count)
  const { wire, crowd } = store
  const member = new Member(wire.endpoint)
  try {
    await member.line()
    const base = residentBytes(member.pid)
    await crowd.fill()
    const cpu = cpuSeconds(member.pid)
    const ready = await member.ask()
    if (ready.members !== count) throw new Error(`the member knows ${ready.members} of ${count}`)
    const start = { bytes: wire.bytes, cpu: cpuSeconds(member.pid) - cpu, resident: residentBytes(member.pid) - base }
    const before = { cpu: cpuSeconds(member.pid), bytes: wire.bytes, ...(await member.ask()) }
    const { perSecond, took } = await crowd.churn(seconds)
    const after = await member.ask()
    return {
      leases: count,
      readySeconds: ready.readySeconds,
      readyBytes: start.bytes,
      readyCpuSeconds: start.cpu,
      residentBytes: start.resident,
      churn: {
        perSecond,
        cpuShare: (cpuSeconds(member.pid) - before.cpu) / took,
        bytesPerSecond: (wire.bytes - before.bytes) / took,
        told: (after.changes - before.changes) / took,
      },
      goneSeconds: await gone(member, crowd, count),
    }
  } finally {
    member.end()
    store.close()
  }
}

async function gone(member: Member, crowd: Store['crowd'], count: number): Promise<number> {
  const end = await crowd.visit()
  while ((await member.ask()).members <= count) await pause(5)
  while ((await member.ask()).members > count) await pause(5)
  return (performance.now() - end) / 1000
}

class Member {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(endpoint: string) {
    this.child = spawn(process.execPath, [FOLLOWER, endpoint, PREFIX], { stdio: ['pipe', 'pipe', 'inherit'] })
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

function shown(sizes: readonly Size[]): string {
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

function shownAgents(sizes: readonly AgentSize[]): string {
  const columns = [{ title: 'leases' }, ...sizes.map(({ leases: count }) => ({ title: String(count), right: true }))]
  const row = (title: string, text: (size: AgentSize) => string): string[] => [title, ...sizes.map(text)]
  const rows = [
    row('ready after', (s) => `${s.readySeconds.toFixed(2)} s`),
    row('VmRSS then', (s) => `${(s.readyResidentBytes / 1e6).toFixed(0)}e6 B`),
    row('changes a second', (s) => s.churn.perSecond.toFixed(0)),
    row("  agent's CPU", (s) => `${(s.churn.cpuShare * 100).toFixed(1)} %`),
    row('  bytes from etcd a second', (s) => `${(s.churn.bytesPerSecond / 1e3).toFixed(1)}e3 B`),
    row('VmRSS after', (s) => `${(s.residentBytes / 1e6).toFixed(0)}e6 B`),
    row("a lost host's route is gone, after its lease", (s) => `${s.goneSeconds.toFixed(2)} s`),
  ]
  return table(columns, rows, paintFor(process.stdout))
}
