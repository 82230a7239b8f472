// `vtepd status`: the node, its networks and peers, traffic, drops and offloads; with --watch again every second, with rates.
import type { NetworkStatus, Status } from '../control/api/api.ts'
import * as drop from '../drop.ts'
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { networkTable } from './networks.ts'
import { type Paint, paintFor, print, printable, printJson } from './output.ts'
import { peerTable } from './peers.ts'
import { type Column, table } from './table.ts'
import { bitRate, count, packetRate, span } from './units.ts'

/** Milliseconds between two looks. */
const WATCH = 1000
/** Home, and what is below goes once the page is written: no flicker. */
const HOME = '\x1b[H'
const LINE_END = '\x1b[K\n'
const CLEAR_BELOW = '\x1b[J'

const RATES: readonly Column[] = [
  { title: 'NETWORK' },
  { title: 'RX', right: true },
  { title: '', right: true },
  { title: 'TX', right: true },
  { title: '', right: true },
  { title: 'DROPPED', right: true },
]

export async function status(flags: Flags): Promise<number> {
  const client = new Client(flags)
  if (flags.on('watch')) return watch(client, flags)
  const now = await client.ask<Status>('GET', '/v1/status')
  if (flags.on('json')) printJson(now)
  else print(page(now, paintFor(process.stdout)))
  return DONE
}

interface Look {
  readonly status: Status
  /** Milliseconds, monotonic. */
  readonly at: number
}

// Until Ctrl-C, or until the agent is gone.
async function watch(client: Client, flags: Flags): Promise<number> {
  const paint = paintFor(process.stdout)
  const isTerminal = process.stdout.isTTY === true
  if (isTerminal && !flags.on('json')) process.stdout.write('\x1b[2J')
  let before: Look | null = null
  for (;;) {
    const now: Look = { status: await client.ask<Status>('GET', '/v1/status'), at: performance.now() }
    if (flags.on('json')) printJson(now.status)
    else {
      const text = `${page(now.status, paint)}${before ? rates(before, now, paint) : ''}`
      print(isTerminal ? `${HOME}${text.replaceAll('\n', LINE_END)}${CLEAR_BELOW}` : `${text}\n`)
    }
    before = now
    await new Promise((resolve) => setTimeout(resolve, WATCH))
  }
}

/** What a person reads: most important first, nothing that is as it should be at length. */
export function page(s: Status, paint: Paint): string {
  const state = s.ready ? paint('green', 'ready') : paint('yellow', 'not ready')
  const head = `${paint('bold', printable(s.node))} ${state}, vtepd ${s.version}, pid ${s.pid}, up ${span(s.uptimeSeconds)}\n`
  return [
    head,
    undesired(s, paint),
    networkTable(s.networks, paint),
    peerTable(s.peers, paint),
    drops(s, paint),
    offloads(s),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function drops(s: Status, paint: Paint): string {
  const rows = Object.entries(s.drops)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => [reason, count(n), sentenceOf(reason)])
  if (rows.length === 0) return 'Nothing dropped.\n'
  return table([{ title: 'DROPPED' }, { title: 'PACKETS', right: true }, { title: 'BECAUSE' }], rows, paint)
}

// An agent of another version may have reasons that we do not know.
function sentenceOf(reason: string): string {
  const row = drop.names().indexOf(reason)
  return row < 0 ? '' : drop.sentence(drop.TRUNCATED - row)
}

function offloads(s: Status): string {
  const parts = Object.entries(s.offloads).map(([name, state]) => printable(`${name} ${state}`))
  return parts.length === 0 ? '' : `Offloads: ${parts.join(', ')}\n`
}

function undesired(s: Status, paint: Paint): string {
  if (s.undesired.length === 0) return ''
  const lines = s.undesired.map((u) => printable(`  ${u.where}: ${u.what} is ${u.have}, should be ${u.want}`))
  return `${paint('red', 'Not as it should be:')}\n${lines.join('\n')}\n`
}

/** Traffic between two looks, a second. Empty when another agent answers now. */
export function rates(before: Look, now: Look, paint: Paint): string {
  const seconds = (now.at - before.at) / 1000
  if (before.status.pid !== now.status.pid || seconds <= 0) return ''
  const rows = now.status.networks.flatMap((n) => {
    const old = before.status.networks.find((o) => o.name === n.name && o.vni === n.vni)
    return old ? [[n.name, ...rate(old, n, 'rx', seconds), ...rate(old, n, 'tx', seconds)]] : []
  })
  const dropped = (sum(now.status.drops) - sum(before.status.drops)) / seconds
  rows.push(['all', '', '', '', '', packetRate(Math.max(0, dropped))])
  return `\n${table(RATES, rows, paint)}`
}

function rate(old: NetworkStatus, now: NetworkStatus, way: 'rx' | 'tx', seconds: number): string[] {
  const bytes = Math.max(0, now[`${way}Bytes`] - old[`${way}Bytes`])
  const packets = Math.max(0, now[`${way}Packets`] - old[`${way}Packets`])
  return [bitRate(bytes / seconds), packetRate(packets / seconds)]
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, n) => all + n, 0)
}
