import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { bash, zsh } from '../../../src/cli/completion.ts'

/** What bash offers for a line whose last word is being typed. */
function offered(...line: string[]): string[] {
  const words = line.map((w) => `'${w}'`).join(' ')
  const script = `${bash()}\nCOMP_WORDS=(${words}); COMP_CWORD=${line.length - 1}; _vtepd; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean)
}

describe('completion', () => {
  test('the shipped scripts are what the command prints', () => {
    expect(readFileSync('config/completions/vtepd.bash', 'utf8')).toBe(`${bash()}\n`)
    expect(readFileSync('config/completions/_vtepd', 'utf8')).toBe(`${zsh()}\n`)
  })

  test('bash offers every command', () => {
    expect(offered('vtepd', '')).toEqual(expect.arrayContaining(COMMANDS.map((c) => c.name)))
  })

  test('bash offers what begins as typed, subcommands and their flags', () => {
    expect(offered('vtepd', 'sta')).toEqual(['status'])
    expect(offered('vtepd', 'fdb', '')).toEqual(expect.arrayContaining(['add', 'del', '--network']))
    expect(offered('vtepd', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh']))
    expect(offered('vtepd', 'up', '--vn')).toEqual(['--vni'])
  })

  test('bash offers files where a file is wanted', () => {
    expect(offered('vtepd', 'up', '-c', 'package.j')).toEqual(['package.json'])
  })
})
