// On a wire (rig.ts): everything stays up; each round measures the systems in turn, so that what the machine does meanwhile meets
// all of them. A figure is the ratio of two medians over all rounds, of what the receiver got. A measurement that fails costs
// itself alone. docs/performance.md says more.
import { setTimeout as pause } from 'node:timers/promises'
import type { LabAgent } from '../src/lab/agent.ts'
import { Lab } from '../src/lab/lab.ts'
import { median } from '../src/lab/median.ts'
import { refusal } from '../src/lab/permission.ts'
import { ping } from '../src/lab/ping.ts'
import { GOALS, type Part, type Quantity, type System } from './goal.ts'
import { cpuSeconds, residentBytes } from './proc.ts'
import { Rig, WARMUP } from './rig.ts'
import type { Failure } from './samples.ts'
import { type Row, wireRows, wireTable } from './wire-table.ts'

const PINGS = { count: 500, interval: 10 } as const
const WARMUP_PINGS = { count: 20, interval: 10 } as const
/** Rounds that measure what is there to know and no figure to divide by: the bare veth pair, what else wireguard-go does. */
const BESIDE_ROUNDS = 2
/** Milliseconds after which the data thread has published its CPU time. */
const PUBLISHED = 2500
const GBIT = 1e9
const ORDER: readonly System[] = ['kernel', 'tap', 'tun', 'secure', 'wireguardGo', 'wireguard', 'raw']
const STRANGERS: readonly System[] = ['wireguardGo', 'wireguard']

export interface WireOptions {
  readonly rounds: number
  readonly seconds: number
  readonly parts: readonly Part[]
}

export interface WireReport extends WireOptions {
  readonly warmup: number
  readonly tool: string
  readonly rows: readonly Row[]
  readonly failures: readonly Failure[]
}

/** Measures and prints; null when this machine does not allow it. `progress` gets what there is after each measurement. */
export async function wire(
  options: WireOptions,
  progress: (report: WireReport) => void = () => {},
): Promise<WireReport | null> {
  const why = refusal()
  if (why !== null) {
    process.stdout.write(`skipped: ${why}\n`)
    return null
  }
  const lab = new Lab()
  try {
    const run = new Run(await Rig.build(lab, options.seconds, options.parts), options, progress)
    await run.all()
    const report = run.report()
    process.stdout.write(`\n${wireTable(report.rows)}`)
    for (const { what, why } of report.failures) process.stdout.write(`failed: ${what}: ${why}\n`)
    return report
  } finally {
    await lab.close()
  }
}

interface Profile {
  readonly dataThreadCpuNs: number
  readonly nativeCpuNs: number
  readonly processCpuNs: number
}

class Run {
  private readonly rig: Rig
  private readonly options: WireOptions
  private readonly progress: (report: WireReport) => void
  private agents: LabAgent[] = []

  constructor(rig: Rig, options: WireOptions, progress: (report: WireReport) => void) {
    this.rig = rig
    this.options = options
    this.progress = progress
  }

  async all(): Promise<void> {
    const { rig } = this
    const { rounds, seconds, parts } = this.options
    process.stdout.write(`${rounds} rounds, ${seconds} s each after ${WARMUP} s of warm-up, by ${rig.traffic.name}\n`)
    this.agents = await rig.startAgents(false)
    for (let i = 1; i <= rounds; i++) await this.round(i)
    if (!parts.includes('plain')) return
    await this.take('memory', 'tap', '', () => Math.max(...this.agents.map(({ pid }) => residentBytes(pid))) / 1e6)
    await Promise.all(this.agents.splice(0).map((agent) => agent.stop()))
    await this.attempt('script', 'tap', '', () => this.profile())
  }

  report(): WireReport {
    const { rig, options } = this
    const { samples, traffic } = rig
    const rows = wireRows(samples, options.parts)
    return { ...options, warmup: WARMUP, tool: traffic.name, rows, failures: samples.failures }
  }

  private async round(number: number): Promise<void> {
    process.stderr.write(`round ${number}\n`)
    const each = async (quantity: Quantity, measure: (system: System) => Promise<number>): Promise<void> => {
      for (const system of this.systems(quantity, number)) {
        await this.take(quantity, system, `round ${number}`, () => measure(system))
      }
    }
    await each('tcpThere', (system) => this.tcp(system, false))
    await each('tcpBack', (system) => this.tcp(system, true))
    await each('tcp4', (system) => this.tcp4(system))
    await each('udp1400', (system) => this.udp(system, 1400))
    await each('udp1300', (system) => this.udp(system, 1300))
    await each('udp64', (system) => this.udp(system, 64))
    await each('rtt', (system) => this.roundTrip(system))
  }

