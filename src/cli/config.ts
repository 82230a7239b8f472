// `vtepd config check` and `vtepd config schema`: what a configuration says before an agent runs it.
import { jsonSchema } from '../control/config.ts'
import { configPlace } from './config-place.ts'
import { readConfig } from './config-source.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'

/** All faults on stderr and exit code 2, or one line and 0. */
export async function check(flags: Flags): Promise<number> {
  const { file, main } = configPlace(flags)
  const config = await readConfig(flags.text('file') ?? file, main)
  const networks = [...config.networks, ...config.flannels].map((n) => n.name)
  const peers = config.peers.map((p) => p.name)
  if (flags.on('json')) printJson({ schema: 1, node: config.node, networks, peers })
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
