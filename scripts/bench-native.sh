#!/bin/sh
# Times native's checksums, cutting and joining, in nanoseconds per segment; an argument picks what has it in its name.
set -eu
cd "$(dirname "$0")/.."
make --silent --file test/native/Makefile bench
exec build/native-test/bench "$@"
