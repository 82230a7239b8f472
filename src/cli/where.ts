// `vtepd where WHAT`: all that is known of an address, a MAC or an interface, and where each fact was learned.
import type { Found } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE, FAILED } from './exit.ts'
import type { Flags } from './flags.ts'
import { type Paint, paintFor, print, printable, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { span } from './units.ts'

const COLUMNS: readonly (Column & { readonly show: (f: Found) => string | number | null })[] = [
  { title: 'KIND', show: (f) => f.kind },
  { title: 'NETWORK', show: (f) => f.network },
  { title: 'VNI', right: true, show: (f) => f.vni },
  { title: 'IP', show: (f) => f.ip },
  { title: 'MAC', show: (f) => f.mac },
  { title: 'PREFIX', show: (f) => f.prefix },
  { title: 'VTEP', show: (f) => f.vtep },
  { title: 'PEER', show: (f) => f.peer },
  { title: 'VIA', show: (f) => f.via },
  { title: 'DEVICE', show: (f) => f.device },
  { title: 'BRIDGE', show: (f) => f.bridge },
  { title: 'VETH PEER', show: (f) => f.vethPeer },
  { title: 'NAMESPACE', show: (f) => f.netns },
  { title: 'ORIGIN', show: (f) => (f.origin === 'learned' ? `learned ${span(f.ageSeconds ?? 0)} ago` : f.origin) },
]

export async function where(flags: Flags): Promise<number> {
  const what = flags.text('what')!
  const answer = await new Client(flags).ask<{ found: Found[] }>('GET', `/v1/where?what=${encodeURIComponent(what)}`)
  if (flags.on('json')) printJson(answer)
  else if (answer.found.length > 0) print(foundTable(answer.found, paintFor(process.stdout)))
  else process.stderr.write(`vtepd: nothing is known here of ${printable(what)}\n`)
  return answer.found.length > 0 ? DONE : FAILED
}

/** A line a fact; columns that say nothing are left out. */
export function foundTable(all: readonly Found[], paint: Paint): string {
  const columns = COLUMNS.filter(({ show }) => all.some((f) => show(f) !== null))
  const rows = all.map((f) => columns.map(({ show }) => String(show(f) ?? '-')))
  return table(columns, rows, paint)
}
