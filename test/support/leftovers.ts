// Fails the run when something that a test made outlives it: a namespace or device called vtepd-…, a device with an agent's
// default name (vt42), or an agent's process.
// What was there before the run is not ours and is left alone.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const NAMESPACES = '/run/netns'
const DEVICES = '/sys/class/net'
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** Processes that were told to end may take this long. */
const PATIENCE_MS = 5000
const POLL_MS = 50

let before = new Set<string>()

export function setup(): void {
  before = new Set(found())
}

export async function teardown(): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  let left = found().filter((thing) => !before.has(thing))
  while (left.length > 0 && performance.now() < end) {
    await pause(POLL_MS)
    left = found().filter((thing) => !before.has(thing))
  }
  if (left.length === 0) return
  process.exitCode = 1
  throw new Error(`left behind by the tests:\n  ${left.join('\n  ')}`)
}

function found(): string[] {
  return [...named(NAMESPACES, 'namespace'), ...named(DEVICES, 'device'), ...processes()]
}

function named(dir: string, kind: string): string[] {
  return list(dir)
    .filter((name) => /^(vtepd-.*|vt\d+)$/.test(name))
    .map((name) => `${kind} ${name}`)
}

/** Processes that run something of this tree: an agent, a helper of a test; not vitest and its parents. */
function processes(): string[] {
  const own = ancestors()
  return list('/proc')
    .filter((pid) => /^\d+$/.test(pid) && !own.has(pid))
    .map((pid) => [pid, commandLine(pid)] as const)
    .filter(([, command]) => command.includes(`${ROOT}/dist/`) || command.includes(`${ROOT}/test/`))
    .filter(([, command]) => !command.includes('node_modules/vitest'))
    .map(([pid, command]) => `process ${pid}: ${command}${cwd(pid)}`)
}

function ancestors(): Set<string> {
  const pids = new Set<string>()
  let pid = String(process.pid)
  while (pid !== '0' && !pids.has(pid)) {
    pids.add(pid)
    const stat = read(`/proc/${pid}/stat`)
    pid = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '0'
  }
  return pids
}

function commandLine(pid: string): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
}

function cwd(pid: string): string {
  try {
    return ` (in ${readlinkSync(`/proc/${pid}/cwd`)})`
  } catch {
    return ''
  }
}

// What vanishes between listing and reading is gone, which is what we want to know.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
