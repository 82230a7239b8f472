// A host of a lab with directories of its own, on which people type vtepd's commands: no agent until one of them starts it.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join, relative } from 'node:path'
import type { Status } from '../../src/control/api/api.ts'
import { built } from '../../src/lab/built.ts'
import { CommandError, type Result } from '../../src/lab/command.ts'
import type { Host } from '../../src/lab/lab.ts'
import { until } from './overlay.ts'

export interface Said extends Result {
  readonly code: number | null
}

export class Site {
  readonly host: Host
  readonly dir: string

  constructor(host: Host) {
    this.host = host
    this.dir = join(host.lab.dir, host.name)
    mkdirSync(this.dir, { recursive: true })
    host.lab.beforeClose(() => this.stop())
  }

  /** `vtepd …`, as it is typed: what it says, and how it ends. */
  async type(...words: string[]): Promise<Said> {
    try {
      return { code: 0, ...(await this.host.run(this.command(...words), 60_000)) }
    } catch (error) {
      if (error instanceof CommandError) return { code: error.exitCode, stdout: error.stdout, stderr: error.stderr }
      throw error
    }
  }

  /** The same when it must end well: stdout. */
  async vtepd(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.type(...words)
    if (code !== 0) throw new Error(`vtepd ${words.join(' ')} on ${this.host.name} ended with ${code}: ${stderr}`)
    return stdout
  }

  command(...words: string[]): string[] {
    const places = [
      '--config-dir',
      this.path('etc'),
      '--runtime-dir',
      this.path('run'),
      '--state-dir',
      this.path('lib'),
    ]
    return [process.execPath, built('main.js'), ...words, ...places]
  }

  /** `vtepd up` with the hand-written file `vtepd.yaml`, in the background; resolves when it is ready. */
  async up(config?: object): Promise<void> {
    if (config) this.write('etc/vtepd.yaml', JSON.stringify(config, null, 2))
    const child = this.host.spawn(this.command('up'), { stdio: 'ignore' })
    child.once('exit', () => {})
    await until(
      `an agent on ${this.host.name}`,
      () => this.status().catch(() => null),
      (s) => s?.ready === true,
    )
  }

  status(): Promise<Status> {
    return this.ask<Status>('GET', '/v1/status')
  }

  // What `vtepd stop` does, if an agent runs.
  private async stop(): Promise<void> {
    const door = this.path('run/vtepd.sock')
    if (!existsSync(door)) return
    await this.ask('POST', '/v1/stop').catch(() => {})
    await until(
      `the end of the agent on ${this.host.name}`,
      () => existsSync(door),
      (there) => !there,
    )
  }

  /** Whether an agent answers. */
  runs(): Promise<boolean> {
    return this.status().then(
      () => true,
      () => false,
    )
  }

  // At its socket, which is no process to start.
  private ask<T>(method: string, path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.path('run/vtepd.sock'), method, path, agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
        response.once('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))))
      })
      sent.once('error', reject)
      sent.end()
    })
  }

  path(name: string): string {
    return join(this.dir, name)
  }

  write(name: string, text: string): string {
    const path = this.path(name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** Every file below a directory of it, with its mode; [] when there is none. */
  files(name: string): string[] {
    const root = this.path(name)
    if (!existsSync(root)) return []
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((f) => f.isFile())
      .map((f) => join(f.parentPath, f.name))
      .map((path) => `${relative(root, path)} ${(statSync(path).mode & 0o777).toString(8)}`)
      .sort()
  }
}
