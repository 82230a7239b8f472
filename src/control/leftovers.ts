// Removes what an agent that was killed has left, by its traces: subnet.env, routes by gateways, sockets for wg(8), leases. Nothing
// is touched that is somebody else's by now. Cold.

import { readFileSync, rmSync } from 'node:fs'
import { lstat, unlink } from 'node:fs/promises'
import * as routes from '../host/routes.ts'
import type { Log } from '../log.ts'
import { covers, parseCidr, parsePrefix } from './cidr.ts'
import type { Config } from './config/model.ts'
import { Etcd } from './etcd/etcd.ts'
import { credentialsOf } from './etcd/files.ts'
import { NO_LEASE } from './etcd/kv.ts'
import { GoJsonError } from './flannel/go-json.ts'
import { parseValue } from './flannel/lease.ts'
import { placeOf } from './flannel/place.ts'
import { ignoreMissing, isAlive } from './socket-name.ts'
import type { LeaseTrace, Traces } from './traces.ts'

/** Writes that somebody else may make between our look and our removal. */
const TRIES = 3

/**
 * At the start of an agent: what the one before has left and this one will not take over. Leases are given back behind its back,
 * since the store may be away.
 */
export async function removeStale(traces: Traces, config: Config, log: Log): Promise<void> {
  traces.load()
  const places = config.flannels.map((file) => placeOf(file, config))
  const isGone = (prefix: string): boolean => !places.includes(prefix)
  const warn = (left: readonly string[]): void => {
    for (const line of left) log.warn(line)
  }
  warn([...removeFromHost(traces, isGone), ...(await removeSockets(traces))])
  traces.settle()
  void giveBackLeases(traces, isGone, (line) => log.info(line)).then(warn)
}

/** subnet.env and routes of the networks that `isGone` names. Answers what could not be removed, a line each. */
export function removeFromHost(traces: Traces, isGone: (prefix: string) => boolean): string[] {
  const left: string[] = []
  for (const [prefix, { file, scope }] of traces.networks.filter(([prefix]) => isGone(prefix))) {
    try {
      if (file !== null && read(file.path) === file.text) rmSync(file.path, { force: true })
      traces.note(prefix, { file: null })
    } catch (error) {
      left.push((error as Error).message)
    }
    if (scope.length > 0 && traces.isElsewhere) {
      left.push(
        `routes in ${scope.join(' and ')}: in another network namespace, where vtepd stop --cleanup removes them`,
      )
      continue
    }
    left.push(...removeRoutes(scope))
    traces.note(prefix, { scope: [] })
  }
  return left
}

/** Sockets at which nobody listens any more. Answers like `removeFromHost`. */
export async function removeSockets(traces: Traces): Promise<string[]> {
  const left: string[] = []
  const kept: string[] = []
  for (const path of traces.sockets) {
    try {
      const there = await lstat(path).catch(ignoreMissing)
      if (there?.isSocket() && !(await isAlive(path))) await unlink(path).catch(ignoreMissing)
    } catch (error) {
      kept.push(path)
      left.push((error as Error).message)
    }
  }
  traces.setSockets(kept)
  return left
}

/** Gives back leases of the networks that `isGone` names, while they are as that agent left them. Answers like `removeFromHost`. */
export async function giveBackLeases(
  traces: Traces,
  isGone: (prefix: string) => boolean,
  said: (line: string) => void = () => {},
): Promise<string[]> {
  const left: string[] = []
  for (const [prefix, { lease }] of traces.networks.filter(([prefix]) => isGone(prefix))) {
    if (lease === null) continue
    try {
      if (await giveBack(lease)) said(`the lease ${lease.key} of an agent before is given back`)
      traces.note(prefix, { lease: null })
    } catch (error) {
      const why = (error as Error).message
      left.push(`the lease ${lease.key} stays in the store until it ends, or is deleted: ${why}`)
    }
  }
  return left
}

// False: it is not that agent's any more, or a reservation. Throws StoreError.
async function giveBack({ store: where, key, instance }: LeaseTrace): Promise<boolean> {
  const store = new Etcd({ endpoints: where.endpoints, credentials: () => credentialsOf(where) })
  try {
    for (let left = TRIES; left > 0; left--) {
      const entry = (await store.get(key)).entries[0]
      if (!entry || entry.lease === NO_LEASE || instanceIn(entry.value) !== instance) return false
      if ((await store.commit({ key, expect: entry.modRevision, put: null })).done) return true
    }
    throw new Error('somebody else writes it at the same time')
  } finally {
    store.close()
  }
}

function instanceIn(value: string): string | null {
  try {
    return parseValue(value).mark?.instance ?? null
  } catch (error) {
    if (error instanceof GoJsonError) return null
    throw error
  }
}

function removeRoutes(scope: readonly string[]): string[] {
  if (scope.length === 0) return []
  const prefixes = scope.flatMap((text) => parsePrefix(text) ?? [])
  const ours = ([4, 6] as const)
    .flatMap((family) => routes.list(family, null, routes.PROTOCOL))
    .filter(({ prefix, via }) => via !== null && prefixes.some((all) => covers(all, parseCidr(prefix)!)))
  const codes = routes.change(
    ours.map((r) => ({ verb: 'delete', prefix: r.prefix, way: r, metric: r.metric })),
    null,
  )
  return ours.flatMap(({ prefix }, i) => (codes[i] === null ? [] : [`route ${prefix} stays: ${codes[i]}`]))
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
