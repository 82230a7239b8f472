// Where the built programs lie: dist under the package's root, whichever build of this file asks.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../version.ts'

/** Path of a file of dist, `main.js` for one. Throws when it has not been built. */
export function built(name: string): string {
  const path = join(packageRoot, 'dist', name)
  if (!existsSync(path)) throw new Error(`${path} is not there: build it first (npm run build)`)
  return path
}
