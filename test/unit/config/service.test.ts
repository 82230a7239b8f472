// What is shipped for service managers. docs/command-line.md says where it goes.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { missing } from '../../support/root.ts'

const run = promisify(execFile)
const lacking = missing(['systemd-analyze'])

function lines(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n')
}

describe('vtepd.service', () => {
  test.skipIf(lacking !== null)(`passes systemd-analyze verify${lacking ? ` (needs ${lacking})` : ''}`, async () => {
    // Its warnings are on stderr, with exit code 0.
    expect(await run('systemd-analyze', ['verify', 'config/vtepd.service'])).toEqual({ stdout: '', stderr: '' })
  })

  test('lets Node compile, reach /dev/net/tun, and reload by SIGHUP', () => {
    expect(lines('config/vtepd.service')).toEqual(
      expect.arrayContaining([
        'Type=notify',
        'MemoryDenyWriteExecute=no',
        'DeviceAllow=/dev/net/tun rw',
        'ExecReload=/bin/kill -HUP $MAINPID',
        'RuntimeDirectory=vtepd',
      ]),
    )
  })
})

describe('units for networkd and NetworkManager', () => {
  test('match the default names and keep hands off', () => {
    expect(lines('config/networkd/80-vtepd.network')).toEqual(expect.arrayContaining(['Name=vt*', 'Unmanaged=yes']))
    expect(lines('config/networkd/80-vtepd.link')).toEqual(
      expect.arrayContaining(['OriginalName=vt*', 'MACAddressPolicy=none']),
    )
    expect(lines('config/NetworkManager/vtepd.conf')).toContain('unmanaged-devices+=interface-name:vt*')
  })
})
