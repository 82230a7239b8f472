// `vtepd …` as a process, as people run it: the built program, with no VTEPD_ variable but those of the test.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { built } from '../../src/lab/built.ts'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The environment without what would change the command's mind. */
export function plainEnv(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VTEPD') && name !== 'NO_COLOR')
  return Object.fromEntries(inherited)
}

/** Starts it; it is killed when the test ends. */
export function start(words: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [built('main.js'), ...words], { env: { ...plainEnv(), ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** Runs it to its end. */
export async function vtepd(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return ended(start(words, env))
}

/** What it wrote and how it ended; to be called before it does. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}
