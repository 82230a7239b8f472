// `vtepd …` as people run it, with no VTEPD_ variable but those of the test: the built program as a process, or what it does, in
// this process.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { runLine } from '../../src/cli/run.ts'
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

/**
 * Runs it in this process, where what is asked is the command's answer: no half second to start. One at a time, since what it
 * writes is known by when it is written.
 */
export async function typed(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const [stdout, stderr] = [new Written(process.stdout), new Written(process.stderr)]
  const before = process.listeners('SIGINT')
  try {
    const code = await runLine(words, { ...plainEnv(), ...env })
    return { code, signal: null, stdout: stdout.text, stderr: stderr.text }
  } finally {
    for (const written of [stdout, stderr]) written.end()
    for (const listener of process.listeners('SIGINT')) {
      if (!before.includes(listener)) process.off('SIGINT', listener)
    }
  }
}

// Takes what is written to a stream, until its end.
class Written {
  text = ''
  private readonly stream: NodeJS.WriteStream
  private readonly write: NodeJS.WriteStream['write']

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream
    this.write = stream.write
    stream.write = (chunk: Uint8Array | string): boolean => {
      this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      return true
    }
  }

  end(): void {
    this.stream.write = this.write
  }
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
