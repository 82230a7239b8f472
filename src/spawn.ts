// Starts the data thread: a worker of its own, reached through a mailbox alone. Cold.
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Counters } from './counters.ts'
import type { DataThreadInput } from './data-thread.ts'
import { Mailbox, type News } from './datapath/mailbox.ts'
import { wake } from './host/addon.ts'

export interface SpawnedThread {
  readonly worker: Worker
  readonly mailbox: Mailbox
  /** Rejects when the thread ends, whatever the reason. */
  readonly ended: Promise<never>
}

/** Resolves once the thread takes orders; `hear` gets what it says unasked. VTEPD_PROFILE=1 counts its native CPU time. */
export async function spawnDataThread(counters: Counters, hear: (n: News) => void): Promise<SpawnedThread> {
  const { port1, port2 } = new MessageChannel()
  const profile = process.env['VTEPD_PROFILE'] === '1'
  const input: DataThreadInput = { port: port2, counters: counters.buffer, profile }
  const worker = new Worker(file(), { workerData: input, transferList: [port2], execArgv: ownArguments() })
  const started = new Promise<number>((resolve) => {
    worker.once('message', resolve)
  })
  const ended = new Promise<never>((_, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the data thread has ended')))
  })
  const wakeFd = await Promise.race([started, ended])
  return { worker, ended, mailbox: new Mailbox(port1, () => wake(wakeFd), hear) }
}

// What `node -e` is told of its text is not for a file, and a thread that inherits it does not start.
function ownArguments(): string[] {
  return process.execArgv.filter((arg, i, all) => !/^--input-type(=|$)/.test(arg) && all[i - 1] !== '--input-type')
}

// Built, this file is in a bundle with dist/data-thread.js beside it; Node's own type stripping runs the .ts.
function file(): URL {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./data-thread.${extension}`, import.meta.url)
}
