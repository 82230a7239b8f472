import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { notify } from '../../../src/host/notify.ts'
import { start } from '../../../src/lab/command.ts'
import { missing } from '../../support/root.ts'

// Node has no Unix datagram sockets, so the service manager is a few lines of Python: bind, say so, print what comes.
const MANAGER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0', 1) if sys.argv[1].startswith('@') else sys.argv[1])
print('bound', flush=True)
print(s.recv(4096).decode(), flush=True)
`
const absent = missing(['python3'])
let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vtepd-notify-'))
})
afterEach(() => {
  delete process.env['NOTIFY_SOCKET']
  rmSync(dir, { recursive: true })
})

async function received(socket: string, state: string): Promise<string> {
  const manager = start(['python3', '-c', MANAGER, socket])
  const lines: string[] = []
  manager.stdout!.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const closed = once(manager, 'close')
  await once(manager.stdout!, 'data')
  process.env['NOTIFY_SOCKET'] = socket
  notify(state)
  await closed
  return lines.join('').replace('bound\n', '')
}

describe('notify', () => {
  it.skipIf(absent)(`reaches a socket in the file system${absent ? ` (needs ${absent})` : ''}`, async () => {
    expect(await received(join(dir, 'manager'), 'READY=1\nSTATUS=up')).toBe('READY=1\nSTATUS=up\n')
  })

  it.skipIf(absent)(`reaches an abstract socket${absent ? ` (needs ${absent})` : ''}`, async () => {
    expect(await received(`@vtepd-test-${process.pid}`, 'STOPPING=1')).toBe('STOPPING=1\n')
  })

  it('does nothing without NOTIFY_SOCKET', () => {
    notify('READY=1')
  })

  it.skipIf(absent)(`does not wait for a manager that reads nothing${absent ? ` (needs ${absent})` : ''}`, async () => {
    const socket = join(dir, 'idle')
    const manager = start(['python3', '-c', MANAGER.replace(/^print.*recv.*$/m, 'sys.stdin.read()'), socket])
    await once(manager.stdout!, 'data')
    process.env['NOTIFY_SOCKET'] = socket
    let told = 0
    while (told < 100_000 && notify('WATCHDOG=1')) told++
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(100_000)
    manager.kill()
    await once(manager, 'close')
  })

  it.each([
    ['nobody there', 'manager', 'ENOENT'],
    ['a path that is too long', 'x'.repeat(200), 'ENAMETOOLONG'],
  ])('%s: says so', (_title, name, code) => {
    process.env['NOTIFY_SOCKET'] = join(dir, name)
    expect(() => notify('READY=1')).toThrow(expect.objectContaining({ code }))
  })

  it('refuses a socket of another family', () => {
    process.env['NOTIFY_SOCKET'] = 'vsock:2:1234'
    expect(() => notify('READY=1')).toThrow(expect.objectContaining({ code: 'EAFNOSUPPORT' }))
  })
})
