# bash completion for vtepd; made by `vtepd completion bash`
_vtepd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word words=
  case $prev in
    --config|-c|--write|-w) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --runtime-dir|--state-dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) path="$path $word" ;; esac
  done
  case $path in
    '') words="up stop reload status networks peers fdb capture config completion demo" ;;
    ' up') words="--vni --local --peer --address --device --interface --port --mtu --plain" ;;
    ' stop') words="--cleanup" ;;
    ' reload') words="" ;;
    ' status') words="--watch" ;;
    ' networks') words="" ;;
    ' peers') words="" ;;
    ' fdb') words="add del --network" ;;
    ' fdb add') words="--network" ;;
    ' fdb del') words="--network" ;;
    ' capture') words="--network --write --count" ;;
    ' config') words="check schema" ;;
    ' config check') words="" ;;
    ' config schema') words="" ;;
    ' completion') words="bash zsh" ;;
    ' demo') words="" ;;
    ' config check'*) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words --config --runtime-dir --state-dir --json --quiet --verbose --help" -- "$cur"))
}
complete -F _vtepd vtepd
