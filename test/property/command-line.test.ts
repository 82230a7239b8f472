// Lines in plain form are read without yargs: what that makes of a line is what yargs makes of it, or nothing.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COMMANDS, type Command, type Flag, GLOBAL_FLAGS } from '../../src/cli/commands.ts'
import { parse } from '../../src/cli/parse.ts'
import { type Call, readPlain } from '../../src/cli/plain.ts'
import { seed } from '../support/seed.ts'

interface Path {
  readonly words: readonly string[]
  readonly command: Command
}

function pathsOf(commands: readonly Command[], above: readonly string[] = []): Path[] {
  return commands.flatMap((command) => {
    const words = [...above, command.name]
    return [{ words, command }, ...pathsOf(command.commands ?? [], words)]
  })
}

const PATHS = pathsOf(COMMANDS)
const ALL_FLAGS = [...PATHS.flatMap(({ command }) => command.flags ?? []), ...GLOBAL_FLAGS]
/** Beside words of all kinds: those that a parser of options is tempted by. */
const ODD = [
  '',
  '-',
  '--',
  '-1',
  '0x10',
  '1e3',
  'true',
  'false',
  'a=b',
  '"a"',
  "'a'",
  '"',
  'a b',
  '--no-json',
  '-jq',
  '-h',
]

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('eth0', '42', '10.42.0.1/24', '02:00:00:00:00:01', 'blue', 'tun', 'bash') },
  { weight: 1, arbitrary: fc.constantFrom(...ODD, ...PATHS.map(({ command }) => command.name)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
)

function given(flag: Flag): fc.Arbitrary<string[]> {
  const names = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])]
  if (flag.kind === 'switch') return fc.constantFrom(...names).map((name) => [name])
  return fc.tuple(fc.constantFrom(...names), value, fc.boolean()).map(([name, one, joined]) => {
    return joined ? [`${name}=${one}`] : [name, one]
  })
}

const line = fc.constantFrom(...PATHS).chain(({ words, command }) => {
  const flags = [...(command.flags ?? []), ...GLOBAL_FLAGS]
  const own = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...flags).chain(given) },
    { weight: 3, arbitrary: value.map((one) => [one]) },
    { weight: 1, arbitrary: fc.constantFrom(...ALL_FLAGS).chain(given) },
  )
  const before = fc.oneof(
    { weight: 4, arbitrary: fc.constant([[]]) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...GLOBAL_FLAGS).chain(given), { maxLength: 1 }) },
  )
  const positionals = fc.array(value, { minLength: 0, maxLength: command.arguments?.length ?? 0 })
  return fc
    .tuple(before, positionals, fc.array(own, { maxLength: 4 }))
    .map(([first, middle, rest]) => [...first.flat(), ...words, ...middle, ...rest.flat()])
})

/** What a call comes to: the command, and each flag with its value and origin. */
function seen({ command, flags, warnings }: Call): unknown {
  const names = [...(command.flags ?? []), ...GLOBAL_FLAGS, ...(command.arguments ?? [])].map(({ name }) => name)
  return {
    command,
    warnings,
    values: names.map((name) => [name, flags.origin(name), flags.on(name), flags.text(name), flags.list(name)]),
  }
}

async function byYargs(words: readonly string[], env: NodeJS.ProcessEnv): Promise<unknown> {
  try {
    const parsed = await parse(words, env)
    return parsed.kind === 'run' ? seen(parsed) : parsed
  } catch (error) {
    return { refused: (error as Error).message }
  }
}

function byItself(words: readonly string[], env: NodeJS.ProcessEnv): unknown {
  try {
    const call = readPlain(words, env)
    return call && seen(call)
  } catch (error) {
    return { refused: (error as Error).message }
  }
}

describe('a line in plain form', () => {
  it('is what yargs makes of it', async () => {
    let plain = 0
    await fc.assert(
      fc.asyncProperty(line, async (words) => {
        const mine = byItself(words, {})
        if (mine === null) return
        plain++
        expect(mine).toEqual(await byYargs(words, {}))
      }),
      { seed, numRuns: 1500 },
    )
    // Else nothing was compared.
    expect(plain).toBeGreaterThan(300)
  })

  const env = { VTEPD_RUNTIME_DIR: '/tmp/x', VTEPD_JSON: '1', VTEPD_NONSENSE: '1' }
  const usual = [
    'status --json',
    '--runtime-dir /tmp/y status',
    'up -c vtepd.yaml --state-dir=/tmp/z -v',
    'up --vni 42 --local 198.18.0.1 --local fd00::1 --peer 198.18.0.2 --address 10.42.0.1/24 --plain',
    'fdb add 02:00:00:00:00:01 198.18.0.2 --network blue',
    'fdb --network blue',
    'where 10.42.0.2 -j',
    'config check vtepd.yaml',
    'config import wg-quick wg0.conf',
    'completion bash',
    'stop --cleanup',
  ]
  for (const text of usual) {
    it(`is ${text}`, async () => {
      const words = text.split(' ')
      expect(byItself(words, env)).not.toBeNull()
      expect(byItself(words, env)).toEqual(await byYargs(words, env))
    })
  }

  for (const text of [
    '',
    'status --help',
    'up -h',
    '--version',
    'stauts',
    'fdb add',
    'status now',
    'status --nonsense 1',
    'config',
  ]) {
    it(`is not "${text}"`, () => expect(byItself(text.split(' ').filter(Boolean), {})).toBeNull())
  }
})
