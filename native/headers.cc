#include "headers.h"

namespace vtepd {

namespace {

constexpr uint16_t kTypeIpv4 = 0x0800;
constexpr uint16_t kTypeIpv6 = 0x86dd;
constexpr int kMaxExtensions = 8;

bool is_tag(uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

// The IP version that the Ethernet header promises, 0 when none or when the frame is too short.
uint8_t skip_ethernet(const uint8_t *p, uint32_t len, Headers *h) {
  if (len < kEthernetLen) return 0;
  uint32_t at = kEthernetLen;
  uint16_t type = be16(p + 12);
  for (int tags = 0; tags < 2 && is_tag(type) && at + 4 <= len; tags++) {
    type = be16(p + at + 2);
    at += 4;
    h->tagged = true;
  }
  if (is_tag(type)) h->tagged = true;
  if (type != kTypeIpv4 && type != kTypeIpv6) return 0;
  h->l3 = at;
  return type == kTypeIpv4 ? 4 : 6;
}

void read_ipv4(const uint8_t *p, uint32_t len, Headers *h) {
  const uint8_t *ip = p + h->l3;
  uint32_t header = (ip[0] & 15u) * 4;
  uint32_t total = be16(ip + 2);
  h->l4 = h->l3 + header;
  h->end = h->l3 + total;
  h->protocol = ip[9];
  h->plain = header == kIpv4Len;
  h->fragment = (be16(ip + 6) & 0x3fff) != 0;
  h->whole = header >= kIpv4Len && total >= header && h->end <= len;
}

// RFC 8200 §4.1. Unknown extension headers end the walk as if they were the transport.
void read_ipv6(const uint8_t *p, uint32_t len, Headers *h) {
  const uint8_t *ip = p + h->l3;
  h->l4 = h->l3 + kIpv6Len;
  h->end = h->l4 + be16(ip + 4);
  h->protocol = ip[6];
  h->plain = true;
  if (h->end > len) return;
  for (int k = 0; k < kMaxExtensions; k++) {
    uint8_t type = h->protocol;
    bool options = type == 0 || type == 43 || type == 60;
    if (!options && type != 44 && type != 51) break;
    h->plain = false;
    if (h->end - h->l4 < 8) return;
    const uint8_t *x = p + h->l4;
    h->protocol = x[0];
    h->l4 += options ? (x[1] + 1u) * 8 : type == 51 ? (x[1] + 2u) * 4 : 8;
    if (h->l4 > h->end) return;
    if (type == 44) {
      h->fragment = true;
      break;
    }
  }
  h->whole = true;
}

}  // namespace

Headers find_headers(const uint8_t *p, uint32_t len, bool ethernet) {
  Headers h;
  uint8_t version = ethernet ? skip_ethernet(p, len, &h) : len > 0 ? p[0] >> 4 : 0;
  uint32_t need = version == 4 ? kIpv4Len : kIpv6Len;
  if ((version != 4 && version != 6) || len < h.l3 + need || p[h.l3] >> 4 != version) {
    h.l3 = 0;
    return h;
  }
  h.version = version;
  if (version == 4) {
    read_ipv4(p, len, &h);
  } else {
    read_ipv6(p, len, &h);
  }
  return h;
}

uint64_t pseudo_sum(const uint8_t *p, const Headers &h) {
  const uint8_t *ip = p + h.l3;
  uint64_t s = htons(static_cast<uint16_t>(h.end - h.l4)) + static_cast<uint64_t>(htons(h.protocol));
  const uint8_t *a = ip + (h.version == 4 ? 12 : 8);
  for (int words = h.version == 4 ? 2 : 8; words > 0; words--, a += 4) s += load32(a);
  return s;
}

}  // namespace vtepd
