// The files that `control.etcd` names: certificates as PEM, a password. Read when the configuration is, to say what is wrong with
// them, and again for every connection, so that what is renewed on disk is used. Cold.
import { readFileSync, readSync } from 'node:fs'
import type { EtcdConfig } from '../config/model.ts'
import { type KeyFault, readOwnFile, shellWord } from '../key-file.ts'
import { Secret } from '../secret.ts'
import { StoreError } from './kv.ts'
import type { Credentials } from './link.ts'

const PASSWORD_MAX = 1024

/** What the file holds, or what is wrong with it. */
export function readPem(path: string): Buffer | KeyFault {
  try {
    const content = readFileSync(path)
    if (content.includes('-----BEGIN ')) return content
    return { what: `${path} holds nothing in PEM`, mend: 'name a file that begins with -----BEGIN' }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { what: `there is no file ${path}`, mend: 'name one that is there' }
    return { what: `cannot read ${path} (${code ?? message})`, mend: 'make it readable for the agent' }
  }
}

/** The first line of the file, or what is wrong. */
export function readPassword(path: string): Secret | KeyFault {
  const make = `write the password there: (umask 077 && cat > ${shellWord(path)})`
  return readOwnFile(path, make, (fd) => {
    const content = Buffer.alloc(PASSWORD_MAX + 2)
    try {
      const length = readSync(fd, content)
      const newline = content.subarray(0, length).indexOf('\n')
      const end = newline < 0 ? length : newline
      if (end === 0) return { what: `${path} begins with an empty line`, mend: make }
      if (end > PASSWORD_MAX) return { what: `${path} is longer than a password`, mend: make }
      return new Secret(content.subarray(0, end), end)
    } finally {
      content.fill(0)
    }
  })
}

/** What of the configuration says who we are. */
export type Papers = Pick<EtcdConfig, 'caFile' | 'certFile' | 'keyFile' | 'username' | 'passwordFile'>

/** For a new connection. Throws StoreError. */
export function credentialsOf({ caFile, certFile, keyFile, username, passwordFile }: Papers): Credentials {
  const pem = (path: string | null): Buffer | null => (path === null ? null : orThrow(readPem(path)))
  return {
    ca: pem(caFile),
    cert: pem(certFile),
    key: pem(keyFile),
    login: username === null ? null : { username, password: orThrow(readPassword(passwordFile!)) },
  }
}

function orThrow<T extends Buffer | Secret>(found: T | KeyFault): T {
  if ('what' in found) throw new StoreError('refused', `control.etcd: ${found.what}; ${found.mend}`)
  return found
}
