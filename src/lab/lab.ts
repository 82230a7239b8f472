// Hosts on one machine: network namespaces `vtepd-<pid>-<host>` joined by an underlay of veth pairs. A lab leaves nothing
// behind, however its process ends (kill -9 apart): what it starts it ends, what it makes it removes.
//
//   two hosts   a eth0 ──── eth0 b          more   a eth0 ── br0 of host `switch` ── eth0 b, c, …
//
// Needs root, or a user namespace with /run/netns of its own (cli/demo.ts does that). ip-netns(8), veth(4).
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { finish, type Result, start, withPath } from './command.ts'

/** Name of a host's interface towards the underlay. */
export const UNDERLAY = 'eth0'
const SWITCH = 'switch'
const BRIDGE = 'br0'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Milliseconds that a killed process may take to end, and between two looks at it. */
const DEATH = 2000
const LOOK = 2

export interface End {
  readonly host: Host
  /** Addresses with their prefix lengths. */
  readonly addresses: readonly string[]
}

let labs = 0

export class Lab {
  readonly id: string
  /** For configurations and sockets; removed with the lab. */
  readonly dir: string
  private readonly hosts: Host[] = []
  private readonly children = new Set<ChildProcess>()
  private readonly closers: (() => Promise<void>)[] = []
  private readonly onExit = (): void => this.destroy()
  private readonly onSignal = (signal: NodeJS.Signals): void => {
    this.destroy()
    process.exit(128 + constants.signals[signal])
  }
  private destroyed = false

  constructor() {
    labs++
    this.id = labs === 1 ? String(process.pid) : `${process.pid}.${labs}`
    this.dir = mkdtempSync(join(tmpdir(), `vtepd-lab-${this.id}-`))
    process.on('exit', this.onExit)
    for (const signal of SIGNALS) process.on(signal, this.onSignal)
  }

  /** A new host with its loopback up. */
  async host(name: string): Promise<Host> {
    const host = new Host(this, name)
    this.hosts.push(host)
    await this.run(['ip', 'netns', 'add', host.namespace])
    await host.ip('link', 'set', 'lo', 'up')
    return host
  }

  /** Joins hosts by one underlay: a veth pair between two, a bridge between more. Links are up when it resolves. */
  async connect(ends: readonly End[], mtu = 1500): Promise<void> {
    if (ends.length === 2) {
      await this.pair(ends[0]!.host, UNDERLAY, ends[1]!.host, UNDERLAY)
    } else {
      const hub = await this.host(SWITCH)
      await hub.ip('link', 'add', BRIDGE, 'type', 'bridge')
      await hub.ip('link', 'set', BRIDGE, 'mtu', String(mtu), 'up')
      for (const [i, { host }] of ends.entries()) {
        const port = `port${i}`
        await this.pair(host, UNDERLAY, hub, port)
        await hub.ip('link', 'set', port, 'mtu', String(mtu), 'master', BRIDGE, 'up')
      }
    }
    for (const { host, addresses } of ends) {
      for (const address of addresses) {
        // nodad: an IPv6 address can be bound at once.
        const flags = address.includes(':') ? ['nodad'] : []
        await host.ip('addr', 'add', address, 'dev', UNDERLAY, ...flags)
      }
      await host.ip('link', 'set', UNDERLAY, 'mtu', String(mtu), 'up')
    }
  }

  /** Runs a program outside the hosts. Rejects with CommandError unless it ends with 0. */
  run(command: readonly string[], patience?: number): Promise<Result> {
    return finish(this.keep(start(command)), command, patience)
  }

  /** Ends `child` with the lab, if it still runs then. */
  keep(child: ChildProcess): ChildProcess {
    this.children.add(child)
    child.once('exit', () => this.children.delete(child))
    return child
  }

  /** Called by `close`, all at once, before the namespaces go. */
  beforeClose(closer: () => Promise<void>): void {
    this.closers.push(closer)
  }

  /** Stops what runs here in good order, then removes everything. */
  async close(): Promise<void> {
    try {
      const ends = await Promise.allSettled(this.closers.splice(0).map((closer) => closer()))
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    } finally {
      this.destroy()
    }
  }

  // Synchronous, since nothing else runs once a process exits.
  private destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    process.off('exit', this.onExit)
    for (const signal of SIGNALS) process.off(signal, this.onSignal)
    // All of them first: an `ip netns add` on its way must not finish behind our back.
    endProcesses([...this.children].map((child) => child.pid ?? 0))
    for (const { namespace } of this.hosts) {
      endProcesses(ipNetns('pids', namespace).split(/\s+/).map(Number))
      ipNetns('del', namespace)
    }
    rmSync(this.dir, { recursive: true, force: true })
  }

  private async pair(a: Host, nameA: string, b: Host, nameB: string): Promise<void> {
    const far = ['type', 'veth', 'peer', 'name', nameB, 'netns', b.namespace]
    await this.run(['ip', 'link', 'add', nameA, 'netns', a.namespace, ...far])
  }
}

export class Host {
  readonly lab: Lab
  readonly name: string
  readonly namespace: string

  constructor(lab: Lab, name: string) {
    this.lab = lab
    this.name = name
    this.namespace = `vtepd-${lab.id}-${name}`
  }

  /** Starts a program on this host; it ends with the lab at the latest. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess {
    return this.lab.keep(start(this.inside(command), options))
  }

  /** Runs a program on this host to its end. Rejects with CommandError unless it ends with 0. */
  run(command: readonly string[], patience?: number): Promise<Result> {
    return finish(this.spawn(command), command, patience)
  }

  /** ip(8) on this host. */
  async ip(...args: string[]): Promise<string> {
    const { stdout } = await this.lab.run(['ip', '-n', this.namespace, ...args])
    return stdout
  }

  private inside(command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace, ...command]
  }
}

// What is already gone is what we want.
function ipNetns(verb: 'pids' | 'del', namespace: string): string {
  const options = { encoding: 'utf8', timeout: 5000, env: withPath(process.env) } as const
  return spawnSync('ip', ['netns', verb, namespace], options).stdout ?? ''
}

// Kills and waits, without the event loop: a zombie counts as ended, its parent may not come to reap it any more.
function endProcesses(pids: readonly number[]): void {
  const known = pids.filter((pid) => pid > 0)
  for (const pid of known) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
  const clock = new Int32Array(new SharedArrayBuffer(4))
  const end = performance.now() + DEATH
  while (known.some(isAlive) && performance.now() < end) Atomics.wait(clock, 0, 0, LOOK)
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
