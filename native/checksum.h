// Internet checksum (RFC 1071) over large runs; one's complement sums that can be chained. Temperature: hot.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vtepd {

/// One's complement sum of the 16-bit words of [p, p+n) in memory order, added to `acc`. An odd last byte is
/// padded with zero, so chain only after even lengths. Unfolded; `fold` makes 16 bits of it. Any alignment.
uint64_t sum_bytes(const uint8_t *p, size_t n, uint64_t acc);

/// The same, and copies the bytes to `dst` on the way: the pass over memory is what costs. No overlap.
uint64_t sum_copy(uint8_t *dst, const uint8_t *p, size_t n, uint64_t acc);

/// sum_bytes without vector instructions: what runs where AVX2 is missing.
uint64_t sum_bytes_plain(const uint8_t *p, size_t n, uint64_t acc);

/// Folds a sum to 16 bits, in memory order (store it as it is; no byte swap). 0 only when every word was 0.
inline uint16_t fold(uint64_t acc) {
  acc = (acc & 0xffffffff) + (acc >> 32);
  acc = (acc & 0xffffffff) + (acc >> 32);
  uint32_t s = static_cast<uint32_t>(acc);
  s = (s & 0xffff) + (s >> 16);
  s = (s & 0xffff) + (s >> 16);
  return static_cast<uint16_t>(s);
}

}  // namespace vtepd
