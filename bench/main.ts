// npm run bench: what vtepd costs, piece by piece and on a wire beside the kernel's own VXLAN device. Not a test: figures never
// fail it, only what could not be measured does. docs/performance.md has the method.
import { parseArgs } from 'node:util'
import { aead } from './aead.ts'
import { codec } from './codec.ts'
import { describe, environment } from './environment.ts'
import { fdb } from './fdb.ts'
import { PARTS, type Part } from './goal.ts'
import { leases } from './leases.ts'
import { peers } from './peers.ts'
import { Report } from './report.ts'
import { takeLines } from './timing.ts'
import { walk } from './walk.ts'
import { wire } from './wire.ts'

const USAGE = `usage: bench [codec] [fdb] [walk] [aead] [wire] [peers] [leases] [--rounds N] [--seconds N] [--only PART] [--quick] [--json FILE]

  codec    ns per header read or written
  fdb      ns per look-up at 10, 10 000 and 1 000 000 entries
  walk     ns per packet and per train in memory, out and in
  aead     ns per packet sealed and opened, with each cipher that this Node has
  wire     two agents over a veth pair, against the kernel's VXLAN device and wireguard-go (root)
  peers    1000 peers on one agent: memory, time to be ready, handshakes a second (root)
  leases   1000, 5000 and 10 000 hosts of a flannel network in etcd: time until all are known, memory, CPU while they change

  --rounds N    rounds of wire and peers (default 5)
  --seconds N   measured seconds of each transfer, and of changing leases (default 3)
  --only PART   of wire: plain or secure
  --quick       two rounds of two seconds: a first look, no figure to quote
  --json FILE   writes everything that was measured there, as it comes, each sample of wire included

Without a name all of them run. Exit code 1: something could not be measured; the rest was.
`

const ROUNDS = 5
const SECONDS = 3
const QUICK = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const options = {
  rounds: whole('rounds', values.rounds, values.quick ? QUICK : ROUNDS),
  seconds: whole('seconds', values.seconds, values.quick ? QUICK : SECONDS),
  parts: values.only === undefined ? PARTS : [part(values.only)],
}

/** Each prints as it goes and answers with what it measured; what it hands to `progress` is kept when it fails later. */
const benches: Record<string, (progress: (measured: unknown) => void) => unknown> = {
  codec: () => timed(codec),
  fdb: () => timed(fdb),
  walk: () => timed(walk),
  aead: () => timed(aead),
  wire: (progress) => wire(options, progress),
  peers: () => peers(options),
  leases: () => leases(options),
}

const unknown = positionals.filter((name) => !Object.hasOwn(benches, name))
if (values.help || unknown.length > 0) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}

const where = environment()
const report = new Report(values.json ?? null, where)
process.stdout.write(describe(where))
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  process.stdout.write(`\n== ${name}\n`)
  try {
    const measured = await benches[name]!((some) => report.set(name, some))
    report.set(name, measured)
    if (hasFailures(measured)) process.exitCode = 1
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stdout.write(`not measured: ${why}\n`)
    report.fail(name, why)
    process.exitCode = 1
  }
}

function timed(bench: () => void): unknown {
  bench()
  return takeLines()
}

function hasFailures(measured: unknown): boolean {
  const { failures } = (measured ?? {}) as { failures?: readonly unknown[] }
  return failures !== undefined && failures.length > 0
}

function part(text: string): Part {
  const found = PARTS.find((name) => name === text)
  if (found) return found
  process.stderr.write(`bench: --only: want ${PARTS.join(' or ')}, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const n = Number(text)
  if (Number.isInteger(n) && n > 0) return n
  process.stderr.write(`bench: --${name}: want a whole number above 0, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
