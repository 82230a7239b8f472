import { describe, expect, test } from 'vitest'
import { COMMANDS, type Command } from '../../../src/cli/commands.ts'
import { Failure } from '../../../src/cli/exit.ts'
import { type Parsed, parse } from '../../../src/cli/parse.ts'
import { version } from '../../../src/version.ts'

async function run(line: string, env: NodeJS.ProcessEnv = {}): Promise<Parsed & { kind: 'run' }> {
  const parsed = await parse(words(line), env)
  if (parsed.kind !== 'run') throw new Error(`printed: ${parsed.text}`)
  return parsed
}

async function text(line: string): Promise<string> {
  const parsed = await parse(words(line), {})
  if (parsed.kind !== 'text') throw new Error('ran')
  return parsed.text
}

async function fault(line: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const error = await parse(words(line), env).then(
    () => new Error('nothing is wrong'),
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(Failure)
  expect((error as Failure).exitCode).toBe(2)
  expect((error as Failure).message).not.toContain('\n')
  return (error as Failure).message
}

function words(line: string): string[] {
  return line.split(' ').filter(Boolean)
}

function everyPath(commands: readonly Command[], above = ''): string[] {
  return commands.flatMap((c) => [`${above}${c.name}`, ...everyPath(c.commands ?? [], `${above}${c.name} `)])
}

describe('a command line', () => {
  test('finds commands, subcommands and their arguments', async () => {
    expect((await run('status')).command.name).toBe('status')
    expect((await run('fdb')).command.name).toBe('fdb')
    const { command, flags } = await run('fdb add 02:00:00:00:00:01 host-b --network blue')
    expect(command.name).toBe('add')
    expect(['mac', 'vtep', 'network'].map((name) => flags.text(name))).toEqual(['02:00:00:00:00:01', 'host-b', 'blue'])
    const deep = await run('config import wg-quick wg0.conf --key-out k')
    expect([deep.command.name, deep.flags.text('file'), deep.flags.text('key-out')]).toEqual([
      'wg-quick',
      'wg0.conf',
      'k',
    ])
  })

  test('takes flags before and behind the command, short ones together', async () => {
    for (const line of [
      '-c x.yaml -jv status',
      'status -c x.yaml -j -v',
      'status -vj --config=x.yaml',
      '-j status -v -c x.yaml',
    ]) {
      const { flags } = await run(line)
      expect([flags.text('config'), flags.on('json'), flags.on('verbose'), flags.on('quiet')]).toEqual([
        'x.yaml',
        true,
        true,
        false,
      ])
    }
  })

  test('leaves every value as it was typed', async () => {
    const { flags } = await run('up --vni 0042 --mtu 1e3 --peer 10.0.0.1 --peer ::1 --interface 007 --local 1.0')
    expect(['vni', 'mtu', 'interface'].map((name) => flags.text(name))).toEqual(['0042', '1e3', '007'])
    expect([flags.list('peer'), flags.list('local')]).toEqual([['10.0.0.1', '::1'], ['1.0']])
  })

  test('a switch may have a value, as in the environment', async () => {
    for (const on of ['--json', '--json=1', '--json=yes', '-j=on', '--json=TRUE']) {
      expect((await run(`status ${on}`)).flags.on('json'), on).toBe(true)
    }
    for (const off of ['--json=0', '--json=no', '-j=off', '--json=false']) {
      expect((await run(`status ${off}`, { VTEPD_JSON: '1' })).flags.on('json'), off).toBe(false)
    }
    expect((await run('stop --cleanup=yes')).flags.on('cleanup')).toBe(true)
  })

  test('a repeatable flag takes one value at a time', async () => {
    expect(await fault('up --peer 10.0.0.1 10.0.0.2')).toMatch(/unknown argument "10\.0\.0\.2"/)
  })

  test.each([
    ['', /^vtepd: want a command: up, stop, .*, demo; `vtepd --help` says more$/],
    ['-j', /^vtepd: want a command/],
    ['statsu', /^vtepd: unknown command "statsu"; did you mean `vtepd status`\?$/],
    ['attach', /^vtepd: unknown command "attach"; `vtepd --help` lists what there is$/],
    ['fdb ad x', /^vtepd fdb: unknown command "ad"; did you mean `vtepd fdb add`\?$/],
    ['config', /^vtepd config: want a command: check, schema, import/],
    ['config chek', /^vtepd config: unknown command "chek"; did you mean `vtepd config check`\?$/],
    ['status --jsn', /^vtepd status: unknown flag --jsn; did you mean --json\?$/],
    ['status --jsn=1', /^vtepd status: unknown flag --jsn; did you mean --json\?$/],
    ['status --vni 4', /^vtepd status: unknown flag --vni/],
    ['status --no-json', /^vtepd status: unknown flag --no-json/],
    ['status -x', /^vtepd status: unknown flag -x/],
    ['up --zebra f', /^vtepd up: unknown flag --zebra; `vtepd up --help`/],
    ['up --kez f', /^vtepd up: unknown flag --kez; did you mean --key\?$/],
    ['genkey x', /^vtepd genkey: unknown argument "x"/],
    ['config import', /^vtepd config import: want a command: wg-quick/],
    ['config import flannel x', /^vtepd config import: unknown command "flannel"/],
    ['config import wg-quick', /^vtepd config import wg-quick: want FILE/],
    ['status x', /^vtepd status: unknown argument "x"/],
    ['status -- x', /^vtepd status: unknown argument "x"/],
    ['fdb add a', /^vtepd fdb add: want MAC and VTEP/],
    ['fdb add a b c', /^vtepd fdb add: unknown argument "c"/],
    ['fdb --network', /^--network has no value; want --network NAME$/],
    ['fdb --network=', /^--network has no value/],
    ['fdb --network --json', /^--network has no value/],
    ['-c', /^--config has no value; want --config FILE$/],
    ['fdb --network a --network b', /^--network is given 2 times; keep one$/],
    ['up --device tab', /^--device: want tap or tun, got "tab"$/],
    ['completion fish', /^completion: want bash or zsh, got "fish"$/],
    ['status --json=maybe', /^--json: want 1 or 0, got "maybe"$/],
    ['up --plain=', /^--plain: want 1 or 0, got ""$/],
    ['-- status', /^vtepd: want a command: up, stop/],
    ['statsu --help', /^vtepd: unknown command "statsu"; did you mean `vtepd status`\?$/],
    ['config import flannel -h', /^vtepd config import: unknown command "flannel"/],
    ['help attach', /^vtepd: unknown command "attach"/],
  ])('%s is refused in one line', async (line, message) => {
    expect(await fault(line)).toMatch(message)
  })

  test.each(['attach', 'detach', 'ports', 'bench', 'doctor'])(
    '%s, which this version does not deliver, is no command',
    async (name) => {
      expect(await fault(name)).toMatch(/unknown command/)
      expect(await text('--help')).not.toMatch(new RegExp(`vtepd ${name}\\b`))
    },
  )
})

describe('the environment', () => {
  test('stands in for flags, and what is typed goes before it', async () => {
    const env = { VTEPD_RUNTIME_DIR: '/env', VTEPD_NETWORK: 'blue', VTEPD_JSON: '1' }
    const { flags } = await run('fdb --runtime-dir /typed', env)
    expect([flags.runtimeDir, flags.text('network'), flags.on('json')]).toEqual(['/typed', 'blue', true])
    expect([flags.origin('runtime-dir'), flags.origin('network'), flags.origin('state-dir')]).toEqual([
      'command line',
      'environment',
      null,
    ])
  })

  test('does not disturb a command that lacks the flag', async () => {
    const { warnings } = await run('status', { VTEPD_VNI: '42' })
    expect(warnings).toEqual([])
  })

  test('is warned about where it names no flag', async () => {
    const { warnings } = await run('status', { VTEPD_FOO: '1', VTEPD: 'x', VTEPDX: 'y', VTEPD_config: 'z' })
    expect(warnings).toEqual(
      ['VTEPD_FOO', 'VTEPD', 'VTEPD_config'].map((name) => `the variable ${name} names no flag and is ignored`),
    )
  })

  test('lists are separated by commas or blanks, switches are yes or no', async () => {
    const { flags } = await run('up', { VTEPD_PEER: '10.0.0.1, 10.0.0.2 ::1', VTEPD_PLAIN: 'off', VTEPD_QUIET: 'TRUE' })
    expect(flags.list('peer')).toEqual(['10.0.0.1', '10.0.0.2', '::1'])
    expect([flags.on('plain'), flags.on('quiet')]).toEqual([false, true])
    expect(await fault('up', { VTEPD_PLAIN: 'maybe' })).toBe('VTEPD_PLAIN: want 1 or 0, got "maybe"')
    expect(await fault('up', { VTEPD_DEVICE: 'tab' })).toBe('VTEPD_DEVICE: want tap or tun, got "tab"')
  })

  test('an empty variable is none', async () => {
    expect((await run('status', { VTEPD_CONFIG: '', VTEPD_JSON: '' })).flags.origin('json')).toBeNull()
  })
})

describe('help', () => {
  test('lists every command and every global flag, and fits a terminal', async () => {
    const page = await text('--help')
    for (const { name } of COMMANDS) expect(page).toContain(`vtepd ${name}`)
    for (const flag of ['-c, --config', '--runtime-dir', '--state-dir', '-j, --json', '-q, --quiet', '-v, --verbose']) {
      expect(page).toContain(flag)
    }
    expect(page.split('\n').length).toBeLessThan(48)
    expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  test.each(everyPath(COMMANDS))('of %s says how it is used', async (path) => {
    const page = await text(`${path} --help`)
    expect(page).toContain(`Usage: vtepd ${path}`)
    expect(page).toContain('Global flags:')
    expect(page).not.toMatch(/\[(boolean|string|array)\]/)
  })

  test('is -h too, and the version is what package.json says', async () => {
    expect(await text('up -h')).toBe(await text('up --help'))
    expect(await text('help fdb add')).toBe(await text('fdb add --help'))
    expect(await text('help')).toBe(await text('--help'))
    expect(await text('--version')).toBe(`${version}\n`)
  })
})
