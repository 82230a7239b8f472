import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { COMMANDS, type Command, flagsOf, GLOBAL_FLAGS, QUICK_FLAGS } from '../../../src/cli/commands.ts'
import { variableOf } from '../../../src/cli/flags.ts'
import { Metrics } from '../../../src/control/api/metrics.ts'
import { STATUS } from '../../support/fake-agent.ts'

const page = readFileSync('docs/command-line.md', 'utf8')

function all(commands: readonly Command[], above: readonly string[] = []): { path: string; command: Command }[] {
  return commands.flatMap((command) => {
    const path = [...above, command.name]
    return [{ path: path.join(' '), command }, ...all(command.commands ?? [], path)]
  })
}

describe('the table of commands', () => {
  test.each(all(COMMANDS).map(({ path, command }) => [path, command] as const))(
    '%s can run, or leads to what can',
    async (_, command) => {
      if (command.load) expect(await command.load()).toBeTypeOf('function')
      else expect(command.commands!.length).toBeGreaterThan(0)
    },
  )

  test('uses no short flag twice in one command, and no name that is global', () => {
    for (const { path, command } of all(COMMANDS)) {
      const flags = [...(command.flags ?? []), ...GLOBAL_FLAGS]
      const names = flags.flatMap((flag) => [flag.name, ...(flag.short ? [flag.short] : [])])
      expect(new Set(names).size, path).toBe(names.length)
      expect(names, path).not.toContain('h')
    }
  })

  test('gives a flag of one name one kind, since one variable stands for it', () => {
    const kinds = new Map<string, string>()
    for (const { name, kind } of [...flagsOf(COMMANDS), ...GLOBAL_FLAGS]) {
      expect(kinds.get(name) ?? kind, name).toBe(kind)
      kinds.set(name, kind)
    }
  })
})

describe('docs/command-line.md', () => {
  test('has every command, flag and global variable', () => {
    for (const { path, command } of all(COMMANDS)) {
      if (command.load) expect(page).toContain(`\`vtepd ${path}`)
    }
    const flags = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS, ...QUICK_FLAGS]
    for (const flag of flags) expect(page, flag.name).toMatch(new RegExp(`--${flag.name}\\b`))
    for (const flag of GLOBAL_FLAGS) expect(page).toContain(`\`${variableOf(flag)}\``)
  })

  test('has every metric, and no other', async () => {
    const text = await new Metrics().text(STATUS, () => null)
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
    const section = page.slice(page.indexOf('## Metrics'), page.indexOf('## Service managers'))
    expect([...section.matchAll(/`(vtepd_\w+)`/g)].map(([, name]) => name!).sort()).toEqual(names.sort())
  })

  test('has every JSON field', () => {
    const fields = [STATUS, STATUS.networks[0]!, STATUS.peers[0]!].flatMap((part) => Object.keys(part))
    for (const field of fields) expect(page, field).toMatch(new RegExp(`\`${field}\`|\`${field} |\\b${field}\``))
  })
})
