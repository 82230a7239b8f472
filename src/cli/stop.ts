// `vtepd stop`: asks the agent to end and waits until its socket is gone, which is the last thing that it cleans up.
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Firewall } from '../control/firewall/firewall.ts'
import { ToolError } from '../host/firewall.ts'
import { NO_LOG } from '../log.ts'
import { Client } from './client.ts'
import { DONE, FAILED, Failure, NOT_PERMITTED, NOT_RUNNING } from './exit.ts'
import type { Flags } from './flags.ts'
import { printJson } from './output.ts'

/** Milliseconds: longer than the 10 s that `up` gives itself. */
const PATIENCE = 15_000
const POLL = 25
const TRACES = 'traces.json'

export async function stop(flags: Flags): Promise<number> {
  const client = new Client(flags)
  const pid = await ask(client, flags.on('cleanup'))
  if (pid !== null) await gone(client, pid)
  if (flags.on('cleanup')) await removeLeftovers(client)
  if (flags.on('json')) printJson({ schema: 1, pid })
  return DONE
}

// The agent's pid; null when there is none and that is all right.
async function ask(client: Client, cleanup: boolean): Promise<number | null> {
  try {
    return (await client.ask<{ pid: number }>('POST', cleanup ? '/v1/stop?release=true' : '/v1/stop')).pid
  } catch (error) {
    if (cleanup && error instanceof Failure && error.exitCode === NOT_RUNNING) return null
    throw error
  }
}

async function gone(client: Client, pid: number): Promise<void> {
  const until = performance.now() + PATIENCE
  while (await client.alive()) {
    if (performance.now() > until) {
      throw new Failure(
        FAILED,
        `the agent (pid ${pid}) is still cleaning up after ${PATIENCE / 1000} s; its log says why`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, POLL))
  }
}

// Devices go with the process; the rest of a killed agent stays (control/traces.ts). Whoever still answers is left alone.
async function removeLeftovers(client: Client): Promise<void> {
  if (await client.alive()) return
  const names: string[] = await readdir(client.runtimeDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    if (/^(vtepd\.sock(\.[0-9a-f]{8}~?)?|\.subnet-[0-9a-f]{12}|subnet\.env|traces\.json~)$/.test(name)) {
      await unlink(join(client.runtimeDir, name))
    }
  }
  const left = [
    ...(names.includes(TRACES) ? await removeTraces(client.runtimeDir) : []),
    ...(await removeRules(client)),
  ]
  if (left.length === 0) return
  const isForbidden = left.some((line) => /not permitted|permission denied|EACCES|EPERM/i.test(line))
  throw new Failure(isForbidden ? NOT_PERMITTED : FAILED, 'something of a killed agent is left', left)
}

async function removeTraces(runtimeDir: string): Promise<string[]> {
  // With what speaks to a store, which hardly anybody needs here.
  const [{ Traces }, leftovers] = await Promise.all([import('../control/traces.ts'), import('../control/leftovers.ts')])
  const left: string[] = []
  const traces = new Traces(runtimeDir, (line) => left.push(line))
  traces.load()
  const all = (): boolean => true
  left.push(...leftovers.removeFromHost(traces, all), ...(await leftovers.removeSockets(traces)))
  return [...left, ...(await leftovers.giveBackLeases(traces, all))]
}

async function removeRules({ runtimeDir }: Client): Promise<string[]> {
  try {
    await new Firewall(runtimeDir, NO_LOG).removeLeftovers()
    return []
  } catch (error) {
    if (error instanceof ToolError) return [`host rules may be: ${error.message}`]
    throw error
  }
}
