// `vtepd genkey`, `pubkey` and `genpsk` as people run it; see main.test.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { built } from '../../../src/lab/built.ts'
import { ended, plainEnv, start, vtepd } from '../../support/command-line.ts'
import { PRIVATE, PUBLIC } from '../../support/rfc7748.ts'
import { temporaryDir } from '../../support/temporary.ts'

describe('keys', () => {
  async function pubkey(input: string, ...words: string[]): Promise<Awaited<ReturnType<typeof ended>>> {
    const child = start(['pubkey', ...words])
    child.stdin.end(input)
    return ended(child)
  }

  test.each(['genkey', 'genpsk'])('%s prints a key on a line, another one each time', async (command) => {
    const [one, other] = await Promise.all([vtepd([command]), vtepd([command])])
    expect(one).toMatchObject({ code: 0, stderr: '' })
    expect(one.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(other.stdout).not.toBe(one.stdout)
    const bytes = Buffer.from(one.stdout, 'base64')
    if (command === 'genkey') expect([bytes[0]! & 7, bytes[31]! & 0xc0]).toEqual([0, 0x40])
  })

  test.each(['', '\n', ' \r\n\n\0'])(
    'pubkey prints the public half of what comes in with %j behind it',
    async (tail) => {
      expect(await pubkey(PRIVATE + tail)).toEqual({ code: 0, signal: null, stdout: `${PUBLIC}\n`, stderr: '' })
    },
  )

  test.each([
    ['', 'Key is not the correct length or format'],
    [PRIVATE.slice(1), 'Key is not the correct length or format'],
    [` ${PRIVATE}`, 'Key is not the correct length or format'],
    [PRIVATE.replace('=', 'A'), 'Key is not the correct length or format'],
    [`${PRIVATE}x`, 'Trailing characters found after key'],
    [`${PRIVATE}\n${PRIVATE}`, 'Trailing characters found after key'],
  ])('pubkey of no key is exit 1: %j', async (input, said) => {
    expect(await pubkey(input)).toMatchObject({ code: 1, stdout: '', stderr: `vtepd: ${said}\n` })
  })

  test.each([
    [0o644, 'world'],
    [0o640, 'group'],
    [0o600, null],
  ])('a file of mode %o that others may read is warned about', async (mode, who) => {
    const path = join(temporaryDir(), 'key')
    writeFileSync(path, '')
    chmodSync(path, mode)
    const fd = openSync(path, 'w')
    const child = spawn(process.execPath, [built('main.js'), 'genkey'], {
      env: plainEnv(),
      stdio: ['ignore', fd, 'pipe'],
    })
    closeSync(fd)
    const [stderr] = await Promise.all([text(child.stderr!), once(child, 'close')])
    const warning = `Warning: writing to ${who} accessible file.\nConsider setting the umask to 077 and trying again.\n`
    expect(stderr).toBe(who ? warning : '')
    expect(readFileSync(path, 'latin1')).toHaveLength(45)
  })

  test('have JSON', async () => {
    const [key, psk, half] = await Promise.all([
      vtepd(['genkey', '-j']),
      vtepd(['genpsk', '-j']),
      pubkey(PRIVATE, '--json'),
    ])
    expect(Object.keys(JSON.parse(key.stdout))).toEqual(['schema', 'privateKey'])
    expect(Object.keys(JSON.parse(psk.stdout))).toEqual(['schema', 'presharedKey'])
    expect(JSON.parse(half.stdout)).toEqual({ schema: 1, publicKey: PUBLIC })
  })

  test('that do not fit on the disk are exit 1', async () => {
    const full = openSync('/dev/full', 'w')
    const words = [built('main.js'), 'genkey']
    const child = spawn(process.execPath, words, { env: plainEnv(), stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    expect([code, stderr]).toEqual([1, expect.stringContaining('cannot write to stdout: ENOSPC')])
  })
})
