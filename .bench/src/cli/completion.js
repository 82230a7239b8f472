// `vtepd completion bash|zsh`: a script made from the table of commands, which needs no vtepd to run while one types.
import { COMMANDS, GLOBAL_FLAGS } from './commands.js';
import { DONE } from './exit.js';
import { print } from './output.js';
export async function completion(flags) {
    print(flags.text('shell') === 'zsh' ? zsh() : bash());
    return DONE;
}
/** bash(1), Programmable Completion. */
export function bash() {
    const words = (commands) => commands.map((c) => c.name).join(' ');
    const cases = paths(COMMANDS).map(({ path, command }) => {
        const own = [
            ...(command.commands ?? []).map((c) => c.name),
            ...(command.arguments ?? []).flatMap((a) => a.choices ?? []),
            ...(command.flags ?? []).map((f) => `--${f.name}`),
        ];
        return `    '${path}') words="${own.join(' ')}" ;;`;
    });
    return `# bash completion for vtepd; made by \`vtepd completion bash\`
_vtepd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= word words=
  case $prev in
    ${valueFlags('FILE').join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    ${valueFlags('DIR').join('|')}) COMPREPLY=($(compgen -d -- "$cur")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) path="$path $word" ;; esac
  done
  case $path in
    '') words="${words(COMMANDS)}" ;;
${cases.join('\n')}
    ' config check'*) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words ${GLOBAL_FLAGS.map((f) => `--${f.name}`).join(' ')} --help" -- "$cur"))
}
complete -F _vtepd vtepd`;
}
/** zshcompsys(1), through bash's script: one description for both shells. */
export function zsh() {
    return `#compdef vtepd
# zsh completion for vtepd; made by \`vtepd completion zsh\`
autoload -U +X bashcompinit && bashcompinit
${bash()}`;
}
function paths(commands, above = '') {
    return commands.flatMap((command) => {
        const path = `${above} ${command.name}`;
        return [{ path, command }, ...paths(command.commands ?? [], path)];
    });
}
function valueFlags(value) {
    const all = [...GLOBAL_FLAGS, ...paths(COMMANDS).flatMap(({ command }) => command.flags ?? [])];
    return all.filter((f) => f.value === value).flatMap((f) => [`--${f.name}`, ...(f.short ? [`-${f.short}`] : [])]);
}
//# sourceMappingURL=completion.js.map