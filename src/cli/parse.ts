// The command line to a command and its flags, by yargs, which is fed the table of commands.ts and says what is wrong in one
// line. Nothing runs here.
import yargs, { type Argv } from 'yargs'
import { nearest } from '../control/config/fault.ts'
import { version } from '../version.ts'
import { COMMANDS, type Command, type Flag, flagsOf, GLOBAL_FLAGS } from './commands.ts'
import { Failure, USAGE } from './exit.ts'
import { type Flags, join, truthOf, unknownVariables } from './flags.ts'

export type Parsed =
  | { readonly kind: 'run'; readonly command: Command; readonly flags: Flags; readonly warnings: readonly string[] }
  /** Help or the version: goes to stdout as it is. */
  | { readonly kind: 'text'; readonly text: string }

const WIDTH = 100

const WORDS: Record<string, string> = {
  'Options:': 'Global flags:',
  'Positionals:': 'Arguments:',
  'Show help': 'This help',
  'Show version number': 'The version',
}

// Every word as it was typed: no numbers, no negation, no camel case, one value a flag.
const PARSER = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'strip-aliased': true,
}

/** Throws Failure with exit code 2 for what does not fit the table. `columns`: width of the terminal. */
export async function parse(typed: readonly string[], env: NodeJS.ProcessEnv, columns = WIDTH): Promise<Parsed> {
  const args = spelledOut(typed)
  let text = ''
  const parser = root(columns)
  addCommands(parser, COMMANDS, ['vtepd'])
  parser.fail((message, error) => {
    throw error instanceof Failure ? error : usage(args, message ?? error?.message ?? 'cannot be understood')
  })
  let chosen: Chosen | null = null
  try {
    await parser.parseAsync([...args], {}, (_error: unknown, _typed: unknown, output: string) => {
      text = output
    })
  } catch (thrown) {
    if (!(thrown instanceof Chosen)) throw thrown
    chosen = thrown
  }
  if (text !== '') return { kind: 'text', text: `${text.trimEnd()}\n` }
  if (chosen === null) throw usage(args, 'no command')
  const { command } = chosen
  const flags = join(chosen.typed, [...(command.flags ?? []), ...GLOBAL_FLAGS], env)
  return { kind: 'run', command, flags, warnings: warningsOf(env) }
}

// As yargs takes it: `help COMMAND` as `COMMAND --help`, and switches with `true` or `false` where they have a value, of which
// it takes any other for `false`.
function spelledOut(typed: readonly string[]): string[] {
  const end = typed.includes('--') ? typed.indexOf('--') : typed.length
  const words = typed.slice(0, end).map(switchSpelledOut)
  const args = words[0] === 'help' ? [...words.slice(1), '--help'] : words
  if (args.includes('--help') || args.includes('-h')) refuseUnknown(args)
  return [...args, ...typed.slice(end)]
}

// Where help is asked for, yargs shows that of what is above a command that is not there.
function refuseUnknown(args: readonly string[]): void {
  const path: string[] = []
  for (const arg of args) {
    const names = below(path)
    if (names.length === 0 || arg.startsWith('-')) return
    if (!names.includes(arg)) throw unknown(path, arg, false)
    path.push(arg)
  }
}

function switchSpelledOut(arg: string): string {
  const [, dashes, word, value] = /^(--?)([a-z-]+)=(.*)$/s.exec(arg) ?? []
  const isIt = (flag: Flag): boolean =>
    flag.kind === 'switch' && (dashes === '--' ? flag.name : flag.short) === word && word !== undefined
  const flag = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS].find(isIt)
  return flag ? `--${flag.name}=${truthOf(`--${flag.name}`, value!)}` : arg
}

// Thrown by a command's handler, which ends yargs' work: when a handler returns, yargs lays out a help page that nobody asked
// for, and that takes as long as everything it did before.
class Chosen {
  readonly command: Command
  readonly typed: Record<string, unknown>

  constructor(command: Command, typed: Record<string, unknown>) {
    this.command = command
    this.typed = typed
  }
}

function warningsOf(env: NodeJS.ProcessEnv): string[] {
  const known = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS]
  return unknownVariables(env, known).map((name) => `the variable ${name} names no flag and is ignored`)
}

// Of yargs 17 and later, and missing from its types.
interface UsageConfiguration {
  usageConfiguration(options: { 'hide-types': boolean }): Argv
}

function root(columns: number): Argv {
  const parser = (yargs() as Argv & UsageConfiguration)
    .usageConfiguration({ 'hide-types': true })
    .scriptName('vtepd')
    .locale('en')
    .updateStrings(WORDS)
    .parserConfiguration(PARSER)
    .usage('vtepd: layer 2 and layer 3 overlays between hosts, VXLAN in userspace\n\nUsage: vtepd <command> [flags]')
    .epilogue('A flag is also a variable: VTEPD_RUNTIME_DIR for --runtime-dir. `vtepd <command> --help` says more.')
    .help('help')
    .alias('help', 'h')
    .version(version)
    .wrap(Math.min(columns, WIDTH))
    .strict()
    .demandCommand(1)
    .exitProcess(false)
  for (const flag of GLOBAL_FLAGS) addFlag(parser, flag)
  return parser
}

