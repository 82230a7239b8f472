// `vtepd routes`: which prefix of which layer 3 network goes to which peer.
import type { RouteEntry } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'PREFIX' },
  { title: 'PEER' },
  { title: 'VIA' },
  { title: 'INTERFACE' },
  { title: 'ORIGIN' },
  { title: 'ON HOST' },
]

export async function routes(flags: Flags): Promise<number> {
  const network = flags.text('network')
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
  const answer = await new Client(flags).ask<{ routes: RouteEntry[] }>('GET', `/v1/routes${query}`)
  if (flags.on('json')) {
    printJson(answer)
    return DONE
  }
  const rows = answer.routes.map((r) => [
    r.network,
    r.prefix,
    r.peer ?? '-',
    r.via ?? '-',
    r.interface,
    r.origin,
    r.installed === null ? '-' : r.installed ? 'yes' : 'missing',
  ])
  print(table(COLUMNS, rows, paintFor(process.stdout)))
  return DONE
}
