// Real etcd servers for tests and the bench: on loopback, ports of the system's choice, data in a temporary directory; killed and
// gone at the end. Short heartbeats make a leader within a moment.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finish, start } from './command.ts'

/** A directory for data, to be removed by the caller. In memory: etcd waits for the disk at every write, and that may be busy. */
export function etcdDir(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vtepd-etcd-'))
}

export interface EtcdTls {
  readonly ca: string
  /** The server's. */
  readonly cert: string
  readonly key: string
  /** Clients must show one, too: this. */
  readonly client: { readonly cert: string; readonly key: string }
}

export class EtcdServer {
  readonly endpoint: string
  private readonly args: readonly string[]
  private readonly dir: string
  private readonly tls: EtcdTls | null
  private child: ChildProcess | null = null
  private said = ''

  private constructor(endpoint: string, args: readonly string[], dir: string, tls: EtcdTls | null) {
    this.endpoint = endpoint
    this.args = args
    this.dir = dir
    this.tls = tls
  }

  static async start(tls: EtcdTls | null = null): Promise<EtcdServer> {
    const [server] = await EtcdServer.cluster(1, tls)
    return server!
  }

  /** A cluster, ready. */
  static async cluster(size: number, tls: EtcdTls | null = null): Promise<EtcdServer[]> {
    const ports = await freePorts(size * 2)
    const peers = Array.from({ length: size }, (_, i) => `http://127.0.0.1:${ports[i]}`)
    const cluster = peers.map((url, i) => `m${i}=${url}`).join(',')
    const servers = peers.map((peer, i) => {
      const dir = etcdDir()
      const client = `${tls ? 'https' : 'http'}://127.0.0.1:${ports[size + i]}`
      const args = [
        ...['--name', `m${i}`, '--data-dir', join(dir, 'data'), '--initial-cluster', cluster],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--heartbeat-interval', '50', '--election-timeout', '500', '--grpc-keepalive-min-time', '100ms'],
        ...['--logger', 'zap', '--log-level', 'warn'],
        ...(tls ? ['--cert-file', tls.cert, '--key-file', tls.key] : []),
        ...(tls ? ['--client-cert-auth', '--trusted-ca-file', tls.ca] : []),
      ]
      return new EtcdServer(client, args, dir, tls)
    })
    try {
      for (const server of servers) server.spawn()
      await Promise.all(servers.map((server) => server.ready()))
    } catch (error) {
      for (const server of servers) server.remove()
      throw error
    }
    return servers
  }

  /** etcdctl against this server. Resolves to what it printed. */
  async ctl(...args: string[]): Promise<string> {
    const { tls: own } = this
    const tls = own ? ['--cacert', own.ca, '--cert', own.client.cert, '--key', own.client.key] : []
    const command = ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', this.endpoint, ...tls, ...args]
    return (await finish(start(command), command)).stdout.trim()
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(name)
  }

  /** As by kill -9; the data stays. */
  async kill(): Promise<void> {
    const child = this.child
    this.child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** All is forgotten, as by a restore of an empty backup. */
  async wipe(): Promise<void> {
    await this.kill()
    rmSync(join(this.dir, 'data'), { recursive: true })
    await this.restart()
  }

  async restart(): Promise<void> {
    await this.kill()
    this.spawn()
    await this.ready()
  }

  /** Killed if it runs, and its data gone. */
  remove(): void {
    this.child?.kill('SIGKILL')
    this.child = null
    rmSync(this.dir, { recursive: true, force: true })
  }

  private spawn(): void {
    const arch = process.arch === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {}
    const env = { PATH: process.env['PATH'], ...arch }
    const child = spawn('etcd', this.args, { stdio: ['ignore', 'ignore', 'pipe'], env })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-2000)
    })
    this.child = child
  }

  private async ready(): Promise<void> {
    const until = Date.now() + 20_000
    for (;;) {
      try {
        await this.ctl('get', 'ready')
        return
      } catch (error) {
        // With users it lets nobody in so, and is ready all the same.
        if (/user name is empty/.test(String(error))) return
        if (Date.now() > until || this.child?.exitCode !== null)
          throw new Error(`etcd is not ready: ${this.said || error}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
