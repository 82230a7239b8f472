// Starts the agent for good, for commands that need one from now on: by systemd where that runs and has our unit, else as a process
// of its own. Resolves when it is ready.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { makeDirectory } from '../control/directory.ts'
import { packageRoot } from '../version.ts'
import { Client } from './client.ts'
import { configPlace } from './config-place.ts'
import { DEFAULT_FILE } from './config-source.ts'
import { FAILED, Failure } from './exit.ts'
import type { Flags } from './flags.ts'

const UNIT = 'vtepd.service'
/** What a service manager tells the process that it has started. */
const MANAGER = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']
const PLACES = ['config', 'config-dir', 'runtime-dir', 'state-dir']
/** Milliseconds until it must answer, until it should be ready, and between two looks. */
const ANSWERS = 15_000
const READY = 5000
const LOOK = 50
/** Characters of its log that are shown when it ends at once. */
const LOG_SHOWN = 2000

export interface Started {
  readonly by: 'systemd' | 'background'
  /** null: systemd knows. */
  readonly pid: number | null
  readonly log: string | null
}

/** Throws Failure when it does not come up. */
export async function startAgentForGood(flags: Flags): Promise<Started> {
  return hasUnit(flags) ? bySystemd() : inBackground(flags)
}

/** For people: what has been started. */
export function startedText({ by, pid, log }: Started): string {
  if (by === 'systemd') return `started the agent by systemd, now and at every boot (${UNIT})`
  return `started the agent (pid ${pid}, log ${log}); config/vtepd.service is for starting it at boot`
}

// The unit has the usual places.
function hasUnit(flags: Flags): boolean {
  if (!existsSync('/run/systemd/system') || PLACES.some((name) => flags.origin(name) !== null)) return false
  return spawnSync('systemctl', ['cat', UNIT], { stdio: 'ignore' }).status === 0
}

function bySystemd(): Started {
  const { status, stderr, error } = spawnSync('systemctl', ['enable', '--now', UNIT], { encoding: 'utf8' })
  if (status === 0) return { by: 'systemd', pid: null, log: null }
  const why = error?.message ?? stderr.trim()
  throw new Failure(FAILED, `the agent does not start: ${why}; \`journalctl -u ${UNIT}\` says more`)
}

async function inBackground(flags: Flags): Promise<Started> {
  const runtimeDir = resolve(flags.runtimeDir)
  const log = join(runtimeDir, 'vtepd.log')
  makeDirectory(runtimeDir)
  const fd = openSync(log, 'a', 0o640)
  const { main } = configPlace(flags)
  const places = ['--runtime-dir', runtimeDir, '--state-dir', resolve(flags.stateDir)]
  const child = spawn(process.execPath, [...process.execArgv, join(packageRoot, 'dist/main.js'), 'up', ...places], {
    detached: true,
    // It must not keep a file system busy.
    cwd: '/',
    stdio: ['ignore', fd, fd],
    env: { ...agentEnvironment(process.env), ...(main === DEFAULT_FILE ? {} : { VTEPD_CONFIG: main }) },
  })
  closeSync(fd)
  let ended: string | null = null
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? code}`
  })
  child.unref()
  const client = new Client(flags)
  const start = performance.now()
  for (;;) {
    if (ended !== null) throw new Failure(FAILED, `the agent does not start: ${ended}; its log is ${log}`, tail(log))
    const spent = performance.now() - start
    const state = await stateOf(client)
    if (state === 'ready' || (state === 'answers' && spent > READY)) return { by: 'background', pid: child.pid!, log }
    if (state === 'silent' && spent > ANSWERS) {
      child.kill('SIGTERM')
      throw new Failure(FAILED, `the agent does not answer within ${ANSWERS / 1000} s; its log is ${log}`, tail(log))
    }
    await pause(LOOK)
  }
}

async function stateOf(client: Client): Promise<'ready' | 'answers' | 'silent'> {
  try {
    const { ready } = await client.ask<{ ready: boolean }>('GET', '/v1/status')
    return ready ? 'ready' : 'answers'
  } catch {
    return 'silent'
  }
}

function tail(log: string): string[] {
  const text = readFileSync(log, 'utf8').slice(-LOG_SHOWN)
  return text.trim().split('\n').slice(-5)
}

/**
 * The environment of an agent that goes on by itself: without flags of ours, which are not meant for `up`, and without the
 * words between a service manager and whom it has started (sd_notify(3), sd_watchdog_enabled(3)), which is not the agent.
 */
export function agentEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('VTEPD') && !MANAGER.includes(name)),
  )
}
