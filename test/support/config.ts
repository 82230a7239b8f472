// Configurations for tests: text in, Config or faults out.
import { ConfigError, fromQuickFlags, parseConfig, type QuickFlags } from '../../src/control/config.ts'
import type { Config } from '../../src/control/model.ts'

export function parse(text: string): Config {
  return parseConfig(text, { path: 'test.yaml', hostname: 'host-a' })
}

/** The faults of a text; [] when it has none. Any other error passes. */
export function faultsOf(text: string): readonly string[] {
  return faultsIn(() => parse(text))
}

export function faultsOfFlags(flags: QuickFlags): readonly string[] {
  return faultsIn(() => fromQuickFlags(flags, { hostname: 'host-a' }))
}

function faultsIn(parsed: () => Config): readonly string[] {
  try {
    parsed()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

/** Names the fault of `path`, what is said of it, how to mend it and its line; the only one there is. */
export interface Row {
  readonly text: string
  readonly path: string
  readonly what: string
  readonly mend: string
  readonly line?: number
}

/** `row` as one text, for comparing whole: parts that the fault holds are left as in the row, others are shown as found. */
export function matched(faults: readonly string[], row: Row): unknown {
  const found = /^(.*?): (.*); (.*?)(?: \(line (\d+)\))?$/s.exec(faults[0] ?? '')
  const [, path, what = '', mend = '', line] = found ?? []
  return {
    count: faults.length,
    path,
    what: what.includes(row.what) ? row.what : what,
    mend: mend.includes(row.mend) ? row.mend : mend,
    line: row.line === undefined ? undefined : Number(line),
  }
}

export function expected(row: Row): unknown {
  return { count: 1, path: row.path, what: row.what, mend: row.mend, line: row.line }
}
