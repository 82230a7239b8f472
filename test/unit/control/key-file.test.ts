import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKeyFile } from '../../../src/control/key-file.ts'
import { Secret } from '../../../src/control/secret.ts'
import { temporaryDir } from '../../support/temporary.ts'

const BYTES = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1)
const TEXT = Buffer.from(BYTES).toString('base64')

function write(content: string | Uint8Array, mode = 0o600, name = 'key'): string {
  const path = join(temporaryDir(), name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

function read(path: string): string {
  const found = readKeyFile(path, 'vtepd genkey')
  if (found instanceof Secret) return Buffer.from(found.copy()).toString('base64')
  return `${found.what}; ${found.mend}`
}

describe('a key file', () => {
  test.each([
    ['with a line end', `${TEXT}\n`],
    ['without one', TEXT],
    ['with blanks behind', `${TEXT} \t\r\n\n`],
  ])('%s is read', (_, content) => expect(read(write(content))).toBe(TEXT))

  test.each([0o600, 0o400, 0o700])('is read with mode %o', (mode) => expect(read(write(TEXT, mode))).toBe(TEXT))

  test.each([
    [0o644, '0644'],
    [0o640, '0640'],
    [0o604, '0604'],
    [0o620, '0620'],
    [0o601, '0601'],
  ])('that others may use is refused with the command that mends it: %o', (mode, shown) => {
    const path = write(TEXT, mode)
    expect(read(path)).toBe(`others than its owner may use ${path} (mode ${shown}); type: chmod 600 ${path}`)
  })

  test('with a name that a shell would take apart is quoted in the command', () => {
    const path = write(TEXT, 0o644, "it's a key")
    expect(read(path)).toContain(`chmod 600 '${path.replace("'", "'\\''")}'`)
  })

  test.each([
    ['empty', '', 'is empty; make a key: vtepd genkey >'],
    ['blank', ' \n', 'is empty'],
    ['too short', `${TEXT.slice(1)}\n`, 'holds no key, which is 32 bytes in base64; write one line of 44 characters'],
    ['too long', `${TEXT}A`, 'holds no key'],
    ['indented', ` ${TEXT}`, 'holds no key'],
    ['hexadecimal', Buffer.from(BYTES).toString('hex'), 'holds no key'],
    ['two lines', `${TEXT}\n${TEXT}\n`, 'holds no key'],
    ['raw bytes', BYTES, 'holds no key'],
    ['very long', `${TEXT}${' '.repeat(5000)}`, 'holds no key'],
    ['zeros', Buffer.alloc(32).toString('base64'), 'holds zeros, which is no key; make one with `vtepd genkey`'],
  ])('that is %s is refused, and not shown', (_, content, said) => {
    const fault = read(write(content))
    expect(fault).toContain(said)
    expect(fault).not.toContain(TEXT.slice(1, 20))
  })

  test('that is not there is refused with the command that makes it', () => {
    const path = join(temporaryDir(), 'none')
    expect(read(path)).toBe(`there is no file ${path}; make a key: (umask 077 && vtepd genkey > ${path})`)
    expect(read(`${write(TEXT)}/key`)).toContain('there is no file')
  })

  test('that is a directory, a device or a pipe nobody writes to is no file', () => {
    const dir = temporaryDir()
    const pipe = join(dir, 'pipe')
    execFileSync('mkfifo', [pipe])
    mkdirSync(join(dir, 'dir'))
    for (const path of ['/dev/zero', join(dir, 'dir'), pipe]) expect(read(path)).toContain(`${path} is no file`)
  })
})
