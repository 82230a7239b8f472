// npm run bench: what vtepd costs, piece by piece and on a wire beside the kernel's own VXLAN device. Not a test: figures never
// fail it. docs/performance.md has the method.
import { parseArgs } from 'node:util'
import { codec } from './codec.ts'
import { environment } from './environment.ts'
import { fdb } from './fdb.ts'
import { walk } from './walk.ts'
import { wire } from './wire.ts'

const USAGE = `usage: bench [codec] [fdb] [walk] [wire] [--rounds N] [--seconds N]

  codec    ns per header read or written
  fdb      ns per look-up at 10, 10 000 and 1 000 000 entries
  walk     ns per packet and per train in memory, out and in
  wire     two agents over a veth pair, against the kernel's VXLAN device (root)

  --rounds N    rounds of wire (default 5)
  --seconds N   measured seconds of each transfer (default 3)

Without a name all of them run.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const benches: Record<string, () => void | Promise<void>> = {
  codec,
  fdb,
  walk,
  wire: () => wire({ rounds: whole('rounds', values.rounds), seconds: whole('seconds', values.seconds) }),
}

const unknown = positionals.filter((name) => !Object.hasOwn(benches, name))
if (values.help || unknown.length > 0) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}

process.stdout.write(environment())
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  process.stdout.write(`\n== ${name}\n`)
  await benches[name]!()
}

function whole(name: string, text: string): number {
  const n = Number(text)
  if (Number.isInteger(n) && n > 0) return n
  process.stderr.write(`bench: --${name}: want a whole number above 0, got ${JSON.stringify(text)}\n`)
  process.exit(2)
}
