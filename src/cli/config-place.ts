// Which configuration is meant: a file alone, or the default one with conf.d beside it, which belongs to that alone. What was typed
// goes before what is in the environment. VTEPD_CONFIG says where the default file is; `-c` says what to read instead of it.
import { resolve } from 'node:path'
import { DEFAULT_FILE, mainFile } from './config-source.ts'
import { Failure, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'

export interface ConfigPlace {
  /** To be read alone; undefined: `main` with its conf.d is meant. */
  readonly file: string | undefined
  /** The default file, absolute. */
  readonly main: string
}

/** Throws Failure when two places were typed. */
export function configPlace(flags: Flags): ConfigPlace {
  const [file, dir] = [flags.text('config'), flags.text('config-dir')]
  const typed = (name: string): boolean => flags.origin(name) === 'command line'
  if (typed('config') && typed('config-dir')) {
    throw new Failure(USAGE, '--config names a file, and --config-dir where the default one is; drop one of them')
  }
  const inDir = dir === undefined ? DEFAULT_FILE : mainFile(resolve(dir))
  if (typed('config')) return { file, main: inDir }
  if (file !== undefined && !typed('config-dir')) return { file: undefined, main: resolve(file) }
  return { file: undefined, main: inDir }
}
