// What a fuzz target is: libFuzzer's entry, and inputs to begin with. The same targets run under libFuzzer
// where clang has it and under mutator.cc where it has not.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <random>

#include "../../native/packets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Well-formed inputs, from which mutation finds more than from nothing.
std::vector<test::Bytes> seeds();

/// Ends the run where an invariant does not hold, so that the input is kept.
#define HOLDS(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      abort();                                                                      \
    }                                                                               \
  } while (0)
