// Little-endian words in byte strings, as WireGuard and ChaCha20 have them.
#pragma once
#include <cstdint>
#include <cstring>

namespace vtepd {

inline uint32_t load_le32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

inline void store_le32(uint8_t *p, uint32_t v) {
  if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) v = __builtin_bswap32(v);
  memcpy(p, &v, sizeof v);
}

inline void store_le64(uint8_t *p, uint64_t v) {
  if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) v = __builtin_bswap64(v);
  memcpy(p, &v, sizeof v);
}

}  // namespace vtepd
