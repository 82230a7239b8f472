// `vtepd fdb`: which station is behind which VTEP; `add` binds one until the agent stops, `del` forgets one.
import type { FdbEntry } from '../control/api/api.ts'
import { stationFault } from '../control/mac.ts'
import { Client } from './client.ts'
import { DONE, Failure, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'
import { paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { span } from './units.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'VNI', right: true },
  { title: 'MAC' },
  { title: 'VTEP' },
  { title: 'PEER' },
  { title: 'ORIGIN' },
  { title: 'AGE', right: true },
]
const WHICH = 'stations are kept per network; say which one'

export async function list(flags: Flags): Promise<number> {
  const network = flags.text('network')
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
  const answer = await new Client(flags).ask<{ entries: FdbEntry[] }>('GET', `/v1/fdb${query}`)
  if (flags.on('json')) {
    printJson(answer)
    return DONE
  }
  const rows = answer.entries.map((e) => [
    e.network,
    String(e.vni),
    e.mac,
    e.vtep,
    e.peer ?? '-',
    e.origin,
    e.origin === 'learned' ? span(e.ageSeconds) : '-',
  ])
  print(table(COLUMNS, rows, paintFor(process.stdout)))
  return DONE
}

export async function add(flags: Flags): Promise<number> {
  const body = { network: flags.need('network', WHICH), mac: station(flags), vtep: flags.text('vtep')! }
  const answer = await new Client(flags).ask<object>('POST', '/v1/fdb', body)
  if (flags.on('json')) printJson(answer)
  return DONE
}

export async function del(flags: Flags): Promise<number> {
  const path = [flags.need('network', WHICH), station(flags)].map(encodeURIComponent).join('/')
  const answer = await new Client(flags).ask<object>('DELETE', `/v1/fdb/${path}`)
  if (flags.on('json')) printJson(answer)
  return DONE
}

// A wrong word is told also when there is no agent to tell it.
function station(flags: Flags): string {
  const mac = flags.text('mac')!
  const fault = stationFault(mac)
  if (fault !== null) throw new Failure(USAGE, `mac: ${fault}`)
  return mac
}
