// A command line in its plain form: known words only, each flag as `--name value`, `--name=value` or `-c value`. That is nearly every
// line there is, and takes no parser: loading yargs (parse.ts) costs as much again as a short command does. Whatever is not plain
// (help, mistakes, rarer spellings) is yargs', which says the same of the rest; test/property/command-line.test.ts compares the two.
import { COMMANDS, type Command, type Flag, flagsOf, GLOBAL_FLAGS } from './commands.ts'
import { type Flags, join, unknownVariables } from './flags.ts'

export interface Call {
  readonly kind: 'run'
  readonly command: Command
  readonly flags: Flags
  readonly warnings: readonly string[]
}

/** null: not plain. Throws Failure for a value that a flag does not take. */
export function readPlain(args: readonly string[], env: NodeJS.ProcessEnv): Call | null {
  const read = new PlainLine()
  for (let i = 0; i < args.length; ) {
    const taken = read.take(args[i]!, args[i + 1])
    if (taken === 0) return null
    i += taken
  }
  const found = read.command()
  return found && callOf(found, read.typed, env)
}

/** `typed` has a key for each flag or argument that was given. */
export function callOf(command: Command, typed: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): Call {
  const known = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS]
  const warnings = unknownVariables(env, known).map((name) => `the variable ${name} names no flag and is ignored`)
  return { kind: 'run', command, flags: join(typed, [...(command.flags ?? []), ...GLOBAL_FLAGS], env), warnings }
}

class PlainLine {
  readonly typed: Record<string, string | string[] | boolean> = {}
  private found: Command | null = null
  /** Arguments of the command found, in their order. */
  private readonly values: string[] = []
  /** A flag of `found` was given: what comes now is none of its subcommands. */
  private settled = false

  /** How many words this one takes, 1 or 2; 0: it is not plain. */
  take(word: string, next: string | undefined): number {
    if (!isValue(word)) return this.takeFlag(word, next)
    const below = this.found ? (this.found.commands ?? []) : COMMANDS
    const command = below.find((one) => one.name === word)
    if (!command) this.values.push(word)
    else if (this.settled || this.values.length > 0) return 0
    else this.found = command
    return 1
  }

  /** The command, once all words were taken; its arguments join what was typed. null: too few, too many, or not of its choice. */
  command(): Command | null {
    const { found, values } = this
    if (!found?.load) return null
    const all = found.arguments ?? []
    if (values.length > all.length) return null
    for (const [i, { name, optional, choices }] of all.entries()) {
      const value = values[i]
      if (value === undefined ? !optional : choices && !choices.includes(value)) return null
      if (value !== undefined) this.typed[name] = value
    }
    return found
  }

  private takeFlag(word: string, next: string | undefined): number {
    const [, name, , joined] = /^--([^=]+)(=(.*))?$/s.exec(word) ?? []
    const short = /^-([^-])$/.exec(word)?.[1]
    const fits = (f: Flag): boolean => (short === undefined ? f.name === name : f.short === short)
    const own = this.found?.flags?.find(fits)
    const flag = own ?? GLOBAL_FLAGS.find(fits)
    if (!flag || (flag.kind !== 'list' && flag.name in this.typed)) return 0
    if (own) this.settled = true
    if (flag.kind === 'switch') {
      if (joined !== undefined || next === 'true' || next === 'false') return 0
      this.typed[flag.name] = true
      return 1
    }
    const value = joined ?? next
    if (value === undefined || !isValue(value)) return 0
    const had = this.typed[flag.name]
    this.typed[flag.name] = flag.kind === 'list' ? [...((had as string[] | undefined) ?? []), value] : value
    return joined === undefined ? 2 : 1
  }
}

// A word that is no flag, and that yargs neither drops nor takes out of its quotes.
function isValue(word: string): boolean {
  return /^[^-"']/.test(word)
}
