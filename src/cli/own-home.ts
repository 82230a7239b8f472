// This host for `invite` and `join` while no agent runs: its configuration is read here, and only read.
import { dirname, resolve } from 'node:path'
import type { Config } from '../control/config/model.ts'
import { callableAt, type Home, hostView } from '../control/join/home.ts'
import { type LocalAddress, underlayOf } from '../control/upkeep/underlay.ts'
import { configPlace } from './config-place.ts'
import { readConfig, readConfigIfAny } from './config-source.ts'
import { Failure, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'

/** Throws Failure when the flags mean a file whose directory is not ours to write in. */
export function refuseFile(flags: Flags): void {
  if (configPlace(flags).file === undefined) return
  const why = '--config names a file to be read alone'
  const mend = 'leave it away, or keep the file as DIR/vtepd.yaml and give --config-dir DIR'
  throw new Failure(USAGE, `${why}, and what this command writes belongs to the default file; ${mend}`)
}

/** As `up` would find it. */
export async function ownHome(flags: Flags): Promise<Home> {
  const { main } = configPlace(flags)
  let config = await readConfigIfAny(main)
  return {
    configDir: dirname(main),
    stateDir: resolve(flags.stateDir),
    config: () => config,
    read: () => readConfig(undefined, main),
    // What was written may have been taken back, and nothing be left.
    reload: async () => {
      config = await readConfigIfAny(main)
    },
    addresses: () => callableAt(config ? addresses(config) : [], config),
    host: hostView,
    said: (line) => process.stderr.write(`vtepd: ${line}\n`),
  }
}

// Without any there is nothing to prefer.
function addresses(config: Config): readonly LocalAddress[] {
  try {
    return underlayOf(config)
  } catch {
    return []
  }
}
