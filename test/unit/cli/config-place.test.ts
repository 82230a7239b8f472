import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configPlace } from '../../../src/cli/config-place.ts'
import { parse } from '../../../src/cli/parse.ts'

async function place(words: string[], env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const parsed = await parse(['up', ...words], env)
  if (parsed.kind !== 'run') throw new Error('no command')
  return configPlace(parsed.flags)
}

const DEFAULT = '/etc/vtepd/vtepd.yaml'

describe('the configuration that is meant', () => {
  test.each<[string, string[], NodeJS.ProcessEnv, object]>([
    ['is the default one', [], {}, { file: undefined, main: DEFAULT }],
    ['is the file of -c, alone', ['-c', 'a.yaml'], {}, { file: 'a.yaml', main: DEFAULT }],
    ['is the default one of another directory', ['--config-dir', '/x'], {}, { file: undefined, main: '/x/vtepd.yaml' }],
    ['is named from here', ['--config-dir', 'x'], {}, { file: undefined, main: resolve('x/vtepd.yaml') }],
    ['is moved by VTEPD_CONFIG', [], { VTEPD_CONFIG: '/x/a.yaml' }, { file: undefined, main: '/x/a.yaml' }],
    ['is moved by VTEPD_CONFIG_DIR', [], { VTEPD_CONFIG_DIR: '/x' }, { file: undefined, main: '/x/vtepd.yaml' }],
    [
      'is what was typed rather than what is in the environment',
      ['--config-dir', '/y'],
      { VTEPD_CONFIG: '/x/a.yaml', VTEPD_CONFIG_DIR: '/z' },
      { file: undefined, main: '/y/vtepd.yaml' },
    ],
    [
      'is the file of -c, whatever is in the environment',
      ['-c', 'a.yaml'],
      { VTEPD_CONFIG: '/x/b.yaml', VTEPD_CONFIG_DIR: '/z' },
      { file: 'a.yaml', main: '/z/vtepd.yaml' },
    ],
  ])('%s', async (_, words, env, expected) => {
    expect(await place(words, env)).toEqual(expected)
  })

  test('is one: two that were typed are refused', async () => {
    await expect(place(['-c', 'a.yaml', '--config-dir', '/x'])).rejects.toThrow('drop one of them')
  })
})
