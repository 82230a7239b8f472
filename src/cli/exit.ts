// How a command ends: exit codes (docs/command-line.md lists them) and the error that carries one.

export const DONE = 0
export const FAILED = 1
export const USAGE = 2
export const NOT_RUNNING = 3
export const NOT_PERMITTED = 4
export const INTERRUPTED = 130

/** Ends the command: `message` says where and how to mend it, `lines` follow it indented. */
export class Failure extends Error {
  readonly exitCode: number
  readonly lines: readonly string[]

  constructor(exitCode: number, message: string, lines: readonly string[] = []) {
    super(message)
    this.exitCode = exitCode
    this.lines = lines
  }
}

/** The exit code of any error: its own `exitCode`, 2 for what lists faults, 4 for what the kernel forbids, else 1. */
export function exitCodeOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return FAILED
  const { exitCode, faults, code } = error as { exitCode?: unknown; faults?: unknown; code?: unknown }
  if (typeof exitCode === 'number') return exitCode
  if (Array.isArray(faults) && faults.length > 0) return USAGE
  return code === 'EACCES' || code === 'EPERM' ? NOT_PERMITTED : FAILED
}

/** What is said on stderr: one line, and one indented line for each fault when there are several. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return `vtepd: ${oneLine(String(error))}\n`
  const { lines, faults } = error as { lines?: readonly string[]; faults?: readonly string[] }
  const more = lines ?? faults ?? []
  // Where the message lists its faults itself, they are in its later lines.
  const head = oneLine(more.length === 0 ? error.message : error.message.split('\n')[0]!)
  const said = /^vtepd[ :]/.test(head) ? head : `vtepd: ${head}`
  if (more.length === 0 || (more.length === 1 && head.includes(more[0]!))) return `${said}\n`
  if (more.length === 1) return `${said}: ${more[0]}\n`
  return `${said}:\n${more.map((line) => `  ${line}\n`).join('')}`
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
