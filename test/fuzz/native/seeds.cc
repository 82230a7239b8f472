// Gives libFuzzer the target's seeds without a directory of files: now and then an input is replaced by one.
#include <string.h>

#include "target.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  static const std::vector<test::Bytes> all = seeds();
  if (size < 16 || seed % 64 == 0) {
    const test::Bytes &s = all[seed / 64 % all.size()];
    size = s.size() < max_size ? s.size() : max_size;
    memcpy(data, s.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
