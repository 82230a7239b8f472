// scapy on a host of a lab, as an independent writer and reader of what goes over a wire (scapy_host.py).

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Host } from '../../src/lab/lab.ts'
import { until } from './overlay.ts'
import { Child } from './transfer.ts'

const SCRIPT = fileURLToPath(new URL('./scapy_host.py', import.meta.url))
/** Where a distribution's package puts scapy, and what may have it besides. */
const PYTHONS = ['/usr/bin/python3', 'python3']

type Fields = Readonly<Record<string, string | number | null>>

export interface Heard {
  readonly hex: string
  /** It left by this interface. */
  readonly out: boolean
  /** By scapy's name of the layer; `inner …` for the second one of a name. */
  readonly layers: Readonly<Record<string, Fields>>
  /** Of the outermost UDP; null without a checksum. */
  readonly checksumRight: boolean | null
}

/** A python3 that has scapy, or null. */
export function scapyPython(): string | null {
  return PYTHONS.find((python) => spawnSync(python, ['-c', 'import scapy.layers.vxlan']).status === 0) ?? null
}

export class Wire {
  readonly host: Host
  private readonly child: Child
  private queue: Promise<unknown> = Promise.resolve()

  constructor(host: Host, python: string) {
    this.host = host
    this.child = new Child(host.spawn([python, SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] }))
  }

  /** Hears everything that passes the interface from when this resolves. */
  async listen(networkInterface: string): Promise<void> {
    await this.ask({ op: 'listen', interface: networkInterface })
  }

  /** Sends whole frames, each a scapy expression or 0x… hex. */
  async send(networkInterface: string, ...packets: string[]): Promise<void> {
    await this.ask({ op: 'send', interface: networkInterface, packets })
  }

  /** What was heard since the last question. */
  async heard(networkInterface: string, port = 4789): Promise<Heard[]> {
    return (await this.ask({ op: 'heard', interface: networkInterface, port })) as Heard[]
  }

  /** Waits for `n` frames that `wanted` takes; frames before them are forgotten. */
  async untilHeard(networkInterface: string, wanted: (h: Heard) => boolean, n = 1, port = 4789): Promise<Heard[]> {
    const found: Heard[] = []
    await until(
      `frames on ${networkInterface} of ${this.host.name}`,
      async () => {
        found.push(...(await this.heard(networkInterface, port)).filter(wanted))
        return found.length
      },
      (count) => count >= n,
    )
    return found
  }

  private ask(request: object): Promise<unknown> {
    const turn = this.queue.then(async () => {
      this.child.process.stdin!.write(`${JSON.stringify(request)}\n`)
      const answer = JSON.parse(await this.child.line()) as { error?: string }
      if (answer.error) throw new Error(`scapy: ${answer.error} at ${JSON.stringify(request)}`)
      return answer
    })
    this.queue = turn.catch(() => {})
    return turn
  }
}
