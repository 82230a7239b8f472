// Directories that are made when they are missing. Not by Node's `recursive`, which tries for ever where the kernel has no such
// directory and lets none be made, as in /proc. Cold.
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Of those that are made, whatever the umask is. */
const MODE = 0o755

/** Makes the directory and those above it. Answers the first one that was missing; null: none was. Throws the kernel's error. */
export function makeDirectory(path: string): string | null {
  const above = dirname(path)
  const first = above === path || existsSync(above) ? null : makeDirectory(above)
  try {
    mkdirSync(path)
    chmodSync(path, MODE)
    return first ?? path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isDirectory(path)) return first
    throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
