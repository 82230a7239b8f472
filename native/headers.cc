#include "headers.h"

namespace vtepd {

namespace {

constexpr int kMaxExtensions = 8;

bool is_tag(uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

}  // namespace

// The type behind the tags; l3 moves with it.
uint16_t Headers::skip_tags(const uint8_t *p, uint32_t len, uint16_t type) {
  for (int tags = 0; tags < 2 && is_tag(type) && l3 + 4 <= len; tags++) {
    type = be16(p + l3 + 2);
    l3 += 4;
    tagged = true;
  }
  if (is_tag(type)) tagged = true;
  return type;
}

// RFC 8200 §4.1. An unknown header ends the walk as if it were the transport's.
void Headers::skip_extensions(const uint8_t *p) {
  plain = true;
  for (int k = 0; k < kMaxExtensions; k++) {
    uint8_t type = protocol;
    bool options = type == 0 || type == 43 || type == 60;
    if (!options && type != 44 && type != 51) return;
    plain = false;
    whole = false;
    if (end - l4 < 8) return;
    const uint8_t *x = p + l4;
    protocol = x[0];
    l4 += options ? (x[1] + 1u) * 8 : type == 51 ? (x[1] + 2u) * 4 : 8;
    if (l4 > end) return;
    whole = true;
    if (type == 44) {
      fragment = true;
      return;
    }
  }
  whole = false;  // nobody means this many
}

}  // namespace vtepd
