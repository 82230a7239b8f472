// `vtepd networks`: the networks of the running agent.
import type { NetworkStatus } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { type Paint, paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { bytes, count } from './units.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'VNI', right: true },
  { title: 'KIND' },
  { title: 'INTERFACE' },
  { title: 'MAC' },
  { title: 'MTU', right: true },
  { title: 'FDB', right: true },
  { title: 'RX', right: true },
  { title: 'TX', right: true },
  { title: 'ADDRESS' },
]

export async function networks(flags: Flags): Promise<number> {
  const answer = await new Client(flags).ask<{ networks: NetworkStatus[] }>('GET', '/v1/networks')
  if (flags.on('json')) printJson(answer)
  else print(networkTable(answer.networks, paintFor(process.stdout)))
  return DONE
}

/** One line a network. */
export function networkTable(all: readonly NetworkStatus[], paint: Paint): string {
  const rows = all.map((n) => [
    n.name,
    n.device === null ? '-' : String(n.vni),
    `${n.device ?? 'routes'} ${n.security}`,
    n.interface ?? '-',
    n.mac ?? '-',
    String(n.mtu),
    count(n.fdbEntries),
    `${count(n.rxPackets)}, ${bytes(n.rxBytes)}`,
    `${count(n.txPackets)}, ${bytes(n.txBytes)}`,
    n.address.join(' '),
  ])
  return table(COLUMNS, rows, paint)
}
