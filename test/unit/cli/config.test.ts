// `vtepd config` as people run it; see main.test.ts.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { jsonSchema } from '../../../src/control/config/config.ts'
import { typed } from '../../support/command-line.ts'
import { OTHER, PRIVATE, PUBLIC } from '../../support/rfc7748.ts'
import { temporaryDir, temporaryFile } from '../../support/temporary.ts'

describe('config', () => {
  const GOOD =
    'node: host-a\nnetworks: { blue: { vni: 42, security: plain } }\npeers: { host-b: { endpoint: 198.18.0.2 } }\n'

  test('check says that it is good, or every fault', async () => {
    expect(await typed(['config', 'check', temporaryFile(GOOD)])).toEqual({
      code: 0,
      signal: null,
      stdout: 'good: node host-a, 1 network, 1 peer\n',
      stderr: '',
    })
    const path = temporaryFile('networks: { blue: { vni: -1, security: plain, color: red } }\n')
    const { code, stdout, stderr } = await typed(['config', 'check', path])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(
      /^vtepd: .*vtepd\.yaml: 2 faults:\n {2}networks\.blue\.vni: .*\n {2}networks\.blue\.color: .*\n$/,
    )
  })

  test('check takes -c as well, and has JSON', async () => {
    const { stdout } = await typed(['config', 'check', '-c', temporaryFile(GOOD), '--json'])
    expect(JSON.parse(stdout)).toEqual({ schema: 1, node: 'host-a', networks: ['blue'], peers: ['host-b'], notes: [] })
  })

  test('check names what is no fault and may surprise', async () => {
    const path = temporaryFile('masquerade: true\nnetworks: { blue: { vni: 42, security: plain, netns: tenant } }\n')
    const { code, stderr } = await typed(['config', 'check', path])
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^vtepd: networks\.blue\.netns: .* masquerade .*\n$/)])
  })

  test('check reads key files, and finds them from the directory of the file', async () => {
    const path = temporaryFile(
      `privateKeyFile: key\nnetworks: { blue: { vni: 42 } }\npeers: { b: { publicKey: ${OTHER} } }\n`,
    )
    const key = join(dirname(path), 'key')
    expect(await typed(['config', 'check', path])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`privateKeyFile: there is no file ${key}; make a key: (umask 077 &&`),
    })
    writeFileSync(key, `${PRIVATE}\n`, { mode: 0o600 })
    expect(await typed(['config', 'check', path])).toMatchObject({ code: 0, stderr: '' })
  })

  test('check takes every example, once there is a key', async () => {
    const dir = temporaryDir()
    const key = join(dir, 'key')
    writeFileSync(key, PRIVATE, { mode: 0o600 })
    const names = readdirSync('config/examples')
    for (const name of names) {
      const text = readFileSync(join('config/examples', name), 'utf8')
      writeFileSync(join(dir, name), text.replace(/^privateKeyFile: \S+/m, `privateKeyFile: ${key}`))
      expect(await typed(['config', 'check', join(dir, name)]), name).toMatchObject({ code: 0, stderr: '' })
    }
  })

  describe('import wg-quick', () => {
    const CONF = `[Interface]
PrivateKey = ${PRIVATE}
Address = 10.10.0.2/24
DNS = 10.10.0.1
[Peer]
PublicKey = ${OTHER}
PresharedKey = ${PRIVATE}
Endpoint = 198.18.0.2:51820
AllowedIPs = 10.10.0.0/24
`
    function conf(content: string, name = 'wg0.conf'): { dir: string; path: string; key: string } {
      const dir = temporaryDir()
      writeFileSync(join(dir, name), content)
      return { dir, path: join(dir, name), key: join(dir, 'wg0.key') }
    }

    test('prints a configuration that check takes, and puts the keys into files', async () => {
      const { dir, path, key } = conf(CONF)
      const { code, stdout, stderr } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect(code).toBe(0)
      expect(stderr).toBe(
        `vtepd: ${path}: not carried over: DNS (line 4): the agent leaves name resolution alone: ` +
          '`resolvectl dns wg0 10.10.0.1` once it is up\n' +
          `vtepd: wrote ${key}\nvtepd: wrote ${join(dir, 'wg0-peer-1.psk')}\n`,
      )
      for (const name of ['wg0.key', 'wg0-peer-1.psk']) {
        expect(readFileSync(join(dir, name), 'latin1')).toBe(`${PRIVATE}\n`)
        expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
      }
      expect(stdout + stderr).not.toContain(PRIVATE)
      writeFileSync(join(dir, 'vtepd.yaml'), `node: host-a\n${stdout}`)
      expect(await typed(['config', 'check', join(dir, 'vtepd.yaml')])).toMatchObject({
        code: 0,
        stdout: 'good: node host-a, 1 network, 1 peer\n',
      })
    })

    test('has JSON', async () => {
      const { path, key } = conf(CONF)
      const { stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key, '--vni', '7', '-j'])
      expect(JSON.parse(stdout)).toMatchObject({
        schema: 1,
        config: { privateKeyFile: key, networks: { wg0: { vni: 7, device: 'tun' } } },
        notCarriedOver: [{ line: 4, key: 'DNS' }],
      })
    })

    test('refuses to print keys, and to write over a file', async () => {
      const { dir, path, key } = conf(CONF)
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: `vtepd: ${path} holds 2 keys, which are not printed: name a file for the private one with --key-out FILE; preshared ones go beside it\n`,
      })
      writeFileSync(join(dir, 'wg0-peer-1.psk'), 'mine')
      expect(await typed(['config', 'import', 'wg-quick', path, '--key-out', key])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `vtepd: ${join(dir, 'wg0-peer-1.psk')} is there already; remove it, or name another with --key-out\n`,
      })
      // Nothing is left of what was begun.
      expect(readdirSync(dir).sort()).toEqual(['wg0-peer-1.psk', 'wg0.conf'])
      expect(readFileSync(join(dir, 'wg0-peer-1.psk'), 'latin1')).toBe('mine')
    })

    test('writes nothing for what the agent would not take', async () => {
      const { dir, path, key } = conf(CONF.replace(OTHER, PUBLIC))
      const { code, stderr, stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/peers\.peer-1\.publicKey: it is this host's own public key/)
      expect(readdirSync(dir)).toEqual(['wg0.conf'])
    })

    test.each([
      ['/nowhere/wg0.conf', [], 2, 'no such file; name the .conf of wg-quick'],
      [null, ['--vni', '16777216'], 2, '--vni: want 0..16777215, got "16777216"'],
      [null, ['--key-out', '/nowhere/key'], 1, '/nowhere/key: no such directory; make it: mkdir -p -m 0755 /nowhere'],
    ])('fails in words: %s %j', async (name, words, code, said) => {
      const path = name ?? conf(CONF).path
      const result = await typed(['config', 'import', 'wg-quick', path, ...words])
      expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) })
    })

    test('lists every fault of the file by its line', async () => {
      const { path } = conf('[Interface]\nMTU = x\nKey = 1\n')
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stderr: `vtepd: ${path}: 2 faults:\n  line 2: MTU: want 0..65535, got "x"; mend it there\n  line 3: Key: no key of [Interface]; mend it there\n`,
      })
    })

    test('takes a file without a key when it is told where one is', async () => {
      const bare = CONF.replace(/^P.*Key = .*\n/m, '').replace(/^PresharedKey.*\n/m, '')
      const { dir, path, key } = conf(bare)
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('has no PrivateKey'),
      })
      const { code, stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect([code, stdout]).toEqual([0, expect.stringContaining(`privateKeyFile: ${key}\n`)])
      expect(readdirSync(dir)).toEqual(['wg0.conf'])
    })
  })

  test('schema is the JSON Schema', async () => {
    const { stdout } = await typed(['config', 'schema'])
    expect(JSON.parse(stdout)).toEqual(jsonSchema())
  })
})
