// On a wire: two namespaces over one veth pair with its defaults, an agent in each, the kernel's VXLAN device beside them on
// another port. Both systems stay up; each round measures them in turn, so that what the machine does meanwhile meets both.
// A figure is the ratio of the two medians over all rounds, of what the receiver got. docs/performance.md says more.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { base64Of, generatePrivateKey, publicKeyOf } from '../src/control/key.ts'
import { type LabAgent, startAgent } from '../src/lab/agent.ts'
import { addKernelVxlan } from '../src/lab/kernel-vxlan.ts'
import { type Host, Lab } from '../src/lab/lab.ts'
import { median } from '../src/lab/median.ts'
import { refusal } from '../src/lab/permission.ts'
import { ping } from '../src/lab/ping.ts'
import { chooseTraffic, type Traffic } from '../src/lab/traffic.ts'
import type { GoalName } from './goal.ts'
import { cpuSeconds, residentBytes } from './proc.ts'
import { type Row, Samples, type System, wireRows, wireTable } from './wire-table.ts'

const UNDERLAY = { a: '198.18.0.1', b: '198.18.0.2' } as const
const TAP = { a: '10.42.0.1', b: '10.42.0.2' } as const
const KERNEL = { a: '10.43.0.1', b: '10.43.0.2' } as const
const TUN = { a: '10.44.0.1', b: '10.44.0.2' } as const
const SECURE = { a: '10.45.0.1', b: '10.45.0.2' } as const
const KERNEL_PORT = 4790
const WARMUP = 1
const PINGS = { count: 500, interval: 10 } as const
const WARMUP_PINGS = { count: 20, interval: 10 } as const
/** Rounds that measure the bare veth pair too: a ceiling to know, no figure to divide by. */
const RAW_ROUNDS = 2
/** Milliseconds after which the data thread has published its CPU time. */
const PUBLISHED = 2500
const GBIT = 1e9

type Side = 'a' | 'b'
type Addresses = Readonly<Record<Side, string>>

export interface WireOptions {
  readonly rounds: number
  readonly seconds: number
}

export interface WireReport extends WireOptions {
  readonly warmup: number
  readonly tool: string
  readonly rows: readonly Row[]
}

interface Rig {
  readonly lab: Lab
  readonly a: Host
  readonly b: Host
  readonly traffic: Traffic
  readonly seconds: number
  readonly samples: Samples
}

/** Measures and prints; null when this machine does not allow it. */
export async function wire({ rounds, seconds }: WireOptions): Promise<WireReport | null> {
  const why = refusal()
  if (why !== null) {
    process.stdout.write(`skipped: ${why}\n`)
    return null
  }
  const lab = new Lab()
  try {
    const rig = await build(lab, seconds)
    const agents = await startAgents(rig, false)
    process.stdout.write(`${rounds} rounds, ${seconds} s each after ${WARMUP} s of warm-up, by ${rig.traffic.name}\n`)
    for (let i = 1; i <= rounds; i++) await round(rig, agents, i)
    rig.samples.add('memory', 'vtepd', Math.max(...agents.map((agent) => residentBytes(agent.pid))) / 1e6)
    await Promise.all(agents.map((agent) => agent.stop()))
    await profile(rig, rounds)
    const rows = wireRows(rig.samples)
    process.stdout.write(`\n${wireTable(rows)}`)
    return { rounds, seconds, warmup: WARMUP, tool: rig.traffic.name, rows }
  } finally {
    await lab.close()
  }
}

async function build(lab: Lab, seconds: number): Promise<Rig> {
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: [`${UNDERLAY.a}/30`] },
    { host: b, addresses: [`${UNDERLAY.b}/30`] },
  ])
  const lacking = (await kernelDevice(a, 'a', 'b')) ?? (await kernelDevice(b, 'b', 'a'))
  if (lacking !== null) throw new Error(`this kernel has no VXLAN device to compare with: ${lacking}`)
  return { lab, a, b, traffic: chooseTraffic(), seconds, samples: new Samples() }
}

function kernelDevice(host: Host, local: Side, remote: Side): Promise<string | null> {
  const ends = { local: UNDERLAY[local], remote: UNDERLAY[remote], address: `${KERNEL[local]}/24` }
  return addKernelVxlan(host, { name: 'vxlan0', vni: 43, port: KERNEL_PORT, ...ends })
}

function startAgents({ a, b }: Rig, isProfiled: boolean): Promise<LabAgent[]> {
  const options = { profile: isProfiled }
  const keys = { a: keysOf(a), b: keysOf(b) }
  return Promise.all([
    startAgent(a, configuration('a', 'b', keys), options),
    startAgent(b, configuration('b', 'a', keys), options),
  ])
}

interface Keys {
  readonly file: string
  readonly public: string
}

// Made once a host: both starts have the same.
function keysOf(host: Host): Keys {
  const file = join(host.lab.dir, `${host.name}.key`)
  if (!existsSync(file)) writeFileSync(file, `${base64Of(generatePrivateKey())}\n`, { mode: 0o600 })
  const key = Buffer.from(readFileSync(file, 'ascii'), 'base64')
  return { file, public: base64Of(publicKeyOf(key)) }
}

function configuration(local: Side, remote: Side, keys: Readonly<Record<Side, Keys>>): object {
  const plain = { security: 'plain' }
  return {
    privateKeyFile: keys[local].file,
    underlay: { address: UNDERLAY[local] },
    networks: {
      secure: { vni: 45, device: 'tap', address: `${SECURE[local]}/24` },
      tap: { ...plain, vni: 42, device: 'tap', address: `${TAP[local]}/24` },
      tun: { ...plain, vni: 44, device: 'tun', address: `${TUN[local]}/24` },
    },
    peers: {
      [remote]: {
        endpoint: UNDERLAY[remote],
        publicKey: keys[remote].public,
        networks: { secure: {}, tap: {}, tun: { allowedIps: [`${TUN[remote]}/32`] } },
      },
    },
  }
}

