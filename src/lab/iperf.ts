// iperf3(1) as the load generator. One server for each measurement (`-1`), asked for JSON by the client.
import type { ChildProcess } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { CommandError } from './command.ts'
import type { Delivered, Load, Traffic } from './traffic.ts'

const PORT = 5201
/** Milliseconds until a server must listen, between two looks, and what a run may take beyond its seconds. */
const LISTENING = 5000
const LOOK = 5
const EXTRA = 15_000
/** TCP_LISTEN in /proc/net/tcp. */
const LISTEN = '0A'

interface Sum {
  bytes: number
  bits_per_second: number
}

interface Report {
  end: { sum_received?: Sum }
  intervals: { sum: Sum & { omitted: boolean } }[]
  error?: string
}

export class Iperf implements Traffic {
  readonly name = 'iperf3'

  tcp(load: Load, streams: number): Promise<Delivered> {
    return this.measure(load, streams === 1 ? [] : ['-P', String(streams)])
  }

  udp(load: Load, size: number): Promise<Delivered> {
    return this.measure(load, ['-u', '-b', '0', '-l', String(size)])
  }

  private async measure(load: Load, flags: readonly string[]): Promise<Delivered> {
    const { from, to, address, seconds, warmup } = load
    const server = to.spawn(['iperf3', '-s', '-1', '-B', address, '-p', String(PORT)], { stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => {
      server.once('close', () => resolve())
      server.once('error', () => resolve())
    })
    try {
      await untilListening(server)
      const times = ['-t', String(seconds), '-O', String(warmup)]
      const client = ['iperf3', '-c', address, '-p', String(PORT), ...times, ...flags, '-J']
      const { stdout } = await from.run(client, (seconds + warmup) * 1000 + EXTRA).catch(explained)
      return delivered(JSON.parse(stdout) as Report)
    } finally {
      server.kill('SIGKILL')
      await ended
    }
  }
}

function delivered({ end, intervals, error }: Report): Delivered {
  // Some troubles are told in the JSON alone, with exit code 0.
  if (error !== undefined) throw new Error(`iperf3: ${error}`)
  const received = end.sum_received
  if (!received) throw new Error('this iperf3 does not say what the server received; version 3.7 or later does')
  let totalBytes = received.bytes
  for (const { sum } of intervals) if (sum.omitted) totalBytes += sum.bytes
  return { bitsPerSecond: received.bits_per_second, totalBytes }
}

// With -J the reason is in the JSON on stdout, of which CommandError keeps the last line alone.
function explained(error: unknown): never {
  if (error instanceof CommandError) {
    const reason = /"error":\s*"([^"]*)"/.exec(error.stdout)?.[1]
    if (reason) throw new Error(`iperf3: ${reason}`)
  }
  throw error
}

async function untilListening(server: ChildProcess): Promise<void> {
  const end = performance.now() + LISTENING
  while (performance.now() < end) {
    if (server.exitCode !== null) throw new Error(`the iperf3 server ended with ${server.exitCode}`)
    if (server.pid !== undefined && listens(server.pid)) return
    await pause(LOOK)
  }
  throw new Error(`the iperf3 server does not listen after ${LISTENING / 1000} s`)
}

// From inside its namespace; until `ip netns exec` has entered it, it shows ours.
function listens(pid: number): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return false
    return ['tcp', 'tcp6'].some((family) => hasListener(readFileSync(`/proc/${pid}/net/${family}`, 'utf8')))
  } catch {
    return false
  }
}

function hasListener(sockets: string): boolean {
  const port = PORT.toString(16).toUpperCase().padStart(4, '0')
  return sockets.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/)
    return state === LISTEN && local?.endsWith(`:${port}`) === true
  })
}
