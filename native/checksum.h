// Internet checksum (RFC 1071) over large runs; one's complement sums that can be chained.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vtepd {

/// One's complement sum of the 16-bit words of [p, p+n) in memory order, added to `acc`. An odd last byte is
/// padded with zero, so chain only after even lengths. Unfolded; `fold` makes 16 bits of it. Any alignment.
uint64_t sum_bytes(const uint8_t *p, size_t n, uint64_t acc);

/// Folds a sum to 16 bits, in memory order (store it as it is; no byte swap).
uint16_t fold(uint64_t acc);

}  // namespace vtepd