async function round(rig: Rig, agents: readonly LabAgent[], number: number): Promise<void> {
  const systems: System[] = number % 2 === 1 ? ['kernel', 'vtepd'] : ['vtepd', 'kernel']
  if (number <= RAW_ROUNDS) systems.push('raw')
  process.stderr.write(`round ${number}\n`)
  await inTurn(systems, (system) => tcp(rig, system, 'tcpThere', 1, agents))
  await ownTcp(rig, 'tunThere', TUN)
  await ownTcp(rig, 'secThere', SECURE)
  await inTurn(systems, (system) => tcp(rig, system, 'tcpBack', 1, agents))
  await ownTcp(rig, 'tunBack', TUN)
  await ownTcp(rig, 'secBack', SECURE)
  await inTurn(systems, (system) => tcp(rig, system, 'tcp4', 4, []))
  await inTurn(systems, (system) => udp(rig, system, 'udp1400', 1400))
  await inTurn(systems, (system) => udp(rig, system, 'udp64', 64))
  await udp(rig, 'kernel', 'secUdp1300', 1300)
  await udp(rig, 'vtepd', 'secUdp1300', 1300, SECURE)
  await udp(rig, 'vtepd', 'secUdp64', 64, SECURE)
  await inTurn(systems, (system) => roundTrip(rig, system, 'rtt', addressesOf(system)))
  await roundTrip(rig, 'vtepd', 'tunRtt', TUN)
  await roundTrip(rig, 'vtepd', 'secRtt', SECURE)
}

async function inTurn(systems: readonly System[], measure: (system: System) => Promise<void>): Promise<void> {
  for (const system of systems) await measure(system)
}

function addressesOf(system: System): Addresses {
  return { vtepd: TAP, kernel: KERNEL, raw: UNDERLAY }[system]
}

// Agents given: their CPU time is a sample too, over the warm-up as well, for which bytes are counted likewise.
async function tcp(
  rig: Rig,
  system: System,
  goal: GoalName,
  streams: number,
  agents: readonly LabAgent[],
): Promise<void> {
  const spent = (): number => agents.reduce((sum, agent) => sum + cpuSeconds(agent.pid), 0)
  const before = spent()
  const load = loadFor(rig, addressesOf(system), goal === 'tcpBack')
  const { bitsPerSecond, totalBytes } = await rig.traffic.tcp(load, streams)
  note(rig, goal, system, bitsPerSecond / GBIT)
  if (system === 'vtepd' && agents.length > 0) note(rig, 'cpu', system, ((spent() - before) / totalBytes) * 1e9)
}

async function ownTcp(rig: Rig, goal: GoalName, addresses: Addresses): Promise<void> {
  const { bitsPerSecond } = await rig.traffic.tcp(loadFor(rig, addresses, goal.endsWith('Back')), 1)
  note(rig, goal, 'vtepd', bitsPerSecond / GBIT)
}

async function udp(
  rig: Rig,
  system: System,
  goal: GoalName,
  size: number,
  addresses: Addresses = addressesOf(system),
): Promise<void> {
  const { bitsPerSecond } = await rig.traffic.udp(loadFor(rig, addresses, false), size)
  note(rig, goal, system, bitsPerSecond / GBIT)
}

async function roundTrip(rig: Rig, system: System, goal: GoalName, addresses: Addresses): Promise<void> {
  await ping(rig.a, addresses.b, WARMUP_PINGS)
  note(rig, goal, system, median(await ping(rig.a, addresses.b, PINGS)))
}

function loadFor({ a, b, seconds }: Rig, addresses: Addresses, isBack: boolean) {
  const [from, to] = isBack ? [b, a] : [a, b]
  return { from, to, address: isBack ? addresses.a : addresses.b, seconds, warmup: WARMUP }
}

interface Profile {
  readonly dataThreadCpuNs: number
  readonly nativeCpuNs: number
  readonly processCpuNs: number
}

// A start of its own, since reading the clock around every native call costs. The worse of the two agents counts.
async function profile(rig: Rig, rounds: number): Promise<void> {
  const agents = await startAgents(rig, true)
  // Once for the compiler, which works on the agent's account too.
  await rig.traffic.tcp(loadFor(rig, TAP, false), 1)
  for (let i = 0; i < rounds; i++) {
    const before = await profiles(agents)
    await rig.traffic.tcp(loadFor(rig, TAP, i % 2 === 1), 1)
    const after = await profiles(agents)
    note(rig, 'script', 'vtepd', Math.max(...agents.map((_, k) => share(before[k]!, after[k]!))))
  }
  await Promise.all(agents.map((agent) => agent.stop()))
}

async function profiles(agents: readonly LabAgent[]): Promise<Profile[]> {
  await pause(PUBLISHED)
  return Promise.all(agents.map((agent) => agent.get<Profile>('/v1/profile')))
}

function share(before: Profile, after: Profile): number {
  const spent = (key: keyof Profile): number => after[key] - before[key]
  return (100 * (spent('dataThreadCpuNs') - spent('nativeCpuNs'))) / spent('processCpuNs')
}

function note(rig: Rig, goal: GoalName, system: System, value: number): void {
  rig.samples.add(goal, system, value)
  process.stderr.write(`  ${goal} ${system} ${value.toPrecision(3)}\n`)
}