  // What a round measures of a quantity: what the goals name, and in the first rounds what stands beside.
  private systems(quantity: Quantity, round: number): System[] {
    const wanted = new Set<System>()
    for (const goal of GOALS) {
      if (goal.quantity !== quantity || !this.options.parts.includes(goal.part)) continue
      if (STRANGERS.includes(goal.system) && round > BESIDE_ROUNDS) continue
      wanted.add(goal.system)
      if (goal.against) wanted.add(goal.against)
      if (goal.part === 'plain' && round <= BESIDE_ROUNDS) wanted.add('raw')
    }
    const order = round % 2 === 1 ? ORDER : ORDER.toReversed()
    return order.filter((system) => wanted.has(system) && this.rig.samples.has(system))
  }

  private async take(
    quantity: Quantity,
    system: System,
    where: string,
    measure: () => number | Promise<number>,
  ): Promise<void> {
    await this.attempt(quantity, system, where, async () => {
      const value = await measure()
      this.rig.samples.add(quantity, system, value)
      process.stderr.write(`  ${quantity} ${system} ${value.toPrecision(3)}\n`)
    })
    this.progress(this.report())
  }

  private async attempt(
    quantity: Quantity,
    system: System,
    where: string,
    measure: () => Promise<void>,
  ): Promise<void> {
    try {
      await measure()
    } catch (error) {
      const dead = this.agents
        .filter((agent) => !agent.alive)
        .map(({ host }) => `; the agent on ${host.name} has ended`)
      const why = `${error instanceof Error ? error.message : String(error)}${dead.join('')}`
      this.rig.samples.fail(quantity, system, where, why)
      process.stderr.write(`  ${quantity} ${system} failed: ${why}\n`)
    }
  }

  // The agents' CPU time is a sample too, over the warm-up as well, for which bytes are counted likewise.
  private async tcp(system: System, isBack: boolean): Promise<number> {
    const { rig, agents } = this
    const spent = (): number => agents.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
    const isOurs = system === 'tap' || system === 'secure'
    const before = isOurs ? spent() : 0
    const { bitsPerSecond, totalBytes } = await rig.traffic.tcp(rig.load(system, isBack), 1)
    if (isOurs) rig.samples.add('cpu', system, ((spent() - before) / totalBytes) * 1e9)
    return bitsPerSecond / GBIT
  }

  private async tcp4(system: System): Promise<number> {
    const { rig } = this
    return (await rig.traffic.tcp(rig.load(system, false), 4)).bitsPerSecond / GBIT
  }

  private async udp(system: System, size: number): Promise<number> {
    const { rig } = this
    return (await rig.traffic.udp(rig.load(system, false), size)).bitsPerSecond / GBIT
  }

  private async roundTrip(system: System): Promise<number> {
    const { rig } = this
    await ping(rig.a, rig.far(system), WARMUP_PINGS)
    return median(await ping(rig.a, rig.far(system), PINGS))
  }

  // Agents of their own, since reading the clock around every native call costs. The worse of the two counts.
  private async profile(): Promise<void> {
    const { rig, options } = this
    const agents = await rig.startAgents(true)
    // Once for the compiler, which works on the agent's account too.
    await rig.traffic.tcp(rig.load('tap', false), 1)
    for (let i = 0; i < options.rounds; i++) {
      await this.take('script', 'tap', `run ${i + 1}`, async () => {
        const before = await profilesOf(agents)
        await rig.traffic.tcp(rig.load('tap', i % 2 === 1), 1)
        const after = await profilesOf(agents)
        return Math.max(...agents.map((_, k) => share(before[k]!, after[k]!)))
      })
    }
    await Promise.all(agents.map((agent) => agent.stop()))
  }
}

async function profilesOf(agents: readonly LabAgent[]): Promise<Profile[]> {
  await pause(PUBLISHED)
  return Promise.all(agents.map((agent) => agent.get<Profile>('/v1/profile')))
}

function share(before: Profile, after: Profile): number {
  const spent = (key: keyof Profile): number => after[key] - before[key]
  return (100 * (spent('dataThreadCpuNs') - spent('nativeCpuNs'))) / spent('processCpuNs')
}
