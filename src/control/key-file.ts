// Files with one key in them: as `vtepd genkey` and `vtepd genpsk` write them, for nobody but their owner. What is wrong with
// one is said with the command to type; nothing of its content is ever shown.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isZeroKey, KEY_TEXT_LEN, keyFromBase64 } from './key.ts'
import { Secret } from './secret.ts'

/** A key and some blank lines. */
const SIZE_MAX = 4096

export interface KeyFault {
  readonly what: string
  readonly mend: string
  /** There is no such file. */
  readonly isMissing?: true
}

/** `maker`: the command that makes such a key. */
export type ReadKey = (path: string, maker: string) => Secret | KeyFault

/** The key in the file, or what is wrong. */
export function readKeyFile(path: string, maker: string): Secret | KeyFault {
  const make = `make a key: (umask 077 && ${maker} > ${shellWord(path)})`
  return readOwnFile(path, make, (fd) => keyIn(fd, path, maker))
}

/**
 * What `read` makes of a file that nobody but its owner may use, or what is wrong with it; `make`: how to get one. Waits for
 * nothing: a pipe or a device is no file for a secret.
 */
export function readOwnFile(path: string, make: string, read: (fd: number) => Secret | KeyFault): Secret | KeyFault {
  const name = shellWord(path)
  let fd = -1
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const stat = fstatSync(fd)
    if (!stat.isFile()) return { what: `${path} is no file`, mend: 'name a file with the secret in it' }
    const mode = stat.mode & 0o777
    if ((mode & 0o077) !== 0) {
      const octal = mode.toString(8).padStart(4, '0')
      return { what: `others than its owner may use ${path} (mode ${octal})`, mend: `type: chmod 600 ${name}` }
    }
    return read(fd)
  } catch (error) {
    return openFault(error as NodeJS.ErrnoException, path, make)
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}

function keyIn(fd: number, path: string, maker: string): Secret | KeyFault {
  const content = new Uint8Array(SIZE_MAX + 1)
  let key: Uint8Array | null = null
  try {
    const length = readSync(fd, content)
    let end = Math.min(length, content.length)
    while (end > 0 && isBlank(content[end - 1]!)) end--
    if (end === 0) return { what: `${path} is empty`, mend: `make a key: ${maker} > ${shellWord(path)}` }
    key = end === KEY_TEXT_LEN && length <= SIZE_MAX ? keyFromBase64(content.subarray(0, end)) : null
    if (!key) {
      const mend = `write one line of 44 characters there, as \`${maker}\` prints it`
      return { what: `${path} holds no key, which is 32 bytes in base64`, mend }
    }
    if (isZeroKey(key)) return { what: `${path} holds zeros, which is no key`, mend: `make one with \`${maker}\`` }
    return new Secret(key)
  } finally {
    content.fill(0)
    key?.fill(0)
  }
}

function openFault(error: NodeJS.ErrnoException, path: string, make: string): KeyFault {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return {
        what: `there is no file ${path}`,
        mend: make,
        isMissing: true,
      }
    case 'EACCES':
    case 'EPERM':
      return { what: `not permitted to read ${path}`, mend: 'run as root, or as the owner of the file' }
    default:
      return { what: `cannot read ${path} (${error.code ?? error.message})`, mend: 'name a file with the key in it' }
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

/** A word as a shell takes it, quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[\w/.,:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
