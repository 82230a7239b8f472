// Files that vtepd itself writes into the configuration: conf.d/NAME.yaml beside the hand-written file, keys beside that. For
// nobody but their owner; each is there whole or not at all; what was done can be undone. A file that somebody else wrote is never
// touched: ours begin with MARK. Cold.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { ApiError } from '../api/api.ts'
import { makeDirectory } from '../directory.ts'
import { base64Of } from '../key.ts'
import type { Secret } from '../secret.ts'

const MARK = '# Written by vtepd'

export function confPath(configDir: string, name: string): string {
  return join(configDir, 'conf.d', `${name}.yaml`)
}

/** Whether the file is there and ours; null: there is none. */
export function isOurs(path: string): boolean | null {
  return contentOf(path)?.toString('utf8').startsWith(MARK) ?? null
}

/** Whether the file is ours and holds this peer and nothing else. */
export function isOnlyPeer(path: string, name: string): boolean {
  const text = contentOf(path)?.toString('utf8')
  if (!text?.startsWith(MARK)) return false
  const { peers, ...more } = (parse(text) ?? {}) as { peers?: object }
  return Object.keys(more).length === 0 && Object.keys(peers ?? {}).join() === name
}

/** A name for a new file of ours: `name`, or one like it where that is taken. */
export function freeConfName(configDir: string, name: string): string {
  const fit = name.replaceAll(':', '_')
  for (let n = 1; ; n++) {
    const one = n === 1 ? fit : `${fit}-${n}`
    if (isOurs(confPath(configDir, one)) === null) return one
  }
}

/** Files that are written together, and unwritten together. All calls throw ApiError with the path. */
export class FileChange {
  /** What was written, for people. */
  readonly written: string[] = []
  private readonly before: { readonly path: string; readonly content: Buffer | null }[] = []
  private readonly made: { readonly first: string; readonly last: string }[] = []

  /** A part of the configuration. `about`: lines for its reader. Refuses to replace what is not ours. */
  configuration(path: string, about: readonly string[], values: object): void {
    if (isOurs(path) === false) {
      throw new ApiError(409, `${path} is there, and vtepd did not write it; rename it, or choose another name`)
    }
    const [first, ...more] = about
    const head = [`${MARK}: ${first}`, ...more.map((line) => `# ${line}`)].join('\n')
    this.put(path, Buffer.from(`${head}\n${stringify(values, { lineWidth: 0 })}`))
  }

  key(path: string, key: Secret): void {
    const bytes = key.copy()
    const text = Buffer.from(`${base64Of(bytes)}\n`)
    bytes.fill(0)
    this.put(path, text)
    text.fill(0)
  }

  put(path: string, content: Uint8Array): void {
    const had = contentOf(path)
    try {
      const dir = dirname(path)
      const first = makeDirectory(dir)
      if (first !== null) this.made.push({ first, last: dir })
      replace(path, content)
    } catch (error) {
      throw told(error, path)
    }
    this.before.push({ path, content: had })
    this.written.push(path)
  }

  remove(path: string): void {
    const content = contentOf(path)
    if (!content) return
    try {
      unlinkSync(path)
    } catch (error) {
      throw told(error, path)
    }
    this.before.push({ path, content })
  }

  /** Everything is as it was. */
  undo(): void {
    this.written.length = 0
    for (const { path, content } of this.before.splice(0).reverse()) {
      if (content) replace(path, content)
      else rmSync(path, { force: true })
    }
    for (const { first, last } of this.made.splice(0).reverse()) removeEmpty(first, last)
  }
}

// Old or new, also after a crash: rename(2).
function replace(path: string, content: Uint8Array): void {
  // conf.d is read without names that begin with a dot.
  const made = join(dirname(path), `.vtepd-${randomBytes(6).toString('hex')}`)
  const fd = openSync(made, 'wx', 0o600)
  try {
    writeFileSync(fd, content)
    fsyncSync(fd)
    renameSync(made, path)
  } catch (error) {
    unlinkSync(made)
    throw error
  } finally {
    closeSync(fd)
  }
}

function removeEmpty(first: string, last: string): void {
  try {
    for (let dir = last; ; dir = dirname(dir)) {
      rmdirSync(dir)
      if (dir === first) return
    }
  } catch {
    // Somebody has put something there meanwhile.
  }
}

function contentOf(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw told(error, path)
  }
}

function told(error: unknown, path: string): ApiError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') return new ApiError(403, `${path}: not permitted; run it as root`)
  if (code === 'EROFS') {
    const mend = 'a service needs ReadWritePaths=/etc/vtepd, as in config/vtepd.service'
    return new ApiError(500, `${path}: the file system is read-only here; ${mend}`)
  }
  return new ApiError(500, `${path}: ${message}`)
}
