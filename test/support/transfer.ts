// Transfers whose content is compared at the end, between two hosts of a lab.
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Host } from '../../src/lab/lab.ts'
import { seed } from './seed.ts'

const CHILD = fileURLToPath(new URL('./transfer-child.mjs', import.meta.url))
const PATIENCE = 30_000
const TCP_PORT = 5301
const UDP_PORT = 5302

/** Where a transfer goes: `to` has `address`. */
export interface Route {
  readonly from: Host
  readonly to: Host
  readonly address: string
}

/** Sends `size` bytes over TCP and expects the same bytes at the other end. */
export async function transferTcp({ from, to, address }: Route, size: number): Promise<void> {
  const sink = new Child(to.spawn(command('tcp-sink', address, TCP_PORT)))
  try {
    expect(await sink.line()).toBe('listening')
    const sent = await from.run(command('tcp-source', address, TCP_PORT, size, seed), PATIENCE)
    expect(JSON.parse(await sink.line())).toEqual(JSON.parse(sent.stdout))
  } finally {
    await sink.end()
  }
}

/** Sends `count` datagrams of each size there and back, and expects every one to come back as it went. */
export async function transferUdp(
  { from, to, address }: Route,
  count: number,
  sizes: readonly number[],
): Promise<void> {
  const echo = new Child(to.spawn(command('udp-echo', address, UDP_PORT)))
  try {
    expect(await echo.line()).toBe('listening')
    const { stdout } = await from.run(command('udp-source', address, UDP_PORT, seed, count, ...sizes), PATIENCE)
    const sent = count * sizes.length
    expect(JSON.parse(stdout)).toEqual({ sent, right: sent, wrong: 0 })
  } finally {
    await echo.end()
  }
}

function command(...words: (string | number)[]): string[] {
  return [process.execPath, CHILD, ...words.map(String)]
}

/** A child that talks in lines. */
export class Child {
  readonly process: ChildProcess
  private readonly lines: string[] = []
  private waiting: ((line: string | null) => void) | null = null
  private ended = false
  private said = ''

  constructor(child: ChildProcess) {
    this.process = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.take(line))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said += text
    })
    child.once('close', () => {
      this.ended = true
      this.take(null)
    })
  }

  /** The next line that it says. */
  line(patience = PATIENCE): Promise<string> {
    const line = this.lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new Error(`the child has ended: ${this.said}`))
      const timer = setTimeout(() => reject(new Error(`the child says nothing: ${this.said}`)), patience)
      this.waiting = (text) => {
        clearTimeout(timer)
        if (text === null) reject(new Error(`the child has ended: ${this.said}`))
        else resolve(text)
      }
    })
  }

  /** Kills it if need be; resolves when it is gone. */
  async end(): Promise<void> {
    if (this.ended) return
    const closed = new Promise((resolve) => this.process.once('close', resolve))
    this.process.kill('SIGKILL')
    await closed
  }

  private take(line: string | null): void {
    const { waiting } = this
    this.waiting = null
    if (waiting) waiting(line)
    else if (line !== null) this.lines.push(line)
  }
}
