// A file of src, or of the tests over it, as a child process can load it on every supported Node: bundled as dist/ is, under build/,
// inside the package, so that it finds the addon. Made anew at each call.
import { basename, join } from 'node:path'
import { buildSync } from 'esbuild'
import { OPTIONS } from '../../scripts/build-dist.mjs'
import { packageRoot } from '../../src/version.ts'

/** Path of what `file`, relative to the package's root, became. */
export function bundled(file: string): string {
  const outfile = join(packageRoot, 'build/test', basename(file).replace(/\.m?[jt]s$/, '.js'))
  buildSync({ ...OPTIONS, entryPoints: [file], outfile })
  return outfile
}
