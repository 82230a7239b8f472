// The flags of one call: the command line first, then VTEPD_<FLAG> from the environment, then nothing (the configuration and
// its defaults follow). Values stay text; who needs a number asks for one.
import type { Flag } from './commands.ts'
import { Failure, USAGE } from './exit.ts'

export type Value = boolean | string | readonly string[]
/** Where a flag's value came from. */
export type Origin = 'command line' | 'environment'

export class Flags {
  private readonly values: ReadonlyMap<string, { readonly value: Value; readonly origin: Origin }>

  constructor(values: ReadonlyMap<string, { value: Value; origin: Origin }>) {
    this.values = values
  }

  /** null: not given. */
  origin(name: string): Origin | null {
    return this.values.get(name)?.origin ?? null
  }

  on(name: string): boolean {
    return this.values.get(name)?.value === true
  }

  text(name: string): string | undefined {
    const value = this.values.get(name)?.value
    return typeof value === 'string' ? value : undefined
  }

  list(name: string): readonly string[] {
    const value = this.values.get(name)?.value
    return Array.isArray(value) ? value : []
  }

  /** A flag that the command cannot do without. */
  need(name: string, why: string): string {
    const text = this.text(name)
    if (text === undefined) throw new Failure(USAGE, `--${name} is missing: ${why}`)
    return text
  }

  get runtimeDir(): string {
    return this.text('runtime-dir') ?? '/run/vtepd'
  }

  get stateDir(): string {
    return this.text('state-dir') ?? '/var/lib/vtepd'
  }
}

/** VTEPD_RUNTIME_DIR for runtime-dir. */
export function variableOf(flag: Flag): string {
  return `VTEPD_${flag.name.toUpperCase().replaceAll('-', '_')}`
}

/** Variables that are no flags: the agent counts CPU time for `npm run bench` with this one. */
const OTHER_VARIABLES = ['VTEPD_PROFILE']

/** The variables VTEPD or VTEPD_X that name no flag in `known`. */
export function unknownVariables(env: NodeJS.ProcessEnv, known: readonly Flag[]): string[] {
  const names = new Set([...known.map(variableOf), ...OTHER_VARIABLES])
  return Object.keys(env).filter((name) => (name === 'VTEPD' || name.startsWith('VTEPD_')) && !names.has(name))
}

/** Joins what was typed with the environment. `typed` has a key for each flag or argument that was given. */
export function join(typed: Readonly<Record<string, unknown>>, flags: readonly Flag[], env: NodeJS.ProcessEnv): Flags {
  const values = new Map<string, { value: Value; origin: Origin }>()
  for (const flag of flags) {
    const given = typed[flag.name]
    const variable = env[variableOf(flag)]
    if (given !== undefined) values.set(flag.name, { value: typedValue(flag, given), origin: 'command line' })
    else if (variable !== undefined && variable !== '') {
      values.set(flag.name, { value: variableValue(flag, variable), origin: 'environment' })
    }
  }
  for (const [name, value] of Object.entries(typed)) {
    if (typeof value === 'string' && !values.has(name)) values.set(name, { value, origin: 'command line' })
  }
  return new Flags(values)
}

function typedValue(flag: Flag, given: unknown): Value {
  const label = `--${flag.name}`
  if (flag.kind === 'list') return (Array.isArray(given) ? given : [given]).map((one) => text(label, flag, String(one)))
  if (Array.isArray(given)) {
    if (flag.kind === 'switch') return given.at(-1) === true
    throw new Failure(USAGE, `${label} is given ${given.length} times; keep one`)
  }
  return flag.kind === 'switch' ? given === true : text(label, flag, String(given))
}

function variableValue(flag: Flag, variable: string): Value {
  const label = variableOf(flag)
  if (flag.kind === 'text') return text(label, flag, variable)
  if (flag.kind === 'list') return variable.split(/[\s,]+/).filter((part) => part !== '')
  return truthOf(label, variable)
}

/** What a switch is set to, where it has a value. */
export function truthOf(label: string, value: string): boolean {
  if (/^(1|true|yes|on)$/i.test(value)) return true
  if (/^(0|false|no|off)$/i.test(value)) return false
  throw new Failure(USAGE, `${label}: want 1 or 0, got ${JSON.stringify(value)}`)
}

function text(label: string, flag: Flag, value: string): string {
  if (value === '') throw new Failure(USAGE, `${label} has no value; want ${label} ${flag.value ?? 'VALUE'}`)
  if (flag.choices && !flag.choices.includes(value)) {
    throw new Failure(USAGE, `${label}: want ${flag.choices.join(' or ')}, got ${JSON.stringify(value)}`)
  }
  return value
}
