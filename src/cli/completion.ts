// `vtepd completion bash|zsh`: scripts made from the table of commands, which need no vtepd to run while one types.
import { type Argument, COMMANDS, type Command, type Flag, GLOBAL_FLAGS } from './commands.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { print } from './output.ts'

export async function completion(flags: Flags): Promise<number> {
  print(flags.text('shell') === 'zsh' ? zsh() : bash())
  return DONE
}

/** For bash 4 and later (bash(1), Programmable Completion). */
export function bash(): string {
  const all = everyFlag(COMMANDS)
  const named = (flags: readonly Flag[]): string => flags.flatMap(spellings).join('|')
  const valued = all.filter((flag) => flag.kind !== 'switch')
  const choices = valued
    .filter((flag) => flag.choices)
    .map(
      (flag) => `    ${named([flag])}) COMPREPLY=($(compgen -W "${flag.choices!.join(' ')}" -- "$cur")); return ;;\n`,
    )
  const others = valued.filter((flag) => !flag.choices && flag.value !== 'FILE' && flag.value !== 'DIR')
  return `# bash completion for vtepd; made by \`vtepd completion bash\`
_vtepd_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$cur"))
}
_vtepd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= words= files= word skip=
  case $prev in
    ${named(valued.filter((flag) => flag.value === 'FILE'))}) _vtepd_files -f; return ;;
    ${named(valued.filter((flag) => flag.value === 'DIR'))}) _vtepd_files -d; return ;;
${choices.join('')}    ${named(others)}) COMPREPLY=(); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $skip ]]; then skip=; continue; fi
    case $word in
      ${named(valued)}) skip=1 ;;
      -*) ;;
      *) path="$path $word" ;;
    esac
  done
  case $path in
    '') words="${COMMANDS.map((c) => c.name).join(' ')}" ;;
${bashCases(COMMANDS, '').join('\n')}
  esac
  if [[ $files && $cur != -* ]]; then _vtepd_files -f; return; fi
  COMPREPLY=($(compgen -W "$words ${longNames(GLOBAL_FLAGS)} --help" -- "$cur"))
}
complete -F _vtepd vtepd`
}

function bashCases(commands: readonly Command[], above: string): string[] {
  return commands.flatMap((command) => {
    const path = `${above} ${command.name}`
    const [first] = command.arguments ?? []
    const names = (command.commands ?? []).map((c) => c.name)
    const words = [...names, ...(first?.choices ?? []), longNames(command.flags)].filter(Boolean).join(' ')
    const files = first?.isFile ? ' files=1' : ''
    // Behind its arguments only flags are left.
    const rest = `words="${longNames(command.flags)}" ;;`
    if (names.length === 0 && !first) return [`    '${path}'*) ${rest}`]
    return [
      `    '${path}') words="${words}"${files} ;;`,
      ...bashCases(command.commands ?? [], path),
      `    '${path} '*) ${rest}`,
    ]
  })
}

function longNames(flags: readonly Flag[] | undefined): string {
  return (flags ?? []).map((flag) => `--${flag.name}`).join(' ')
}

/** For zsh (zshcompsys(1)): with what each command and flag is for. */
export function zsh(): string {
  return `#compdef vtepd
# zsh completion for vtepd; made by \`vtepd completion zsh\`
_vtepd() {
  local -a flags=(
${[...GLOBAL_FLAGS.map(zshFlag), quoted('(- *)--help[This help]')].map((flag) => `    ${flag}`).join('\n')}
  )
  _vtepd_commands
}

${zshFunctions('_vtepd_commands', COMMANDS, []).join('\n\n')}

if [[ $funcstack[1] == _vtepd ]]; then _vtepd "$@"; else compdef _vtepd vtepd; fi`
}

// A function for a level of commands, and one for each level below.
function zshFunctions(name: string, commands: readonly Command[], own: readonly Flag[]): string[] {
  const describe = commands.map((c) => `    ${quoted(`${c.name}:${c.about.replaceAll(':', '\\:')}`)}`)
  const cases = commands.map((c) => {
    if (c.commands) return `    ${c.name}) ${name}_${c.name} ;;`
    return `    ${c.name}) _arguments -s : $flags${zshArguments(c.arguments ?? [], c.flags)} ;;`
  })
  const text = `${name}() {
  local -a commands=(
${describe.join('\n')}
  )
  local curcontext=$curcontext state line
  _arguments -s -C : $flags${zshArguments([], own)} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands; return ;;
    rest) ;;
    *) return ;;
  esac
  case $line[1] in
${cases.join('\n')}
  esac
}`
  const below = commands
    .filter((c) => c.commands)
    .flatMap((c) => zshFunctions(`${name}_${c.name}`, c.commands!, c.flags ?? []))
  return [text, ...below]
}

function zshArguments(args: readonly Argument[], flags: readonly Flag[] | undefined): string {
  const positions = args.map((a) => {
    const action = a.choices ? `(${a.choices.join(' ')})` : a.isFile ? '_files' : ' '
    return quoted(`:${a.about.replaceAll(':', '\\:')}:${action}`)
  })
  return [...(flags ?? []).map(zshFlag), ...positions].map((one) => ` ${one}`).join('')
}

function zshFlag(flag: Flag): string {
  const about = `[${flag.about.replace(/[[\]:]/g, '\\$&')}]`
  const action = flag.choices
    ? `(${flag.choices.join(' ')})`
    : flag.value === 'FILE'
      ? '_files'
      : flag.value === 'DIR'
        ? '_files -/'
        : ' '
  const value = flag.kind === 'switch' ? '' : `:${flag.value}:${action}`
  const names = spellings(flag)
  if (flag.kind === 'list') return quoted(`*${names[0]}${about}${value}`)
  if (names.length === 1) return quoted(`${names[0]}${about}${value}`)
  return `${quoted(`(${names.join(' ')})`)}{${names.join(',')}}${quoted(`${about}${value}`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function spellings(flag: Flag): string[] {
  return [`--${flag.name}`, ...(flag.short ? [`-${flag.short}`] : [])]
}

// Every flag once, by name.
function everyFlag(commands: readonly Command[]): Flag[] {
  const below = (list: readonly Command[]): Flag[] =>
    list.flatMap((c) => [...(c.flags ?? []), ...below(c.commands ?? [])])
  return [...new Map([...GLOBAL_FLAGS, ...below(commands)].map((flag) => [flag.name, flag])).values()]
}
