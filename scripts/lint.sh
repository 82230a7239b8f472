#!/usr/bin/env bash
# Format and types: Biome for TypeScript and JSON, tsc for types, clang-format for C++, shellcheck for shell where it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

node_modules/.bin/biome ci --colors=off --error-on-warnings .
node_modules/.bin/tsc -p tsconfig.json --noEmit
if command -v clang-format >/dev/null 2>&1; then
  git ls-files -z 'native/*.cc' 'native/*.h' 'test/*.cc' 'test/*.h' 'bench/*.cc' | xargs -0 clang-format --dry-run -Werror
else
  echo 'lint: clang-format is not installed: C++ is not checked (apt install clang-format)'
fi
if command -v shellcheck >/dev/null 2>&1; then shellcheck scripts/*.sh .ci/run; fi
echo 'lint: clean'
