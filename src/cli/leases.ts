// `vtepd leases`: the members of flannel networks as the store has them, and what became of each here.
import type { LeaseRow } from '../control/api/api.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { type Paint, paintFor, print, printJson } from './output.ts'
import { type Column, table } from './table.ts'
import { span } from './units.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'SUBNET' },
  { title: 'PUBLIC' },
  { title: 'BACKEND' },
  { title: 'MAC' },
  { title: 'EXPIRES', right: true },
  { title: 'STATE' },
]

export async function leases(flags: Flags): Promise<number> {
  const network = flags.text('network')
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
  const answer = await new Client(flags).ask<{ leases: LeaseRow[] }>('GET', `/v1/leases${query}`)
  if (flags.on('json')) printJson(answer)
  else print(leaseTable(answer.leases, paintFor(process.stdout)))
  return DONE
}

/** One line a lease. */
export function leaseTable(all: readonly LeaseRow[], paint: Paint): string {
  const rows = all.map((lease) => [
    lease.network,
    both(lease.subnet, lease.subnet6),
    both(lease.publicIp, lease.publicIpv6),
    lease.backend ?? '-',
    lease.vtepMac ?? '-',
    lease.expiresSeconds === null ? 'never' : span(lease.expiresSeconds),
    `${lease.own ? 'own, ' : ''}${stateText(lease)}`,
  ])
  return table(COLUMNS, rows, paint)
}

function stateText({ state, reason }: LeaseRow): string {
  return reason === undefined ? state : `${state}: ${reason}`
}

function both(first: string | null, second: string | null): string {
  return [first, second].filter((text) => text !== null).join(' ') || '-'
}
