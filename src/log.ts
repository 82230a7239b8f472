// Logs: JSON lines on stderr, or plain text on a terminal; stdout is data. Secrets never come here. Cold.
import { pino } from 'pino'

export type Level = 'error' | 'warn' | 'info' | 'debug'

export interface Log {
  error(text: string): void
  warn(text: string): void
  info(text: string): void
  debug(text: string): void
}

/** Says nothing. */
export const NO_LOG: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** Bytes that may wait for stderr to take them. */
const WAITING_MAX = 256 * 1024

const ORDER: readonly Level[] = ['error', 'warn', 'info', 'debug']

/** `level` and worse are written. */
export function createLog(options: { level: Level; plain?: boolean }): Log {
  return (options.plain ?? process.stderr.isTTY) ? plainLog(options.level) : jsonLog(options.level)
}

function jsonLog(level: Level): Log {
  const to = pino.destination({ dest: 2, sync: true, maxLength: WAITING_MAX })
  // A full disk costs lines of the log, and nothing else.
  to.on('error', () => {})
  const out = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    to,
  )
  return {
    error: (t) => out.error(t),
    warn: (t) => out.warn(t),
    info: (t) => out.info(t),
    debug: (t) => out.debug(t),
  }
}

function plainLog(level: Level): Log {
  const write = (at: Level) => (text: string) => {
    if (ORDER.indexOf(at) <= ORDER.indexOf(level))
      process.stderr.write(`vtepd: ${at === 'info' ? '' : `${at}: `}${text}\n`)
  }
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') }
}
