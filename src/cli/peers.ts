// `vtepd peers`: the peers of the running agent.
import type { PeerStatus } from '../control/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { type Paint, paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { bytes } from './units.ts'

const COLUMNS: readonly Column[] = [
  { title: 'PEER' },
  { title: 'ENDPOINT' },
  { title: 'STATE' },
  { title: 'PATH MTU', right: true },
  { title: 'RX', right: true },
  { title: 'TX', right: true },
  { title: 'NETWORKS' },
]

export async function peers(flags: Flags): Promise<number> {
  const answer = await new Client(flags).ask<{ peers: PeerStatus[] }>('GET', '/v1/peers')
  if (flags.on('json')) printJson(answer)
  else print(peerTable(answer.peers, paintFor(process.stdout)))
  return DONE
}

/** One line a peer. */
export function peerTable(all: readonly PeerStatus[], paint: Paint): string {
  const rows = all.map((p) => [
    p.name,
    p.endpoint ?? '-',
    p.state,
    p.mtu === null ? '-' : String(p.mtu),
    bytes(p.rxBytes),
    bytes(p.txBytes),
    p.networks.join(' '),
  ])
  return table(COLUMNS, rows, paint)
}
