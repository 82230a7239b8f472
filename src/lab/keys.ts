// Keys of a lab's hosts for secure networks, new ones for every lab: the private half in a file that goes with the lab and that
// nobody else may read, the public half for the other hosts' configurations.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { base64Of, generatePrivateKey, publicKeyOf } from '../control/key.ts'
import type { Lab } from './lab.ts'

export interface LabKeys {
  /** Path of the private key, mode 0600. */
  readonly file: string
  /** In base64. */
  readonly publicKey: string
}

/** A new pair; `name` is the file's, once in a lab. */
export function makeKeys(lab: Lab, name: string): LabKeys {
  const dir = join(lab.dir, 'keys')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, name)
  const key = generatePrivateKey()
  writeFileSync(file, `${base64Of(key)}\n`, { mode: 0o600, flag: 'wx' })
  const publicKey = base64Of(publicKeyOf(key))
  key.fill(0)
  return { file, publicKey }
}
