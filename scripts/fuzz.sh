#!/bin/sh
# Fuzzes native's parsers: each target for SECONDS (10), or for a number of inputs with `runs=N`. Under libFuzzer where a
# clang++ has it, else under a driver of our own with the same targets. A crash leaves its input in build/native-test.
set -eu
cd "$(dirname "$0")/.."
out=build/native-test
mkdir -p "$out"

case "${1:-10}" in
  runs=*) limit="-runs=${1#runs=}" ;;
  *[!0-9]*) echo "usage: scripts/fuzz.sh [SECONDS | runs=N]" >&2; exit 2 ;;
  *) limit="-max_total_time=${1:-10}" ;;
esac

has_fuzzer() {
  printf '%s\n' '#include <cstddef>' '#include <cstdint>' \
    'extern "C" int LLVMFuzzerTestOneInput(const uint8_t *, size_t) { return 0; }' |
    "$1" -x c++ -fsanitize=fuzzer,address - -o "$out/fuzz.probe" 2>/dev/null
}

fuzzer=
for clang in clang++ clang++-21 clang++-20 clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14; do
  if command -v "$clang" >/dev/null && has_fuzzer "$clang"; then
    fuzzer=$clang
    break
  fi
done
# Another driver than last time: build anew.
if [ "$(cat "$out/fuzz.driver" 2>/dev/null || echo -)" != "$fuzzer" ]; then
  rm -rf "$out/fuzzed" "$out/fuzz-offload" "$out/fuzz-coalescer"
  echo "$fuzzer" >"$out/fuzz.driver"
fi
make --silent --jobs="$(nproc)" --file test/native/Makefile fuzz ${fuzzer:+FUZZ_CXX="$fuzzer"}

set -- "$limit"
if [ -n "$fuzzer" ]; then
  set -- "$@" -max_len=20000 -len_control=0 -timeout=10 -print_final_stats=1 -verbosity=0 "-artifact_prefix=$out/"
fi
if [ -n "${VTEPD_SEED:-}" ]; then set -- "$@" "-seed=$VTEPD_SEED"; fi
for target in offload coalescer; do
  echo "$target (${fuzzer:-plain driver})"
  "$out/fuzz-$target" "$@"
done
