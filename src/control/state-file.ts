// What is remembered across restarts: JSON files under the state directory, for their owner alone, old or new also after a crash.
// One that cannot be read is put aside, and what was in it is forgotten: an agent starts all the same. Cold.
import { readFileSync, renameSync } from 'node:fs'
import type * as z from 'zod'
import { FileChange } from './join/conf-files.ts'

/** null: nothing is remembered. `said` hears of a file that cannot be read, or was put aside. */
export function loadState<T>(path: string, schema: z.ZodType<T>, said: (line: string) => void): T | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') said(`${path}: ${(error as Error).message}`)
    return null
  }
  const value = parsed(text, schema)
  if (value !== null) return value
  renameSync(path, `${path}.bad`)
  said(`${path} was not as vtepd writes it: put aside as ${path}.bad`)
  return null
}

/** Throws ApiError. */
export function saveState(path: string, value: object): void {
  new FileChange().put(path, stateBytes(value))
}

/** What is in such a file. */
export function stateBytes(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 1)}\n`)
}

function parsed<T>(text: string, schema: z.ZodType<T>): T | null {
  try {
    const read = schema.safeParse(JSON.parse(text))
    return read.success ? read.data : null
  } catch {
    return null
  }
}
