#!/bin/sh
# Builds native's tests with AddressSanitizer and UBSan and runs them; an argument picks the cases with it in their name.
# What is up to date is not built again. VTEPD_SEED repeats the random cases of a run.
set -eu
cd "$(dirname "$0")/.."
make --silent --jobs="$(nproc)" --file test/native/Makefile tests
exec build/native-test/tests "$@"
