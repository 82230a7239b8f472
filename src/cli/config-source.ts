// Where a configuration comes from: `-c FILE`, or /etc/vtepd/vtepd.yaml with /etc/vtepd/conf.d/*.yaml. Files are joined before
// they are checked, `networks` and `peers` name by name, and a fault names the file and the line that it was written in.
import { isUtf8 } from 'node:buffer'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import { type ConfigOptions, parseConfig } from '../control/config/config.ts'
import { ConfigError } from '../control/config/error.ts'
import { pathText } from '../control/config/fault.ts'
import type { Config } from '../control/config/model.ts'
import { readSource } from '../control/config/source.ts'
import { FAILED, Failure, NOT_PERMITTED, USAGE } from './exit.ts'

export const DEFAULT_FILE = '/etc/vtepd/vtepd.yaml'
const FILE_NAME = 'vtepd.yaml'
const WITHOUT_FILE = 'write one (docs/configuration.md), name another with -c, or use flags (`vtepd up --help`)'
/** What several files may hold parts of. */
const JOINED = ['networks', 'peers']

interface Source {
  readonly path: string
  readonly text: string
}

/** `file` undefined: `main` with its conf.d. Throws ConfigError with all faults, or Failure for a file that cannot be read. */
export async function readConfig(file: string | undefined, main = DEFAULT_FILE): Promise<Config> {
  const sources = file === undefined ? await standard(main) : [{ path: file, text: await read(file) }]
  const [only] = sources
  const options = { hostname: hostname(), directory: dirname(file ?? main) }
  if (sources.length === 1) return parseConfig(only!.text, { path: only!.path, ...options })
  return parseJoined(sources, { path: `${main} with conf.d`, ...options })
}

/** The default file of a directory. */
export function mainFile(configDir: string): string {
  return join(configDir, FILE_NAME)
}

/** `main` with its conf.d, or null when there is none of them. Throws as readConfig does. */
export async function readConfigIfAny(main: string): Promise<Config | null> {
  if ((await partsOf(main)).length === 0 && !existsSync(main)) return null
  return readConfig(undefined, main)
}

async function partsOf(main: string): Promise<string[]> {
  const names = await list(join(dirname(main), 'conf.d'))
  return names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort()
}

async function standard(main: string): Promise<Source[]> {
  const dir = join(dirname(main), 'conf.d')
  const names = await partsOf(main)
  const parts = await Promise.all(
    names.map(async (name) => ({ path: join(dir, name), text: await read(join(dir, name)) })),
  )
  const text = await read(main).catch((error: unknown) => {
    // The parts alone may be a whole configuration.
    if (parts.length > 0 && error instanceof Failure && error.exitCode === USAGE) return null
    throw error
  })
  return text === null ? parts : [{ path: main, text }, ...parts]
}

function parseJoined(sources: readonly Source[], options: ConfigOptions): Config {
  const { path } = options
  // A line a key, so that a line of the whole leads back to the one that was written.
  const text = JSON.stringify(joined(sources, path), null, 1)
  try {
    return parseConfig(text, options)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(path, placed(error.faults, text, sources))
  }
}

function joined(sources: readonly Source[], path: string): Record<string, unknown> {
  const faults: string[] = []
  const whole: Record<string, unknown> = {}
  const holder = new Map<string, string>()
  for (const source of sources) {
    const { value, faults: own } = readSource(source.text)
    faults.push(...own.texts().map((fault) => `${source.path}: ${fault}`))
    if (value === undefined || value === null) continue
    if (!isRecord(value)) {
      faults.push(`${source.path}: configuration: want keys with values; see docs/configuration.md`)
      continue
    }
    const take = (into: Record<string, unknown>, at: readonly string[], entry: unknown): void => {
      const key = at.at(-1)!
      const label = pathText(at)
      const first = holder.get(label)
      if (first === undefined) into[key] = entry
      else {
        const line = linesOf(source.text).get(JSON.stringify(at))
        const place = line === undefined ? '' : ` (line ${line})`
        faults.push(`${source.path}: ${label}: stands in ${first} as well; keep one of them${place}`)
      }
      holder.set(label, first ?? source.path)
    }
    for (const [key, entry] of Object.entries(value)) {
      const isJoined = JOINED.includes(key) && (entry === null || isRecord(entry))
      if (!isJoined || (Object.hasOwn(whole, key) && !isRecord(whole[key]))) take(whole, [key], entry)
      else {
        whole[key] ??= {}
        const into = whole[key] as Record<string, unknown>
        for (const [name, one] of Object.entries(entry ?? {})) take(into, [key, name], one)
      }
    }
  }
  if (faults.length > 0) throw new ConfigError(path, faults)
  return whole
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// `… (line 7)` of the joined text as `… (FILE, line 3)`.
function placed(faults: readonly string[], text: string, sources: readonly Source[]): string[] {
  const origins = new Map<string, string>()
  for (const source of [...sources].reverse()) {
    for (const [key, line] of linesOf(source.text)) origins.set(key, `${source.path}, line ${line}`)
  }
  const keys = new Map([...linesOf(text)].map(([key, line]) => [line, key]))
  return faults.map((fault) =>
    fault.replace(/ \(line (\d+)\)$/, (_, line: string) => {
      // What an alias stands for was written elsewhere: the alias's own line, then.
      for (let key = keys.get(Number(line)) ?? '[]'; key !== '[]'; key = above(key)) {
        const origin = origins.get(key)
        if (origin !== undefined) return ` (${origin})`
      }
      return ''
    }),
  )
}

function above(key: string): string {
  return JSON.stringify((JSON.parse(key) as unknown[]).slice(0, -1))
}

// The line of every key and list item, by its path as JSON.
function linesOf(text: string): Map<string, number> {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: false, logLevel: 'silent' })
  const lines = new Map<string, number>()
  const paths = new Map<unknown, readonly unknown[]>([[document.contents, []]])
  const note = (node: unknown, path: readonly unknown[]): void => {
    const { range } = node as { range?: readonly [number, number, number] | null }
    if (range) lines.set(JSON.stringify(path), counter.linePos(range[0]).line)
  }
  visit(document, {
    Pair(_, pair, ancestors) {
      const key = isScalar(pair.key) ? String(pair.key.value ?? '') : String(pair.key)
      const path = [...(paths.get(ancestors.at(-1)) ?? []), key]
      note(pair.key, path)
      paths.set(pair.value, path)
    },
    Seq(_, seq) {
      const path = paths.get(seq) ?? []
      seq.items.forEach((item, i) => {
        if (isMap(item) || isScalar(item)) note(item, [...path, i])
        paths.set(item, [...path, i])
      })
    },
  })
  return lines
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw unreadable(dir, error)
  }
}

async function read(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  if (isUtf8(bytes)) return bytes.toString('utf8')
  const wrong = bytes
    .toString('latin1')
    .split('\n')
    .findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')))
  throw new Failure(USAGE, `${path}: is not UTF-8; save it in that encoding (line ${wrong + 1})`)
}

/** What is said of a file that cannot be read; `mend`: what to do when there is none. */
export function unreadable(path: string, error: unknown, mend = WITHOUT_FILE): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new Failure(USAGE, `${path}: no such file; ${mend}`)
  }
  if (code === 'EISDIR') return new Failure(USAGE, `${path}: is a directory; name a file`)
  if (code === 'EACCES') return new Failure(NOT_PERMITTED, `${path}: not permitted to read it; run as root`)
  return new Failure(FAILED, `${path}: ${message}`)
}
