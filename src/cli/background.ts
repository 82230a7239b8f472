// A process that goes on without its terminal: it starts itself again in a session of its own, and the first one ends when the
// second says that it is ready, or tells why it is not. Node cannot fork(2). Cold.
import { type ChildProcess, spawn } from 'node:child_process'
import { explain, FAILED, INTERRUPTED } from './exit.ts'

/** Set in the environment of the second process alone. */
const MARK = 'VTEPD_BACKGROUND'

type Word = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly text: string; readonly exitCode: number }

/** Whether this is the second process. It takes the mark away, so that what it starts is none. */
export function isBackground(env: NodeJS.ProcessEnv = process.env): boolean {
  const isMarked = env[MARK] === '1' && process.send !== undefined
  delete env[MARK]
  return isMarked
}

/**
 * Starts this program again (`file`, `args`) in the background and waits for its word. Resolves with our exit code. `output`:
 * whether it may go on writing where we do.
 */
export async function runInBackground(file: string, args: readonly string[], output: boolean): Promise<number> {
  const stdio = output ? 'inherit' : 'ignore'
  const child = spawn(process.execPath, [...process.execArgv, file, ...args], {
    detached: true,
    // It must not keep a file system busy.
    cwd: '/',
    stdio: ['ignore', stdio, stdio, 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  })
  const interrupt = (): void => {
    child.kill('SIGTERM')
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  const word = await wordOf(child)
  child.unref()
  if (child.connected) child.disconnect()
  if (word.kind === 'ready') return 0
  process.stderr.write(word.text)
  return word.exitCode
}

/** Of the second process: it is ready, and the first one may end. */
export async function tellReady(): Promise<void> {
  await tell({ kind: 'ready' })
}

/** Of the second process: it ends, and the first one says so in these words. */
export async function tellFailed(text: string, exitCode: number): Promise<void> {
  await tell({ kind: 'failed', text, exitCode })
}

// The first one may have been killed meanwhile: then there is nobody to tell.
async function tell(word: Word): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.connected) process.send!(word, undefined, undefined, () => resolve())
    else resolve()
  })
  if (process.connected) process.disconnect()
}

function wordOf(child: ChildProcess): Promise<Word> {
  return new Promise((resolve) => {
    child.once('message', (word) => resolve(word as Word))
    child.once('error', (error) => resolve({ kind: 'failed', text: explain(error), exitCode: FAILED }))
    child.once('exit', (code, signal) => {
      const text = `vtepd: ended before it was ready (${signal ?? code})\n`
      const exitCode = signal === 'SIGTERM' || signal === 'SIGINT' ? INTERRUPTED : code || FAILED
      resolve({ kind: 'failed', text, exitCode })
    })
  })
}
