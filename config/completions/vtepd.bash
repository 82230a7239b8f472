# bash completion for vtepd; made by `vtepd completion bash`
_vtepd_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$cur"))
}
_vtepd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= files= word skip=
  case $prev in
    --config|-c|--key|--write|-w|--key-out) _vtepd_files -f; return ;;
    --config-dir|--runtime-dir|--state-dir) _vtepd_files -d; return ;;
    --device) COMPREPLY=($(compgen -W "tap tun" -- "$cur")); return ;;
    --vni|--local|--peer|--address|--interface|--port|--mtu|--network|--count|-n|--expires|--endpoint) COMPREPLY=(); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $skip ]]; then skip=; continue; fi
    case $word in
      --config|-c|--config-dir|--runtime-dir|--state-dir|--vni|--local|--peer|--address|--device|--interface|--port|--mtu|--key|--network|--write|-w|--count|-n|--expires|--endpoint|--key-out) skip=1 ;;
      -*) ;;
      *) path="$path $word" ;;
    esac
  done
  case $path in
    '') words="up stop reload status networks peers leases fdb neigh routes where capture invite join genkey pubkey genpsk config completion demo" ;;
    ' up'*) words="--vni --local --peer --address --device --interface --port --mtu --key --plain" ;;
    ' stop'*) words="--cleanup" ;;
    ' reload'*) words="" ;;
    ' status'*) words="--watch" ;;
    ' networks'*) words="" ;;
    ' peers'*) words="" ;;
    ' leases'*) words="--network" ;;
    ' fdb') words="add del --network" ;;
    ' fdb add') words="--network" ;;
    ' fdb add '*) words="--network" ;;
    ' fdb del') words="--network" ;;
    ' fdb del '*) words="--network" ;;
    ' fdb '*) words="--network" ;;
    ' neigh'*) words="--network" ;;
    ' routes'*) words="--network" ;;
    ' where') words="" ;;
    ' where '*) words="" ;;
    ' capture'*) words="--network --write --count" ;;
    ' invite') words="--network --expires --endpoint --address --device --port" ;;
    ' invite '*) words="--network --expires --endpoint --address --device --port" ;;
    ' join') words="--address --port" ;;
    ' join '*) words="--address --port" ;;
    ' genkey'*) words="" ;;
    ' pubkey'*) words="" ;;
    ' genpsk'*) words="" ;;
    ' config') words="check schema import" ;;
    ' config check') words="" files=1 ;;
    ' config check '*) words="" ;;
    ' config schema'*) words="" ;;
    ' config import') words="wg-quick" ;;
    ' config import wg-quick') words="--key-out --vni" files=1 ;;
    ' config import wg-quick '*) words="--key-out --vni" ;;
    ' config import '*) words="" ;;
    ' config '*) words="" ;;
    ' completion') words="bash zsh" ;;
    ' completion '*) words="" ;;
    ' demo'*) words="" ;;
  esac
  if [[ $files && $cur != -* ]]; then _vtepd_files -f; return; fi
  COMPREPLY=($(compgen -W "$words --config --config-dir --runtime-dir --state-dir --json --quiet --verbose --help" -- "$cur"))
}
complete -F _vtepd vtepd
