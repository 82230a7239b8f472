#include "../../native/checksum.h"

#include "check.h"
#include "packets.h"

using namespace test;
using namespace vtepd;

namespace {

uint16_t in_memory_order(uint16_t number) {
  uint8_t bytes[2] = {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
  uint16_t v;
  __builtin_memcpy(&v, bytes, 2);
  return v;
}

// 0x0000 and 0xffff are the same sum (RFC 1071 §2), and which one comes out may differ.
bool same_sum(uint16_t a, uint16_t b) { return a % 0xffff == b % 0xffff; }

void compare(const uint8_t *p, size_t n) {
  uint16_t slow = in_memory_order(static_cast<uint16_t>(~slow_checksum(Bytes(p, p + n))));
  CHECK(same_sum(fold(sum_bytes(p, n, 0)), slow));
  CHECK(same_sum(fold(sum_bytes_plain(p, n, 0)), slow));
}

}  // namespace

TEST(sum_equals_slow_sum_at_every_alignment_and_length) {
  // Buffers of exactly the right size, so that the sanitizer sees a read too far on either side.
  for (size_t n = 0; n <= 300; n++) {
    for (size_t shift = 0; shift < 33; shift++) {
      Bytes b = pattern(n + shift, static_cast<uint32_t>(n));
      compare(b.data() + shift, n);
    }
  }
}

TEST(sum_of_large_runs) {
  for (size_t n : {1400u, 1448u, 9000u, 65483u, 65535u}) {
    for (size_t shift : {0u, 1u, 2u, 7u, 31u}) {
      Bytes b = pattern(n + shift, static_cast<uint32_t>(n));
      compare(b.data() + shift, n);
    }
  }
}

TEST(sum_carries_all_the_way_round) {
  for (size_t n : {2u, 8u, 64u, 128u, 160u, 65534u}) {
    Bytes ones(n, 0xff);
    CHECK_EQ(fold(sum_bytes(ones.data(), n, 0)), 0xffff);
    CHECK_EQ(fold(sum_bytes(ones.data(), n, ~0ull)), 0xffff);
    CHECK_EQ(fold(sum_bytes_plain(ones.data(), n, ~0ull)), 0xffff);
    Bytes zeros(n, 0);
    CHECK_EQ(fold(sum_bytes(zeros.data(), n, 0)), 0);
    CHECK_EQ(fold(sum_bytes(zeros.data(), n, ~0ull - 1)), fold(~0ull - 1));
  }
}

TEST(sums_chain_after_even_lengths) {
  auto random = random_for("sums_chain");
  for (int round = 0; round < 2000; round++) {
    Bytes b = pattern(between(random, 2, 3000), static_cast<uint32_t>(random()));
    size_t cut = between(random, 0, b.size()) & ~size_t{1};
    uint64_t chained = sum_bytes(b.data() + cut, b.size() - cut, sum_bytes(b.data(), cut, 0));
    CHECK(same_sum(fold(chained), fold(sum_bytes(b.data(), b.size(), 0))));
  }
}

TEST(fold_is_the_sum_of_words) {
  CHECK_EQ(fold(0), 0);
  CHECK_EQ(fold(0xffff), 0xffff);
  CHECK_EQ(fold(0x10000), 1);
  CHECK_EQ(fold(0xffffffffffffffff), 0xffff);
  CHECK_EQ(fold(0x0001000200030004), 10);
  CHECK_EQ(fold(0xffff0000ffff0001), 1);
}
