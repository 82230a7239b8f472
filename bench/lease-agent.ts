// A whole agent in a flannel network, for leases.ts: started by it in a namespace without anything, makes the underlay, an etcd with
// so many leases and the agent there, and prints what the agent cost. Arguments: leases, seconds of changes, a directory.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { built } from '../src/lab/built.ts'
import { PREFIX, Store } from './lease-crowd.ts'
import { cpuSeconds, residentBytes } from './proc.ts'

const ADDRESS = '198.19.255.1'
/** Milliseconds between two looks. */
const LOOK = 10

export interface AgentSize {
  readonly leases: number
  /** From the process's start until it says that it is ready: every member has a place and a route. */
  readonly readySeconds: number
  readonly readyResidentBytes: number
  readonly churn: { readonly perSecond: number; readonly cpuShare: number; readonly bytesPerSecond: number }
  readonly residentBytes: number
  /** From the end of a lost host's lease until the host has no route to it. */
  readonly goneSeconds: number
}

async function measure(count: number, seconds: number, dir: string): Promise<AgentSize> {
  // Every member's address is on this link, so that each has a path.
  for (const words of [
    'link set lo up',
    'link add under0 type veth peer name under1',
    `addr add ${ADDRESS}/15 dev under0`,
    'link set under1 up',
    'link set under0 up',
  ]) {
    ip(words)
  }
  const store = await Store.open(count)
  const { wire, crowd } = store
  let agent: ChildProcess | null = null
  try {
    await crowd.fill()
    const begin = performance.now()
    agent = start(dir, wire.endpoint)
    while (!(await isReady(dir))) await pause(LOOK)
    const readySeconds = (performance.now() - begin) / 1000
    const pid = agent.pid!
    const routes = ip('route').split('proto 118').length - 1
    if (routes !== count) throw new Error(`the agent has routes to ${routes} of ${count}`)
    const readyResidentBytes = residentBytes(pid)
    const before = { cpu: cpuSeconds(pid), bytes: wire.bytes }
    const { perSecond, took } = await crowd.churn(seconds)
    const churn = {
      perSecond,
      cpuShare: (cpuSeconds(pid) - before.cpu) / took,
      bytesPerSecond: (wire.bytes - before.bytes) / took,
    }
    const resident = residentBytes(pid)
    return {
      leases: count,
      readySeconds,
      readyResidentBytes,
      churn,
      residentBytes: resident,
      goneSeconds: await gone(crowd),
    }
  } finally {
    if (agent) await end(agent)
    store.close()
  }
}

function start(dir: string, endpoint: string): ChildProcess {
  const file = join(dir, 'vtepd.yaml')
  const config = {
    node: 'bench',
    underlay: { address: ADDRESS },
    control: { etcd: { endpoints: [endpoint], prefix: PREFIX } },
    networks: { pods: { type: 'flannel', security: 'plain' } },
    firewall: 'off',
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const words = [built('main.js'), 'up', '-q', '-c', file, '--runtime-dir', dir, '--state-dir', dir]
  return spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function end(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null) return
  agent.kill('SIGTERM')
  await once(agent, 'exit')
}

async function gone(crowd: Store['crowd']): Promise<number> {
  const isRouted = (): boolean => ip(`route show ${crowd.visitor}`) !== ''
  const end = await crowd.visit()
  while (!isRouted()) await pause(LOOK)
  while (isRouted()) await pause(LOOK)
  return (performance.now() - end) / 1000
}

function isReady(dir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: join(dir, 'vtepd.sock'), path: '/readyz' }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.once('error', () => resolve(false))
    asked.end()
  })
}

function ip(words: string): string {
  return execFileSync('ip', words.split(' '), { encoding: 'utf8', maxBuffer: 1 << 26 })
}

const [count, seconds, dir] = process.argv.slice(2) as [string, string, string]
process.stdout.write(JSON.stringify(await measure(Number(count), Number(seconds), dir)))
