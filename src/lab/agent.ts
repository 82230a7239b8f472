// A real agent on a lab's host: `vtepd up` as a process of its own, started with a file and asked over its Unix socket.
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { built } from './built.ts'
import type { Host } from './lab.ts'

/** Milliseconds until an agent must be ready, must have stopped, must have answered; and between two questions. */
const READY = 30_000
const STOPPED = 20_000
const ANSWER = 15_000
/** A reload may wait for a store. */
const RELOADED = 30_000
const LOOK = 20
/** Characters of the log that are kept for an error message. */
const LOG_MAX = 64 * 1024
/** Its sockets for wg(8) are called after interfaces, as those of other agents on this machine are: a place of its own for them. */
const WITH_OWN_RUN = [
  'sh',
  '-c',
  'd=/var/run/wireguard; mkdir -p $d 2>/dev/null && mount -t tmpfs tmpfs $d; exec "$@"',
  'sh',
]

export interface AgentOptions {
  /** Count CPU time inside native calls; costs a little. */
  readonly profile?: boolean
  /** Keep its sockets for wg(8) out of everybody's sight: they collide with nobody's, and go with it however it ends. */
  readonly ownRun?: boolean
}

/** Starts an agent with a configuration in the file's shape; resolves when it is ready. It stops with the lab. */
export async function startAgent(host: Host, config: object, options: AgentOptions = {}): Promise<LabAgent> {
  const dir = join(host.lab.dir, host.name)
  mkdirSync(dir, { recursive: true })
  // JSON is YAML.
  const file = join(dir, 'vtepd.yaml')
  writeFileSync(file, JSON.stringify({ node: host.name, ...config }, null, 2), { mode: 0o600 })
  const env = options.profile ? { ...process.env, VTEPD_PROFILE: '1' } : process.env
  const command = [process.execPath, built('main.js'), 'up', '-c', file, '--runtime-dir', dir, '--state-dir', dir]
  const agent = new LabAgent(host, host.spawn([...(options.ownRun ? WITH_OWN_RUN : []), ...command], { env }), dir)
  host.lab.beforeClose(() => agent.stop())
  await agent.untilReady()
  return agent
}

export class LabAgent {
  readonly host: Host
  readonly runtimeDir: string
  private readonly child: ChildProcess
  private readonly ended: Promise<void>
  private log = ''
  private running = true

  constructor(host: Host, child: ChildProcess, runtimeDir: string) {
    this.host = host
    this.child = child
    this.runtimeDir = runtimeDir
    const keepLog = (text: string): void => {
      this.log = (this.log + text).slice(-LOG_MAX)
    }
    child.stdout!.setEncoding('utf8').on('data', keepLog)
    child.stderr!.setEncoding('utf8').on('data', keepLog)
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => keepLog(String(error)))
      child.once('close', () => {
        this.running = false
        resolve()
      })
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  get alive(): boolean {
    return this.running
  }

  /** What it has logged. */
  get stderr(): string {
    return this.log
  }

  async untilReady(): Promise<void> {
    const end = performance.now() + READY
    while (performance.now() < end) {
      if (!this.running) {
        throw new Error(`the agent on ${this.host.name} ended with ${this.child.exitCode}: ${said(this.log)}`)
      }
      const answer = await this.ask('GET', '/readyz').catch(() => null)
      if (answer?.status === 200) return
      await pause(LOOK)
    }
    await this.stop()
    throw new Error(`the agent on ${this.host.name} was not ready within ${READY / 1000} s: ${said(this.log)}`)
  }

  /** JSON behind a path of its socket, /v1/status for one. */
  get<T>(path: string): Promise<T> {
    return this.answer<T>('GET', path)
  }

  /** What stands behind a path that is not JSON, /metrics for one. */
  text(path: string): Promise<string> {
    return this.answered('GET', path)
  }

  /** Has it read its file again; resolves when that is in force. */
  async reload(): Promise<void> {
    await this.answer('POST', '/v1/reload', RELOADED)
  }

  /** SIGTERM, and SIGKILL when that takes too long. Throws when it did not end in good order. */
  async stop(): Promise<void> {
    if (!this.running) return
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOPPED)
    await this.ended
    clearTimeout(timer)
    const { exitCode, signalCode } = this.child
    if (exitCode === 0) return
    throw new Error(
      `the agent on ${this.host.name} ended with ${exitCode ?? signalCode} when told to: ${said(this.log)}`,
    )
  }

  private async answer<T>(method: string, path: string, patience?: number): Promise<T> {
    return JSON.parse(await this.answered(method, path, patience)) as T
  }

  private async answered(method: string, path: string, patience?: number): Promise<string> {
    const { status, text } = await this.ask(method, path, patience)
    if (status === 200) return text
    throw new Error(`the agent on ${this.host.name} answers ${method} ${path} with ${status}: ${text}`)
  }

  private ask(method: string, path: string, timeout = ANSWER): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.runtimeDir, 'vtepd.sock')
      const sent = request({ socketPath, method, path, agent: false, timeout }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
        response.once('end', () => resolve({ status: response.statusCode!, text }))
        response.once('error', reject)
      })
      sent.once('timeout', () => sent.destroy(new Error(`no answer from ${socketPath} within ${timeout / 1000} s`)))
      sent.once('error', reject)
      sent.end()
    })
  }
}

function said(log: string): string {
  return log.trim() || 'it said nothing'
}
