// vtepd demo: two hosts on this machine, an agent in each, a secure network and a plain one between them; pings and throughput
// beside the kernel's own VXLAN device. What it makes is gone when it ends, however it ends (lab/lab.ts).
import type { Status } from '../control/api/api.ts'
import { type LabAgent, startAgent } from '../lab/agent.ts'
import { isInstalled } from '../lab/command.ts'
import { addKernelVxlan } from '../lab/kernel-vxlan.ts'
import { type LabKeys, makeKeys } from '../lab/keys.ts'
import { type Host, Lab } from '../lab/lab.ts'
import { median } from '../lab/median.ts'
import { againInUserNamespace, refusal, userNamespaceRefusal } from '../lab/permission.ts'
import { ping } from '../lab/ping.ts'
import { chooseTraffic, type Traffic } from '../lab/traffic.ts'
import { DONE, FAILED, Failure, NOT_PERMITTED } from './exit.ts'
import type { Flags } from './flags.ts'
import { paintFor, print, printJson } from './output.ts'
import { table } from './table.ts'

const PREFIX = 24
const UNDERLAY = { a: '198.18.0.1', b: '198.18.0.2' } as const
/** Ours, both on the same agents. */
const SECURE = { name: 'vtepd secure', vni: 42, port: 51820, a: '10.42.0.1', b: '10.42.0.2' } as const
const PLAIN = { name: 'vtepd plain', vni: 44, port: 4789, a: '10.44.0.1', b: '10.44.0.2' } as const
/** The kernel's device beside them. */
const KERNEL = { name: 'kernel VXLAN', vni: 43, port: 4790, a: '10.43.0.1', b: '10.43.0.2' } as const

/** Measured seconds of each transfer, and seconds before them that do not count. */
const SECONDS = 2
const WARMUP = 1
/** Bytes of a datagram: what fits into the secure network's MTU of 1418, with some to spare. */
const UDP_SIZE = 1300
const PINGS = { count: 50, interval: 10 } as const
const MBIT = 1e6
const GBIT = 1e9

type Side = 'a' | 'b'
type Overlay = typeof SECURE | typeof PLAIN | typeof KERNEL

/** Part of what `--json` prints. */
interface Figures {
  readonly tcpBitsPerSecond: number
  readonly udpBitsPerSecond: number
  readonly rttSeconds: number
  readonly pings: { readonly sent: number; readonly answered: number }
}

interface Outcome {
  readonly schema: 1
  /** What made the load. */
  readonly traffic: string
  /** The cipher in use; `status` has it too. */
  readonly aead: string
  /** Null: this kernel has no such device; `lacking` says why. */
  readonly kernel: Figures | null
  readonly lacking: string | null
  readonly plain: Figures
  readonly secure: Figures
  /** By host and reason. */
  readonly drops: Record<string, Record<string, number>>
}

/** Runs the demonstration; its exit code. Throws Failure when this machine does not allow it. */
export async function demo(flags: Flags): Promise<number> {
  const isJson = flags.on('json')
  // With --json stdout is for the object alone.
  const say: Say = isJson ? (line) => void process.stderr.write(`${line}\n`) : print
  const why = refusal()
  if (why !== null) return withoutRoot(why, say)
  const absent = ['ip', 'ping'].filter((program) => !isInstalled(program))
  if (absent.length > 0) {
    throw new Failure(FAILED, `${absent.join(' and ')} not found: install iproute2 and iputils-ping`)
  }
  say(topology())
  const lab = new Lab()
  let outcome: Outcome
  try {
    outcome = await new Demo(lab, say).run()
  } finally {
    say('cleaning up')
    await lab.close()
  }
  if (isJson) printJson(outcome)
  return DONE
}

type Say = (line: string) => void

async function withoutRoot(why: string, say: Say): Promise<number> {
  const whyNot = await userNamespaceRefusal()
  if (whyNot !== null) {
    throw new Failure(NOT_PERMITTED, `${why}, and a user namespace cannot stand in: ${whyNot}; run it as root (sudo)`)
  }
  say(`${why}: going on in a user namespace`)
  return againInUserNamespace()
}

