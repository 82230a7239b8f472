// `vtepd neigh`: which MAC has an address in a layer 2 network, as ARP and neighbour discovery said.
import type { NeighbourEntry } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { span } from './units.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'IP' },
  { title: 'MAC' },
  { title: 'ORIGIN' },
  { title: 'AGE', right: true },
]

export async function neigh(flags: Flags): Promise<number> {
  const network = flags.text('network')
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
  const answer = await new Client(flags).ask<{ entries: NeighbourEntry[] }>('GET', `/v1/neigh${query}`)
  if (flags.on('json')) {
    printJson(answer)
    return DONE
  }
  const said = ({ origin }: NeighbourEntry): boolean => origin === 'learned' || origin === 'local'
  const rows = answer.entries.map((e) => [e.network, e.ip, e.mac, e.origin, said(e) ? span(e.ageSeconds) : '-'])
  print(table(COLUMNS, rows, paintFor(process.stdout)))
  return DONE
}
