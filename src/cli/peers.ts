// `vtepd peers`: the peers of the running agent.
import type { PeerStatus } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { type Paint, paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { bytes, span } from './units.ts'

type Show = (p: PeerStatus) => string

const COLUMNS: readonly (Column & { readonly show: Show; readonly secure?: boolean })[] = [
  { title: 'PEER', show: (p) => p.name },
  { title: 'ENDPOINT', show: (p) => p.endpoint ?? '-' },
  { title: 'STATE', show: (p) => p.state },
  { title: 'HANDSHAKE', right: true, secure: true, show: (p) => ago(p.lastHandshakeSeconds) },
  { title: 'PATH MTU', right: true, show: (p) => (p.mtu === null ? '-' : String(p.mtu)) },
  { title: 'RX', right: true, show: (p) => bytes(p.rxBytes) },
  { title: 'TX', right: true, show: (p) => bytes(p.txBytes) },
  { title: 'NETWORKS', show: (p) => p.networks.join(' ') },
  { title: 'PUBLIC KEY', secure: true, show: (p) => p.publicKey ?? '-' },
]

export async function peers(flags: Flags): Promise<number> {
  const answer = await new Client(flags).ask<{ peers: PeerStatus[] }>('GET', '/v1/peers')
  if (flags.on('json')) printJson(answer)
  else print(peerTable(answer.peers, paintFor(process.stdout)))
  return DONE
}

/** One line a peer. What plain peers do not have is no column where all are plain. */
export function peerTable(all: readonly PeerStatus[], paint: Paint): string {
  const isSecure = all.some((p) => p.security === 'secure')
  const columns = COLUMNS.filter(({ secure }) => isSecure || !secure)
  const rows = all.map((p) => columns.map(({ show }) => show(p)))
  return table(columns, rows, paint)
}

function ago(seconds: number | null): string {
  return seconds === null ? '-' : `${span(seconds)} ago`
}
