// A small load generator for machines without iperf3: one Node process sends, another counts (loadgen-child.ts). It tops out
// earlier than iperf3 does, so ratios are what it is good for.
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { built } from './built.ts'
import type { Delivered, Load, Traffic } from './traffic.ts'

const PORT = 5202
/** Milliseconds that the counting side may take to answer. */
const ANSWER = 5000

interface Mark {
  bytes: number
  now: number
}

export class Loadgen implements Traffic {
  readonly name = 'its own generator (iperf3 is not installed)'

  tcp(load: Load, streams: number): Promise<Delivered> {
    return this.measure(load, 'tcp', streams)
  }

  udp(load: Load, size: number): Promise<Delivered> {
    return this.measure(load, 'udp', size)
  }

  private async measure(load: Load, protocol: string, amount: number): Promise<Delivered> {
    const { from, to, address, seconds, warmup } = load
    const child = [process.execPath, built('loadgen-child.js')]
    const where = [protocol, address, String(PORT)]
    const sink = new Sink(to.spawn([...child, 'sink', ...where], { stdio: ['pipe', 'pipe', 'inherit'] }))
    let source: ChildProcess | null = null
    try {
      await sink.line()
      source = from.spawn([...child, 'source', ...where, String(amount)], { stdio: ['ignore', 'ignore', 'inherit'] })
      await pause(warmup * 1000)
      const first = await sink.mark()
      await pause(seconds * 1000)
      const last = await sink.mark()
      const bitsPerSecond = ((last.bytes - first.bytes) * 8 * 1000) / (last.now - first.now)
      return { bitsPerSecond, totalBytes: last.bytes }
    } finally {
      await Promise.all([end(source), end(sink.child)])
    }
  }
}

class Sink {
  readonly child: ChildProcess
  private readonly lines: string[] = []
  private waiting: ((line: string) => void) | null = null

  constructor(child: ChildProcess) {
    this.child = child
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const waiting = this.waiting
      this.waiting = null
      if (waiting) waiting(line)
      else this.lines.push(line)
    })
  }

  async mark(): Promise<Mark> {
    this.child.stdin!.write('\n')
    return JSON.parse(await this.line()) as Mark
  }

  line(): Promise<string> {
    const line = this.lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the load generator does not answer')), ANSWER)
      this.waiting = (text) => {
        clearTimeout(timer)
        resolve(text)
      }
    })
  }
}

async function end(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
}