class Demo {
  private readonly lab: Lab
  private readonly say: Say
  private readonly traffic: Traffic = chooseTraffic()
  private a!: Host
  private b!: Host

  constructor(lab: Lab, say: Say) {
    this.lab = lab
    this.say = say
  }

  async run(): Promise<Outcome> {
    const { lab, say, traffic } = this
    say('two hosts and an underlay')
    this.a = await lab.host('a')
    this.b = await lab.host('b')
    await lab.connect([
      { host: this.a, addresses: [`${UNDERLAY.a}/30`] },
      { host: this.b, addresses: [`${UNDERLAY.b}/30`] },
    ])
    say('an agent on each, with a secure network and a plain one')
    const agents = await this.startAgents()
    const { aead = 'nothing' } = (await statusOf(agents[0]!)).offloads
    say(`  ChaCha20-Poly1305, by ${aead}, seals what is secure`)
    say("the kernel's own VXLAN device beside them")
    const lacking = (await this.kernelDevice('a', 'b')) ?? (await this.kernelDevice('b', 'a'))
    if (lacking !== null) say(`  not on this kernel (${lacking}): vtepd alone is measured`)

    say(`throughput with ${traffic.name}, ${SECONDS} s each after ${WARMUP} s of warm-up`)
    const secure = await this.measure(SECURE)
    const plain = await this.measure(PLAIN)
    const kernel = lacking === null ? await this.measure(KERNEL) : null
    const drops = Object.fromEntries(await Promise.all(agents.map(dropsOf)))
    const outcome: Outcome = { schema: 1, traffic: traffic.name, aead, kernel, lacking, plain, secure, drops }
    say(`\n${results(outcome)}`)
    for (const [host, reasons] of Object.entries(drops)) say(`dropped by the agent on ${host}: ${list(reasons)}`)
    return outcome
  }

  private startAgents(): Promise<LabAgent[]> {
    const keys = { a: makeKeys(this.lab, 'a'), b: makeKeys(this.lab, 'b') }
    const options = { ownRun: true }
    return Promise.all([
      startAgent(this.a, configuration('a', 'b', keys), options),
      startAgent(this.b, configuration('b', 'a', keys), options),
    ])
  }

  private kernelDevice(local: Side, remote: Side): Promise<string | null> {
    const { vni, port } = KERNEL
    const ends = { local: UNDERLAY[local], remote: UNDERLAY[remote], address: `${KERNEL[local]}/${PREFIX}` }
    return addKernelVxlan(this[local], { name: 'vxlan0', vni, port, ...ends })
  }

  private async measure(overlay: Overlay): Promise<Figures> {
    const { a, b, say, traffic } = this
    const who = overlay.name
    // Waits for ARP, and for a handshake.
    await ping(a, overlay.b, { ...PINGS, count: 1 })
    const load = { from: a, to: b, address: overlay.b, seconds: SECONDS, warmup: WARMUP }
    say(`${who}: TCP, one stream`)
    const tcp = await traffic.tcp(load, 1)
    say(`  ${rate(tcp.bitsPerSecond)} Gbit/s`)
    say(`${who}: UDP, ${UDP_SIZE} bytes, sender flat out`)
    const udp = await traffic.udp(load, UDP_SIZE)
    say(`  ${rate(udp.bitsPerSecond)} Gbit/s arrived`)
    // Last, when what carries them has been compiled: the agents have just started.
    say(`${who}: pings both ways`)
    const times = [...(await ping(a, overlay.b, PINGS)), ...(await ping(b, overlay.a, PINGS))]
    const pings = { sent: 2 * PINGS.count, answered: times.length }
    say(`  ${pings.answered} of ${pings.sent} answered`)
    const rttSeconds = median(times) / 1000
    return { tcpBitsPerSecond: tcp.bitsPerSecond, udpBitsPerSecond: udp.bitsPerSecond, rttSeconds, pings }
  }
}

