// What is shipped: the tarball installs and runs elsewhere, the unit is one that systemd takes.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { version } from '../../src/version.ts'
import { missing } from '../support/root.ts'

const PATIENCE = 240_000

let dir: string | null = null

afterEach(() => {
  if (dir) rmSync(dir, { recursive: true, force: true })
  dir = null
})

function run(cwd: string, file: string, ...args: string[]): { status: number | null; out: string; err: string } {
  // Not as a child of npm: what `npm test` says in its environment is not the user's.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|VTEPD)/.test(name))
  // That the addon compiles and loads is the point, not how fast it is: setup compiles it as it is shipped.
  const env = { ...Object.fromEntries(inherited), CXXFLAGS: '-O0' }
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, env, encoding: 'utf8', timeout: PATIENCE })
  return { status, out: stdout, err: stderr }
}

describe('the package', () => {
  it(
    'installs from its tarball and runs',
    (context) => {
      const at = mkdtempSync(join(tmpdir(), 'vtepd-pack-'))
      dir = at
      // dist is what the tests run: packing must not compile it again under them.
      const packed = run('.', 'npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', at)
      expect(packed, packed.err).toMatchObject({ status: 0 })
      const [tarball] = readdirSync(at)
      writeFileSync(join(at, 'package.json'), '{ "name": "elsewhere", "version": "1.0.0" }')
      const installed = run(at, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`)
      if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT/.test(installed.err)) context.skip('no npm registry within reach')
      expect(installed, installed.err).toMatchObject({ status: 0 })
      expect(run(at, join(at, 'node_modules/.bin/vtepd'), '--version')).toMatchObject({
        status: 0,
        out: `${version}\n`,
      })
      const check = run(
        at,
        join(at, 'node_modules/.bin/vtepd'),
        'config',
        'check',
        'node_modules/vtepd/config/examples/two-hosts-tap.yaml',
      )
      expect(check, check.err).toMatchObject({ status: 0 })
      const script = `import { createAgent } from 'vtepd'; import { Tun } from 'vtepd/tuntap'; console.log(typeof createAgent, typeof Tun)`
      expect(run(at, process.execPath, '--input-type=module', '-e', script).out).toBe('function function\n')
    },
    PATIENCE,
  )

  const why = missing(['systemd-analyze'])
  it.skipIf(why)(why ? `has a unit that systemd takes (needs ${why})` : 'has a unit that systemd takes', () => {
    const verified = run('.', 'systemd-analyze', 'verify', 'config/vtepd.service')
    expect(verified).toEqual({ status: 0, out: '', err: '' })
  })
})
