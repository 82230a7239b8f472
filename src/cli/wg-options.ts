// The command line of vtepd-wg, which is wireguard-go's: one interface, and the environment for the rest. Pure. Cold.
import type { Level } from '../log.ts'
import { Failure, USAGE } from './exit.ts'

export interface WgOptions {
  readonly interface: string
  readonly isForeground: boolean
  /** null: not a word. */
  readonly level: Level | null
  /** LOG_LEVEL was given: only then anybody reads what a process in the background writes. */
  readonly isLevelGiven: boolean
}

export type WgParsed = { readonly kind: 'run'; readonly options: WgOptions } | { readonly kind: 'help' | 'version' }

export const WG_HELP = `vtepd-wg IFACE

A WireGuard device in user space, which wg(8) configures: a stand-in for wireguard-go.

  -f, --foreground   Stay in the foreground; so does WG_PROCESS_FOREGROUND=1
      --version      The version
      --help         This help

Environment: LOG_LEVEL=verbose|error|silent (default error). Without LOG_LEVEL nothing is written once the device runs in
the background. To have wg-quick(8) use it: WG_QUICK_USERSPACE_IMPLEMENTATION=vtepd-wg wg-quick up FILE
`

const LEVELS: Readonly<Record<string, Level | null>> = {
  silent: null,
  error: 'error',
  verbose: 'debug',
  debug: 'debug',
}
const RESERVED = ['lo', 'all', 'default']

/** Throws Failure with exit code 2. */
export function parseWgOptions(args: readonly string[], env: NodeJS.ProcessEnv): WgParsed {
  let isForeground = env['WG_PROCESS_FOREGROUND'] === '1'
  const names: string[] = []
  for (const [i, arg] of args.entries()) {
    if (arg === '--help' || arg === '-h') return { kind: 'help' }
    if (arg === '--version') return { kind: 'version' }
    if (arg === '-f' || arg === '--foreground') isForeground = true
    else if (arg === '--') names.push(...args.slice(i + 1))
    else if (arg.startsWith('-')) throw usage(`there is no flag ${arg}`)
    else names.push(arg)
    if (arg === '--') break
  }
  if (names.length !== 1) throw usage(names.length === 0 ? 'no interface is named' : 'one interface at a time')
  const [name] = names as [string]
  const fault = nameFault(name)
  if (fault) throw usage(`${JSON.stringify(name)}: ${fault}`)
  const given = env['LOG_LEVEL'] ?? ''
  const known = Object.hasOwn(LEVELS, given) ? LEVELS[given]! : 'error'
  return {
    kind: 'run',
    options: {
      interface: name,
      isForeground,
      level: given === 'silent' ? null : known,
      isLevelGiven: given !== '' && given !== 'silent',
    },
  }
}

// dev_valid_name of the kernel; `%`, which asks it to choose a number; and no more than sh(1) takes without quotes.
function nameFault(name: string): string | null {
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > 15) return 'want 1 to 15 bytes'
  if (name === '.' || name === '..' || /[^\w=+.@-]/.test(name)) return 'want letters, digits and _ = + . @ -'
  if (RESERVED.includes(name)) return "the kernel's own; choose another"
  return null
}

function usage(what: string): Failure {
  return new Failure(USAGE, what, ['usage: vtepd-wg IFACE'])
}
