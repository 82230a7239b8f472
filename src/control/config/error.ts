// What is wrong with a configuration, as its error; and what can be said of one only later. Apart from config.ts, so that who has no
// file to read (vtepd-wg) loads neither YAML nor schema.
import { Faults } from './fault.ts'
import type { Config } from './model.ts'
import { underlayFaults as noteUnderlayFaults, UNPLACED } from './peer-check.ts'

/** What is wrong with a configuration: each fault is one line, `path: what; how to mend (line N)`. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  /** `path`: the file's name, or null for flags. */
  constructor(path: string | null, faults: readonly string[]) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
    super(`${path ?? 'flags'}: ${count}\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** What can be said only once the underlay's addresses are known (`underlay.interface`): faults as in ConfigError. */
export function underlayFaults(config: Config, addresses: readonly string[]): readonly string[] {
  const faults = new Faults(UNPLACED)
  noteUnderlayFaults(config, addresses, faults)
  return faults.texts()
}

/** The same, thrown as a ConfigError. */
export function refuseUnderlay(config: Config, underlay: readonly { readonly address: string }[]): void {
  const faults = underlayFaults(
    config,
    underlay.map((l) => l.address),
  )
  if (faults.length > 0) throw new ConfigError('configuration', faults)
}
