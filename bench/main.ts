// npm run bench: what vtepd costs, piece by piece and on a wire beside the kernel's own VXLAN device. Not a test: figures never
// fail it. docs/performance.md has the method.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { aead } from './aead.ts'
import { codec } from './codec.ts'
import { describe, environment } from './environment.ts'
import { fdb } from './fdb.ts'
import { takeLines } from './timing.ts'
import { walk } from './walk.ts'
import { wire } from './wire.ts'

const USAGE = `usage: bench [codec] [fdb] [walk] [aead] [wire] [--rounds N] [--seconds N] [--quick] [--json FILE]

  codec    ns per header read or written
  fdb      ns per look-up at 10, 10 000 and 1 000 000 entries
  walk     ns per packet and per train in memory, out and in
  aead     ns per packet sealed and opened, with each cipher that this Node has
  wire     two agents over a veth pair, against the kernel's VXLAN device (root)

  --rounds N    rounds of wire (default 5)
  --seconds N   measured seconds of each transfer (default 3)
  --quick       two rounds of two seconds: a first look, no figure to quote
  --json FILE   writes everything that was measured there, each sample of wire included

Without a name all of them run.
`

const ROUNDS = 5
const SECONDS = 3
const QUICK = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const options = {
  rounds: whole('rounds', values.rounds, values.quick ? QUICK : ROUNDS),
  seconds: whole('seconds', values.seconds, values.quick ? QUICK : SECONDS),
}

/** Each prints as it goes and returns what it measured. */
const benches: Record<string, () => unknown> = {
  codec: () => timed(codec),
  fdb: () => timed(fdb),
  walk: () => timed(walk),
  aead: () => timed(aead),
  wire: () => wire(options),
}

const unknown = positionals.filter((name) => !Object.hasOwn(benches, name))
if (values.help || unknown.length > 0) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}

const where = environment()
const measured: Record<string, unknown> = {}
process.stdout.write(describe(where))
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  process.stdout.write(`\n== ${name}\n`)
  measured[name] = await benches[name]!()
}
if (values.json !== undefined) {
  const report = { schema: 1, environment: where, date: new Date().toISOString(), ...measured }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}

function timed(bench: () => void): unknown {
  bench()
  return takeLines()
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const n = Number(text)
  if (Number.isInteger(n) && n > 0) return n
  process.stderr.write(`bench: --${name}: want a whole number above 0, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
