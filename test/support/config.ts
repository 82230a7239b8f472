// Configurations for tests: text in, Config or faults out. Key files are named and not there: KEY_FILES says what is in them.
import { fromQuickFlags, parseConfig, type QuickFlags } from '../../src/control/config/config.ts'
import { ConfigError } from '../../src/control/config/error.ts'
import type { Config } from '../../src/control/config/model.ts'
import { base64Of, publicKeyOf } from '../../src/control/key.ts'
import type { KeyFault } from '../../src/control/key-file.ts'
import { Secret } from '../../src/control/secret.ts'

/** 32 bytes, clamped as a private key is. */
export function keyBytes(seed: number): Uint8Array {
  const key = Uint8Array.from({ length: 32 }, (_, i) => (seed * 37 + i * 11) & 0xff)
  key[0]! &= 248
  key[31] = (key[31]! & 127) | 64
  return key
}

export function publicKey(seed: number): string {
  return base64Of(publicKeyOf(keyBytes(seed)))
}

/** File name → the seed of the key in it. */
const KEY_FILES: Record<string, number> = { '/keys/own': 1, '/keys/psk': 101, '/keys/psk2': 102, '/etc/vtepd/key': 1 }
/** Public keys: ours, and those of others. */
export const OWN_KEY = publicKey(1)
export const KEY_B = publicKey(2)
export const KEY_C = publicKey(3)

export function readKey(path: string, maker: string): Secret | KeyFault {
  const seed = KEY_FILES[path]
  if (seed === undefined) return { what: `there is no file ${path}`, mend: `make a key with ${maker}` }
  return new Secret(keyBytes(seed))
}

export function parse(text: string): Config {
  return parseConfig(text, { path: '/keys/test.yaml', hostname: 'host-a', readKey })
}

/** The faults of a text; [] when it has none. Any other error passes. */
export function faultsOf(text: string): readonly string[] {
  return faultsIn(() => parse(text))
}

export function faultsOfFlags(flags: QuickFlags): readonly string[] {
  return faultsIn(() => fromQuickFlags(flags, { hostname: 'host-a', readKey }))
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
