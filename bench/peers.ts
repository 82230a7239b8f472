// A thousand peers on one agent: what they cost in memory and until it is ready, and how many handshakes a second it answers when
// each of them calls (handshake-driver.ts).
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import type { Status } from '../src/control/api/api.ts'
import { type LabAgent, startAgent } from '../src/lab/agent.ts'
import { type LabKeys, makeKeys } from '../src/lab/keys.ts'
import { type Host, Lab } from '../src/lab/lab.ts'
import { median } from '../src/lab/median.ts'
import { refusal } from '../src/lab/permission.ts'
import type { DriverRound } from './handshake-driver.ts'
import { cpuSeconds, residentBytes } from './proc.ts'
import type { Failure } from './samples.ts'

const PEERS = 1000
const UNDERLAY = { a: '198.18.0.1', b: '198.18.0.2' } as const
const PORT = 51820
const DRIVER = fileURLToPath(new URL('./handshake-driver.js', import.meta.url))

interface Round extends DriverRound {
  /** Of the agent, all threads, user and system. */
  readonly cpuSeconds: number
}

/** An agent with so many peers. */
interface Start {
  readonly peers: number
  /** From the process's start until it says that it is ready. */
  readonly readySeconds: number
  readonly residentBytes: number
}

export interface PeersReport {
  readonly starts: readonly Start[]
  readonly reload: { readonly seconds: number; readonly residentBytes: number }
  /** With sessions to all of them. */
  readonly residentBytes: number
  readonly rounds: readonly Round[]
  readonly failures: readonly Failure[]
}

/** Measures and prints; null when this machine does not allow it. */
export async function peers({ rounds }: { readonly rounds: number }): Promise<PeersReport | null> {
  const why = refusal()
  if (why !== null) {
    process.stdout.write(`skipped: ${why}\n`)
    return null
  }
  const lab = new Lab()
  try {
    const a = await lab.host('a')
    const b = await lab.host('b')
    await lab.connect([
      { host: a, addresses: [`${UNDERLAY.a}/30`] },
      { host: b, addresses: [`${UNDERLAY.b}/30`] },
    ])
    const report = await measure(a, b, rounds)
    process.stdout.write(shown(report))
    return report
  } finally {
    await lab.close()
  }
}

async function measure(a: Host, b: Host, rounds: number): Promise<PeersReport> {
  const keys = makeKeys(a.lab, a.name)
  const driver = new Driver(b, keys)
  const many = await driver.publicKeys()

  const [bare, none] = await start(a, keys, [])
  const reload = await addByReload(bare, keys, many)
  await bare.stop()

  const [agent, all] = await start(a, keys, many)
  const answered: Round[] = []
  for (let i = 0; i < rounds; i++) {
    const before = cpuSeconds(agent.pid)
    const round = await driver.round()
    answered.push({ ...round, cpuSeconds: cpuSeconds(agent.pid) - before })
  }
  const resident = residentBytes(agent.pid)
  const { drops } = await agent.get<Status>('/v1/status')
  await agent.stop()
  const dropped = JSON.stringify(Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0)))
  const failures = answered.flatMap(({ answered, cookies, sessions }, i) => {
    if (sessions === PEERS) return []
    const answers = `${answered} of ${PEERS} answered, ${cookies} with a cookie, ${sessions} with a session`
    const why = `${answers}; the agent dropped ${dropped}`
    return [{ what: `handshakes, round ${i + 1}`, why }]
  })
  return { starts: [none, all], reload, residentBytes: resident, rounds: answered, failures }
}

async function start(host: Host, keys: LabKeys, publicKeys: readonly string[]): Promise<[LabAgent, Start]> {
  const begin = performance.now()
  const agent = await startAgent(host, configuration(keys, publicKeys), { ownRun: true })
  const readySeconds = (performance.now() - begin) / 1000
  return [agent, { peers: publicKeys.length, readySeconds, residentBytes: residentBytes(agent.pid) }]
}

async function addByReload(
  agent: LabAgent,
  keys: LabKeys,
  publicKeys: readonly string[],
): Promise<PeersReport['reload']> {
  const file = join(agent.runtimeDir, 'vtepd.yaml')
  writeFileSync(file, JSON.stringify({ node: agent.host.name, ...configuration(keys, publicKeys) }))
  const begin = performance.now()
  await agent.reload()
  return { seconds: (performance.now() - begin) / 1000, residentBytes: residentBytes(agent.pid) }
}

// They call us: none needs an endpoint. What the kernel says into a new device is not to be copied to all of them.
function configuration(keys: LabKeys, publicKeys: readonly string[]): object {
  return {
    privateKeyFile: keys.file,
    underlay: { address: UNDERLAY.a, wireguardPort: PORT },
    networks: { blue: { vni: 42, address: '10.42.0.1/16', flood: 'off' } },
    peers: Object.fromEntries(publicKeys.map((publicKey, i) => [`peer-${i}`, { publicKey }])),
  }
}

class Driver {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(host: Host, { publicKey }: LabKeys) {
    const command = [process.execPath, DRIVER, UNDERLAY.a, String(PORT), publicKey, String(PEERS)]
    this.child = host.spawn(command, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  publicKeys(): Promise<string[]> {
    return this.line<string[]>()
  }

  round(): Promise<DriverRound> {
    this.child.stdin!.write('\n')
    return this.line<DriverRound>()
  }

  private async line<T>(): Promise<T> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error('the driver of handshakes has ended')
    return JSON.parse(value) as T
  }
}

// The first handshake with a peer has one multiplication more, whose result is kept.
function shown({ starts, reload, residentBytes, rounds, failures }: PeersReport): string {
  const [none, all] = starts as [Start, Start]
  const seconds = (s: number): string => `${(s * 1000).toFixed(0)} ms`
  const memory = (bytes: number): string => `${(bytes / 1e6).toFixed(1)}e6 B`
  const [first, ...later] = rounds as [Round, ...Round[]]
  const rate = (r: Round): number => r.sessions / r.seconds
  const cost = (r: Round): number => (r.cpuSeconds / r.sessions) * 1000
  const columns = [{ title: '' }, { title: 'without peers', right: true }, { title: `${PEERS} peers`, right: true }]
  const rows = [
    ['ready after', seconds(none.readySeconds), seconds(all.readySeconds)],
    ['added by reload in', '', seconds(reload.seconds)],
    ['VmRSS', memory(none.residentBytes), memory(all.residentBytes)],
    ['VmRSS, added by reload', '', memory(reload.residentBytes)],
    ['VmRSS, sessions with all', '', memory(residentBytes)],
    ['handshakes answered, first of each', '', `${rate(first).toFixed(0)} /s`],
    ["  agent's CPU for one", '', `${cost(first).toFixed(2)} ms`],
  ]
  if (later.length > 0) {
    rows.push(['handshakes answered, later', '', `${median(later.map(rate)).toFixed(0)} /s`])
    rows.push(["  agent's CPU for one", '', `${median(later.map(cost)).toFixed(2)} ms`])
  }
  const failed = failures.map(({ what, why }) => `failed: ${what}: ${why}\n`).join('')
  return table(columns, rows, paintFor(process.stdout)) + failed
}