function addCommands(parser: Argv, commands: readonly Command[], path: readonly string[]): void {
  for (const command of commands) {
    const usageText = [
      command.name,
      ...(command.arguments ?? []).map((a) => (a.optional ? `[${a.name}]` : `<${a.name}>`)),
    ]
    const build = (own: Argv): Argv => {
      const here = [...path, ...usageText].join(' ')
      const more = command.more === undefined ? '' : `\n\n${command.more}`
      own.usage(`${command.about}${more}\n\nUsage: ${here}${command.load ? '' : ' <command>'} [flags]`).epilogue('')
      for (const argument of command.arguments ?? []) {
        own.positional(argument.name, { type: 'string', describe: argument.about })
      }
      const flags = command.flags ?? []
      for (const flag of flags) addFlag(own, flag)
      if (flags.length > 0)
        own.group(
          flags.map((flag) => flag.name),
          'Flags:',
        )
      for (const example of command.examples ?? []) own.example(example, '')
      if (!command.load) own.demandCommand(1)
      addCommands(own, command.commands ?? [], [...path, command.name])
      return own
    }
    parser.command(usageText.join(' '), command.about, build as never, (typed) => {
      const extra = (typed._ as string[]).slice(path.length)[0]
      if (extra !== undefined) throw unknown([...path.slice(1), command.name], String(extra), false)
      checkChoices(command, typed)
      throw new Chosen(command, typed)
    })
  }
}

function addFlag(parser: Argv, flag: Flag): void {
  parser.option(flag.name, {
    ...(flag.short === undefined ? {} : { alias: flag.short }),
    type: flag.kind === 'switch' ? 'boolean' : 'string',
    requiresArg: flag.kind !== 'switch',
    describe: flag.about,
  })
}

function checkChoices(command: Command, typed: Record<string, unknown>): void {
  for (const { name, choices } of command.arguments ?? []) {
    const value = typed[name]
    if (!choices || value === undefined || choices.includes(String(value))) continue
    throw new Failure(USAGE, `${command.name}: want ${choices.join(' or ')}, got ${JSON.stringify(value)}`)
  }
}

// What yargs found, as one line with the mend.
function usage(args: readonly string[], message: string): Failure {
  const path = pathOf(args)
  const [, first] = /^Unknown (?:argument|command)s?: ([^,]+)/.exec(message) ?? []
  if (first !== undefined) {
    const option = args.find((arg) => arg === `--${first}` || arg.startsWith(`--${first}=`))
    return unknown(path, first, option !== undefined || args.some((arg) => /^-[^-]/.test(arg) && arg.includes(first)))
  }
  const [, flag] = /^Not enough arguments following: (\S+)/.exec(message) ?? []
  const where = ['vtepd', ...path].join(' ')
  if (flag !== undefined) {
    const { name, value } = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS].find(
      (f) => f.name === flag || f.short === flag,
    ) ?? {
      name: flag,
      value: 'VALUE',
    }
    return new Failure(USAGE, `--${name} has no value; want --${name} ${value}`)
  }
  if (message === 'no command' || message.startsWith('Not enough non-option')) {
    return new Failure(USAGE, `${where}: ${missing(path)}; \`${where} --help\` says more`)
  }
  return new Failure(USAGE, `${where}: ${message}; \`${where} --help\` says more`)
}

function missing(path: readonly string[]): string {
  const command = commandAt(path)
  if (!command?.arguments) return `want a command: ${below(path).join(', ')}`
  return `want ${command.arguments.map((argument) => argument.name.toUpperCase()).join(' and ')}`
}

function unknown(path: readonly string[], word: string, isFlag: boolean): Failure {
  const where = ['vtepd', ...path].join(' ')
  const short = word.length === 1
  const name = isFlag ? `${short ? '-' : '--'}${word}` : JSON.stringify(word)
  const own = [...(commandAt(path)?.flags ?? []), ...GLOBAL_FLAGS].map((f) => f.name)
  const guess = short && isFlag ? null : nearest(word, isFlag ? [...own, 'help', 'version'] : below(path))
  const kind = isFlag ? 'flag' : below(path).length > 0 ? 'command' : 'argument'
  const mend =
    guess === null
      ? `\`${where} --help\` lists what there is`
      : `did you mean ${isFlag ? `--${guess}` : `\`${where} ${guess}\``}?`
  return new Failure(USAGE, `${where}: unknown ${kind} ${name}; ${mend}`)
}

// The commands named on the command line, as far as they exist.
function pathOf(args: readonly string[]): string[] {
  const path: string[] = []
  for (const arg of args) {
    if (arg === '--') break
    if (below(path).includes(arg)) path.push(arg)
  }
  return path
}

function commandAt(path: readonly string[]): Command | null {
  let commands: readonly Command[] = COMMANDS
  let found: Command | null = null
  for (const name of path) {
    found = commands.find((one) => one.name === name) ?? null
    commands = found?.commands ?? []
  }
  return found
}

function below(path: readonly string[]): string[] {
  const commands = path.length === 0 ? COMMANDS : (commandAt(path)?.commands ?? [])
  return commands.map((command) => command.name)
}
