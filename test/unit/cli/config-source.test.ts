import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../src/cli/config-source.ts'
import { ConfigError } from '../../../src/control/config/error.ts'
import type { Config } from '../../../src/control/config/model.ts'
import { temporaryDir } from '../../support/temporary.ts'

/** Writes files by their names below a directory of their own; vtepd.yaml is the main one. */
function write(files: Record<string, string>): string {
  const dir = temporaryDir()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return join(dir, 'vtepd.yaml')
}

/** What the standard files say. */
function standard(files: Record<string, string>): Promise<Config> {
  return readConfig(undefined, write(files))
}

/** Faults with the directory taken out. */
async function faults(files: Record<string, string>): Promise<string[]> {
  const main = write(files)
  const error = await readConfig(undefined, main).then(
    () => new Error('nothing is wrong'),
    (e: unknown) => e,
  )
  if (!(error instanceof ConfigError)) throw error
  return error.faults.map((fault) => fault.replaceAll(`${dirname(main)}/`, ''))
}

const BLUE = 'networks:\n  blue:\n    vni: 42\n    security: plain\n'
const RED = 'networks:\n  red: { vni: 43, security: plain }\n'
const HOST_B = 'peers:\n  host-b: { endpoint: 198.18.0.2, networks: [blue] }\n'

describe('the standard files', () => {
  test('are the main file alone without conf.d', async () => {
    expect((await standard({ 'vtepd.yaml': BLUE })).networks.map((n) => n.name)).toEqual(['blue'])
  })

  test('are joined name by name, in the order of their names', async () => {
    const config = await standard({
      'vtepd.yaml': `node: host-a\n${BLUE}`,
      'conf.d/20-peers.yaml': HOST_B,
      'conf.d/10-red.yaml': RED,
      'conf.d/30-empty.yaml': '# nothing yet\n',
      'conf.d/40-bare.yaml': 'peers:\n',
    })
    expect(config.node).toBe('host-a')
    expect(config.networks.map((n) => n.name)).toEqual(['blue', 'red'])
    expect(config.peers.map((p) => p.name)).toEqual(['host-b'])
  })

  test('of conf.d end in .yaml and do not begin with a dot', async () => {
    const files = { 'conf.d/a.yml': 'nonsense: 1', 'conf.d/.b.yaml': 'nonsense: 1', 'conf.d/c.yaml~': 'nonsense: 1' }
    expect((await standard({ 'vtepd.yaml': BLUE, ...files })).networks).toHaveLength(1)
  })

  test('may be those of conf.d alone, and other keys may stand there', async () => {
    const config = await standard({ 'conf.d/1.yaml': BLUE, 'conf.d/2.yaml': 'metrics: { listen: 127.0.0.1:9478 }\n' })
    expect(config.metrics).toEqual({ host: '127.0.0.1', port: 9478 })
  })

  test('must not say the same twice', async () => {
    const files = {
      'vtepd.yaml': `node: a\n${BLUE}`,
      'conf.d/1.yaml': `node: b\n${BLUE}${HOST_B}`,
      'conf.d/2.yaml': HOST_B,
    }
    expect(await faults(files)).toEqual([
      'conf.d/1.yaml: node: stands in vtepd.yaml as well; keep one of them (line 1)',
      'conf.d/1.yaml: networks.blue: stands in vtepd.yaml as well; keep one of them (line 3)',
      'conf.d/2.yaml: peers.host-b: stands in conf.d/1.yaml as well; keep one of them (line 2)',
    ])
  })

  test('name file and line of what is wrong', async () => {
    const files = {
      'vtepd.yaml': `${BLUE}    colour: green\n`,
      'conf.d/1.yaml': '# peers\npeers:\n  host-b:\n    endpoint: 198.18.0.2\n    networks:\n    - blue\n    - red\n',
      'conf.d/2.yaml': 'node: "a b"\n\nnetworks:\n  green:\n    vni: 42\n    security: plain\n',
    }
    expect(await faults(files)).toEqual([
      expect.stringMatching(/^networks\.blue\.colour: .*\(vtepd\.yaml, line 5\)$/),
      expect.stringMatching(/^networks\.green\.vni: .*\(conf\.d\/2\.yaml, line 5\)$/),
      expect.stringMatching(/^peers\.host-b\.networks\[1\]: .*\(conf\.d\/1\.yaml, line 7\)$/),
      expect.stringMatching(/^node: .*\(conf\.d\/2\.yaml, line 1\)$/),
    ])
  })

  test('name the line of an alias for what it stands for', async () => {
    const files = {
      'vtepd.yaml': BLUE,
      'conf.d/1.yaml': `peers:\n  a: &peer { endpoint: 198.18.0.2, networks: [nowhere] }\n  b: *peer\n`,
    }
    const found = await faults(files)
    expect(found).toContainEqual(expect.stringMatching(/^peers\.b\.networks\[0\]: .*\(conf\.d\/1\.yaml, line 3\)$/))
  })

  test('have each their own faults of syntax', async () => {
    const files = {
      'vtepd.yaml': BLUE,
      'conf.d/1.yaml': 'peers: [\n',
      'conf.d/2.yaml': '- a\n',
      'conf.d/3.yaml': 'node: a\nnode: b\n',
    }
    const found = await faults(files)
    expect(found.map((fault) => fault.split(': ')[0])).toEqual(['conf.d/1.yaml', 'conf.d/2.yaml', 'conf.d/3.yaml'])
    expect(found[2]).toMatch(/node: given twice; .*\(line 2\)$/)
  })

  test('that are missing are wrong usage, with what to do', async () => {
    await expect(standard({})).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/vtepd\.yaml: no such file; write one .*, name another with -c, or use flags/),
    })
  })
})

describe('a file that is named', () => {
  test('is all that is read', async () => {
    const main = write({ 'vtepd.yaml': BLUE, 'conf.d/1.yaml': RED })
    expect((await readConfig(main)).networks.map((n) => n.name)).toEqual(['blue'])
  })

  test('has its faults with its own lines', async () => {
    const main = write({ 'vtepd.yaml': `${BLUE}    colour: green\n` })
    await expect(readConfig(main)).rejects.toMatchObject({ faults: [expect.stringMatching(/\(line 5\)$/)] })
  })

  test('must be UTF-8', async () => {
    const main = write({ 'vtepd.yaml': BLUE })
    writeFileSync(main, Buffer.from(`${BLUE}# ein Kn\xf6del\n`, 'latin1'))
    await expect(readConfig(main)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/vtepd\.yaml: is not UTF-8; save it in that encoding \(line 5\)$/),
    })
  })

  test('must be a file', async () => {
    await expect(readConfig(temporaryDir())).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('is a directory'),
    })
    await expect(readConfig(join(temporaryDir(), 'x'))).rejects.toMatchObject({ exitCode: 2 })
  })
})
