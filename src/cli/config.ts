// `vtepd config check` and `vtepd config schema`: what a configuration says before an agent runs it.
import { jsonSchema } from '../control/config/config.ts'
import { notesOf } from '../control/config/notes.ts'
import { configPlace } from './config-place.ts'
import { readConfig } from './config-source.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'

/** All faults on stderr and exit code 2, or one line and 0; on stderr then what is no fault and may surprise. */
export async function check(flags: Flags): Promise<number> {
  const { file, main } = configPlace(flags)
  const config = await readConfig(flags.text('file') ?? file, main)
  const networks = [...config.networks, ...config.flannels].map((n) => n.name)
  const peers = config.peers.map((p) => p.name)
  const notes = notesOf(config)
  for (const note of notes) process.stderr.write(`vtepd: ${note}\n`)
  if (flags.on('json')) printJson({ schema: 1, node: config.node, networks, peers, notes })
  else print(`good: node ${config.node}, ${amount(networks.length, 'network')}, ${amount(peers.length, 'peer')}`)
  return DONE
}

export async function schema(): Promise<number> {
  print(JSON.stringify(jsonSchema(), null, 2))
  return DONE
}

function amount(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
