// Finds the IP and transport headers of a frame; the one parser that cutting and joining share. Reads nothing
// beyond `len`. RFC 791 §3.1, RFC 8200 §4. Temperature: hot.
#pragma once
#include <arpa/inet.h>
#include <string.h>

#include <cstdint>

namespace vtepd {

constexpr uint32_t kEthernetLen = 14;
constexpr uint32_t kIpv4Len = 20;  // without options
constexpr uint32_t kIpv6Len = 40;
constexpr uint32_t kTcpLen = 20;  // without options
constexpr uint32_t kUdpLen = 8;
constexpr uint16_t kTcpCsum = 16;  // offset of the checksum field
constexpr uint16_t kUdpCsum = 6;

constexpr uint16_t kTypeIpv4 = 0x0800;
constexpr uint16_t kTypeIpv6 = 0x86dd;

constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;

constexpr uint8_t kTcpFin = 0x01;
constexpr uint8_t kTcpSyn = 0x02;
constexpr uint8_t kTcpRst = 0x04;
constexpr uint8_t kTcpPsh = 0x08;
constexpr uint8_t kTcpAck = 0x10;
constexpr uint8_t kTcpUrg = 0x20;
constexpr uint8_t kTcpEce = 0x40;
constexpr uint8_t kTcpCwr = 0x80;

constexpr uint16_t kIpv4Df = 0x4000;

// Bytes as they lie in memory; `be` for numbers on the wire.
inline uint16_t load16(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
inline uint32_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
inline uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
inline void store16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
inline uint16_t be16(const uint8_t *p) { return ntohs(load16(p)); }
inline uint32_t be32(const uint8_t *p) { return ntohl(load32(p)); }
inline void set_be16(uint8_t *p, uint32_t v) { store16(p, htons(static_cast<uint16_t>(v))); }
inline void set_be32(uint8_t *p, uint32_t v) {
  v = htonl(v);
  memcpy(p, &v, sizeof v);
}

struct Headers {
  uint32_t l3 = 0;       // to the IP header; 0 on TAP: not IP
  uint32_t l4 = 0;       // to the header behind it
  uint32_t end = 0;      // where the IP packet ends; the frame may be longer (Ethernet's padding)
  uint8_t version = 0;   // 4 or 6; 0: not IP, or not even its fixed header is there
  uint8_t protocol = 0;  // of the header at l4
  bool whole = false;    // lengths are right: l3 < l4 <= end <= len
  bool plain = false;    // no IPv4 options, no extension headers
  bool fragment = false;
  bool tagged = false;  // VLAN

  // The fast half of find: what nearly every packet is. Inline, because a struct that comes back from a call
  // is copied, and the copy waits for the single bytes that were just stored (a fifth of Coalescer::add,
  // bench/native-offload.cc).

  /// Reads the headers of a frame. `ethernet`: TAP, else TUN. Up to two VLAN tags are skipped.
  void find(const uint8_t *p, uint32_t len, bool ethernet) {
    uint8_t promised = 0;
    if (!ethernet) {
      promised = len > 0 ? p[0] >> 4 : 0;
    } else if (len >= kEthernetLen) {
      uint16_t type = be16(p + 12);
      l3 = kEthernetLen;
      if (type != kTypeIpv4 && type != kTypeIpv6) type = skip_tags(p, len, type);
      promised = type == kTypeIpv4 ? 4 : type == kTypeIpv6 ? 6 : 0;
    }
    uint32_t need = promised == 4 ? kIpv4Len : kIpv6Len;
    if ((promised != 4 && promised != 6) || len < l3 + need || p[l3] >> 4 != promised) {
      l3 = 0;
      return;
    }
    version = promised;
    if (version == 4) {
      read_ipv4(p, len);
    } else {
      read_ipv6(p, len);
    }
  }

 private:
  void read_ipv4(const uint8_t *p, uint32_t len) {
    const uint8_t *ip = p + l3;
    uint32_t header = (ip[0] & 15u) * 4;
    uint32_t total = be16(ip + 2);
    l4 = l3 + header;
    end = l3 + total;
    protocol = ip[9];
    plain = header == kIpv4Len;
    fragment = (be16(ip + 6) & 0x3fff) != 0;
    whole = header >= kIpv4Len && total >= header && end <= len;
  }

  void read_ipv6(const uint8_t *p, uint32_t len) {
    const uint8_t *ip = p + l3;
    l4 = l3 + kIpv6Len;
    end = l4 + be16(ip + 4);
    protocol = ip[6];
    plain = protocol == kProtocolTcp || protocol == kProtocolUdp;
    whole = end <= len;
    if (whole && !plain) skip_extensions(p);
  }

  uint16_t skip_tags(const uint8_t *p, uint32_t len, uint16_t type);
  void skip_extensions(const uint8_t *p);
};

/// Sum of the pseudo-header of a whole packet's transport header (RFC 9293 §3.1, RFC 8200 §8.1); unfolded.
inline uint64_t pseudo_sum(const uint8_t *p, const Headers &h) {
  const uint8_t *ip = p + h.l3;
  uint64_t s = htons(static_cast<uint16_t>(h.end - h.l4)) + static_cast<uint64_t>(htons(h.protocol));
  if (h.version == 4) return s + load32(ip + 12) + load32(ip + 16);
  for (int k = 8; k < 40; k += 8) s += static_cast<uint64_t>(load32(ip + k)) + load32(ip + k + 4);
  return s;
}

}  // namespace vtepd