// The two hosts as boxes, what joins them in between.
function topology(): string {
  const width = 24
  const ours = [SECURE, PLAIN].map(({ vni, a, b }, i) => [
    `vt${vni}  ${a}/${PREFIX}`,
    i === 0 ? `== VNI ${vni}, secure ==` : `-- VNI ${vni}, plain ---`,
    `${b}/${PREFIX}  vt${vni}`,
    i === 0 ? 'overlay, inside WireGuard' : 'overlay, in clear text',
  ])
  const ports = `UDP ${SECURE.port}, ${PLAIN.port}`
  const rows = [
    ...ours,
    ['  |', '', '|  ', ''],
    [`vtepd  ${ports}`, '', `${ports}  vtepd`, ''],
    ['  |', '', '|  ', ''],
    [`eth0  ${UNDERLAY.a}/30`, '------- veth -------', `${UNDERLAY.b}/30  eth0`, 'underlay'],
  ] as [string, string, string, string][]
  const edge = `+${'-'.repeat(width + 2)}+`
  const gap = rows[0]![1].length + 2
  const lines = rows.map(([left, wire, right, what]) => {
    const boxes = [`| ${left.padEnd(width)} |`, wire.padEnd(gap - 2), `| ${right.padStart(width)} |`]
    return `  ${boxes.join(' ')}  ${what}`.trimEnd()
  })
  const top = `  ${edge}${' '.repeat(gap)}${edge}`
  return ['', `  host a${' '.repeat(edge.length + gap - 6)}host b`, top, ...lines, top, ''].join('\n')
}

// Networks are secure unless they say otherwise.
function configuration(local: Side, remote: Side, keys: Readonly<Record<Side, LabKeys>>): object {
  return {
    privateKeyFile: keys[local].file,
    underlay: { address: UNDERLAY[local] },
    networks: {
      secure: { vni: SECURE.vni, address: `${SECURE[local]}/${PREFIX}` },
      plain: { vni: PLAIN.vni, security: 'plain', address: `${PLAIN[local]}/${PREFIX}` },
    },
    peers: {
      [remote]: { endpoint: UNDERLAY[remote], publicKey: keys[remote].publicKey, networks: ['secure', 'plain'] },
    },
  }
}

function results({ kernel, plain, secure, aead }: Outcome): string {
  const row = (what: string, unit: string, of: (f: Figures) => number, format: (n: number) => string): string[] => {
    const ratio = (f: Figures): string => (kernel ? (of(f) / of(kernel)).toFixed(2) : '-')
    const cells = [plain, secure].flatMap((f) => [format(of(f)), ratio(f)])
    return [what, unit, kernel ? format(of(kernel)) : '-', ...cells]
  }
  const columns = [
    { title: '' },
    { title: '' },
    { title: KERNEL.name, right: true },
    { title: PLAIN.name, right: true },
    { title: 'ratio', right: true },
    { title: SECURE.name, right: true },
    { title: 'ratio', right: true },
  ]
  const rows = [
    row('TCP, one stream', 'Gbit/s', (f) => f.tcpBitsPerSecond, rate),
    row(`UDP, ${UDP_SIZE} bytes`, 'Gbit/s', (f) => f.udpBitsPerSecond, rate),
    row(
      'RTT, median',
      'ms',
      (f) => f.rttSeconds * 1000,
      (ms) => ms.toFixed(3),
    ),
    ['sealed by', '', 'nothing', 'nothing', '', aead, ''],
  ]
  return table(columns, rows, paintFor(process.stdout))
}

function statusOf(agent: LabAgent): Promise<Status> {
  return agent.get<Status>('/v1/status')
}

// A sender that goes flat out is dropped somewhere; what the agents themselves dropped, they say.
async function dropsOf(agent: LabAgent): Promise<[string, Record<string, number>]> {
  const counts = Object.entries((await statusOf(agent)).drops)
  return [agent.host.name, Object.fromEntries(counts.filter(([, count]) => count > 0))]
}

function list(drops: Record<string, number>): string {
  const reasons = Object.entries(drops).map(([reason, count]) => `${reason} ${count}`)
  return reasons.join(', ') || 'nothing'
}

/** Gbit/s with three digits that count, down to a megabit. */
function rate(bitsPerSecond: number): string {
  if (bitsPerSecond < MBIT) return (bitsPerSecond / GBIT).toFixed(6)
  return (bitsPerSecond / GBIT).toFixed(bitsPerSecond < GBIT / 10 ? 4 : 2)
}
