#include "checksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vtepd {

namespace {

// Addition with the carry brought round: a 64-bit one's complement sum folds to the sum of its 16-bit words
// (RFC 1071 §2, parallel summation).
uint64_t add_carry(uint64_t a, uint64_t b) {
  a += b;
  return a + (a < b);
}

uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

// The n < 8 bytes at p in memory order, padded with zeros.
uint64_t load_tail(const uint8_t *p, size_t n) {
  uint8_t word[8] = {};
  if (n & 4) memcpy(word, p, 4);
  if (n & 2) memcpy(word + (n & 4), p + (n & 4), 2);
  if (n & 1) word[n & 6] = p[n & 6];
  return load64(word);
}

// The same when 8 bytes before p + n may be read; spares what load_tail pays for writing bytes and reading a
// word.
uint64_t load_tail_backwards(const uint8_t *p, size_t n) {
  uint64_t v = load64(p + n - 8);
  unsigned bits = static_cast<unsigned>(8 - n) * 8;
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v >> bits : v << bits;
}

#if defined(__x86_64__)

// Below this the set-up costs more than the vectors save (test/native/bench.cc).
constexpr size_t kVectorMin = 128;

// 32-bit halves are summed in 64-bit lanes, which 2^32 rounds cannot overflow. Reads n & ~31 bytes.
__attribute__((target("avx2"))) uint64_t sum_avx2(const uint8_t *p, size_t n) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256();
  __m256i b = a, c = a, d = a;
  auto take = [&](const uint8_t *at, __m256i &x, __m256i &y) __attribute__((target("avx2"), always_inline)) {
    __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(at));
    x = _mm256_add_epi64(x, _mm256_and_si256(v, low));
    y = _mm256_add_epi64(y, _mm256_srli_epi64(v, 32));
  };
  for (; n >= 128; n -= 128, p += 128) {
    take(p, a, b);
    take(p + 32, c, d);
    take(p + 64, a, b);
    take(p + 96, c, d);
  }
  for (; n >= 32; n -= 32, p += 32) take(p, a, b);
  a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  __m128i half = _mm_add_epi64(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  return static_cast<uint64_t>(_mm_extract_epi64(half, 0)) +
         static_cast<uint64_t>(_mm_extract_epi64(half, 1));
}

// sum_avx2 that stores what it loads.
__attribute__((target("avx2"))) uint64_t sum_copy_avx2(uint8_t *dst, const uint8_t *p, size_t n) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256();
  __m256i b = a, c = a, d = a;
  auto take = [&](size_t at, __m256i & x, __m256i & y) __attribute__((target("avx2"), always_inline)) {
    __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p + at));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(dst + at), v);
    x = _mm256_add_epi64(x, _mm256_and_si256(v, low));
    y = _mm256_add_epi64(y, _mm256_srli_epi64(v, 32));
  };
  for (; n >= 128; n -= 128, p += 128, dst += 128) {
    take(0, a, b);
    take(32, c, d);
    take(64, a, b);
    take(96, c, d);
  }
  for (; n >= 32; n -= 32, p += 32, dst += 32) take(0, a, b);
  a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  __m128i half = _mm_add_epi64(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  return static_cast<uint64_t>(_mm_extract_epi64(half, 0)) +
         static_cast<uint64_t>(_mm_extract_epi64(half, 1));
}

#endif

// As sum_bytes_plain, but the 8 bytes before p + n may be read.
uint64_t sum_on(const uint8_t *p, size_t n, uint64_t acc) {
  if (n >= 64) {
    // Four independent chains: one would wait for its own carry at every step.
    uint64_t a = acc, b = 0, c = 0, d = 0;
    for (; n >= 64; n -= 64, p += 64) {
      a = add_carry(a, load64(p));
      b = add_carry(b, load64(p + 8));
      c = add_carry(c, load64(p + 16));
      d = add_carry(d, load64(p + 24));
      a = add_carry(a, load64(p + 32));
      b = add_carry(b, load64(p + 40));
      c = add_carry(c, load64(p + 48));
      d = add_carry(d, load64(p + 56));
    }
    acc = add_carry(add_carry(a, b), add_carry(c, d));
  }
  for (; n >= 8; n -= 8, p += 8) acc = add_carry(acc, load64(p));
  return n ? add_carry(acc, load_tail_backwards(p, n)) : acc;
}

}  // namespace

uint64_t sum_bytes_plain(const uint8_t *p, size_t n, uint64_t acc) {
  return n >= 8 ? sum_on(p, n, acc) : add_carry(acc, load_tail(p, n));
}

uint64_t sum_bytes(const uint8_t *p, size_t n, uint64_t acc) {
#if defined(__x86_64__)
  if (n >= kVectorMin && __builtin_cpu_supports("avx2")) {
    acc = add_carry(acc, sum_avx2(p, n));
    size_t done = n & ~static_cast<size_t>(31);
    return sum_on(p + done, n - done, acc);
  }
#endif
  return sum_bytes_plain(p, n, acc);
}

uint64_t sum_copy(uint8_t *dst, const uint8_t *p, size_t n, uint64_t acc) {
#if defined(__x86_64__)
  if (n >= kVectorMin && __builtin_cpu_supports("avx2")) {
    acc = add_carry(acc, sum_copy_avx2(dst, p, n));
    size_t done = n & ~static_cast<size_t>(31);
    memcpy(dst + done, p + done, n - done);
    return sum_on(p + done, n - done, acc);
  }
#endif
  memcpy(dst, p, n);
  return sum_bytes_plain(p, n, acc);
}

}  // namespace vtepd
