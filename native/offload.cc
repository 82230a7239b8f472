#include "offload.h"

#include <errno.h>

#include "checksum.h"
#include "headers.h"
#include "layout.h"

namespace vtepd {

namespace {

bool is_tcp(uint8_t kind) { return (kind & ~kEcn) != kUdp; }

// A train's virtio header against the frame's own headers.
int describe_train(const VnetHdr &v, const uint8_t *frame, uint32_t len, const Headers &h, Shape *out) {
  uint8_t type = v.gso_type & static_cast<uint8_t>(~kEcn);
  bool tcp = type == kTcp4 || type == kTcp6;
  if (!tcp && v.gso_type != kUdp) return -EINVAL;
  if (!h.whole || h.fragment || h.end != len || v.gso_size == 0) return -EINVAL;
  if ((type == kTcp4 && h.version != 4) || (type == kTcp6 && h.version != 6)) return -EINVAL;
  if (h.protocol != (tcp ? kProtocolTcp : kProtocolUdp)) return -EINVAL;
  uint32_t need = tcp ? kTcpLen : kUdpLen;
  if (len - h.l4 < need) return -EINVAL;
  if (tcp) need = (frame[h.l4 + 12] >> 4) * 4u;
  // A train has payload; virtio's hdr_len is not looked at, forwarded packets have it wrong.
  uint32_t header = h.l4 + need;
  if (need < (tcp ? kTcpLen : kUdpLen) || header >= len || header + kHeadroom > kMaxHeader) return -EINVAL;
  uint16_t csum = tcp ? kTcpCsum : kUdpCsum;
  if (v.flags & kVnetNeedsCsum) {
    if (v.csum_start != h.l4 || v.csum_offset != csum) return -EINVAL;
  } else if (!h.plain) {
    return -EINVAL;  // Splitter wants the pseudo-header's sum in the field
  }
  *out = {static_cast<uint16_t>(h.l3),
          static_cast<uint16_t>(h.l4),
          csum,
          static_cast<uint16_t>(header),
          v.gso_size,
          v.gso_type};
  return 0;
}

}  // namespace

int describe(const VnetHdr &v, const uint8_t *frame, uint32_t len, bool ethernet, Shape *out) {
  if (len < (ethernet ? kEthernetLen : 1)) return -EINVAL;
  Headers h;
  h.find(frame, len, ethernet);
  if (v.gso_type != kSingle) return describe_train(v, frame, len, h, out);
  *out = {static_cast<uint16_t>(h.l3), 0, 0, 0, 0, kSingle};
  if ((v.flags & kVnetNeedsCsum) == 0) return 0;
  // The kernel also leaves checksums unfinished that no header of ours tells of (IP in IP, PPPoE): only the
  // place must be right.
  uint32_t least = h.version == 4   ? h.l3 + kIpv4Len
                   : h.version == 6 ? h.l3 + kIpv6Len
                   : ethernet       ? kEthernetLen
                                    : 1;
  if (v.csum_start < least || static_cast<uint32_t>(v.csum_start) + v.csum_offset + 2 > len) return -EINVAL;
  out->l4 = v.csum_start;
  out->csum = v.csum_offset;
  return 0;
}

uint32_t segment_count(const Shape &s, uint32_t len) {
  if (s.segment == 0 || len <= s.header) return 1;
  return (len - s.header + s.segment - 1) / s.segment;
}

uint32_t segment_payload(const Shape &s, uint32_t len, uint32_t i) {
  if (s.segment == 0) return len;
  uint32_t left = len - s.header - i * s.segment;
  return left < s.segment ? left : s.segment;
}

bool is_train(const Shape &s, const uint8_t *packet, uint32_t len) {
  uint8_t type = s.kind & static_cast<uint8_t>(~kEcn);
  if (s.segment == 0 || (type != kTcp4 && type != kTcp6 && type != kUdp)) return false;
  if (s.header >= len || s.header > kMaxHeader) return false;
  if (s.l4 + (type == kUdp ? kUdpLen : kTcpLen) > s.header) return false;
  if (s.l3 + kIpv4Len > s.l4) return false;
  uint8_t version = packet[s.l3] >> 4;
  return version == 4 ? type != kTcp6 : version == 6 && type != kTcp4 && s.l3 + kIpv6Len <= s.l4;
}

Splitter::Splitter(const Shape &s, const uint8_t *packet, uint32_t len)
    : s_(s),
      packet_(packet),
      len_(len),
      count_(segment_count(s, len)),
      v6_(packet[s.l3] >> 4 == 6),
      tcp_(is_tcp(s.kind)) {
  const uint8_t *ip = packet + s.l3;
  const uint8_t *l4 = packet + s.l4;
  if (!v6_) {
    id_ = be16(ip + 4);
    // Header words except total length, id and checksum.
    ip_ = fold(sum_bytes(ip + 12, s.l4 - s.l3 - 12u, 0));
    ip_ += static_cast<uint64_t>(load16(ip)) + load16(ip + 6) + load16(ip + 8);
  }
  if (s.l4 - s.l3 == static_cast<int>(v6_ ? kIpv6Len : kIpv4Len)) {
    Headers h;
    h.l3 = s.l3;
    h.l4 = h.end = s.l4;
    h.version = v6_ ? 6 : 4;
    h.protocol = tcp_ ? kProtocolTcp : kProtocolUdp;
    front_ = pseudo_sum(packet, h);
  } else {
    // A source route or routing header hides the address that the pseudo-header has; the field holds the sum
    // for the whole train, so only the length differs.
    front_ = load16(l4 + (tcp_ ? kTcpCsum : kUdpCsum)) +
             static_cast<uint64_t>(static_cast<uint16_t>(~htons(static_cast<uint16_t>(len - s.l4))));
  }
  if (tcp_) {
    seq_ = be32(l4 + 4);
    front_ += static_cast<uint64_t>(load32(l4)) + load32(l4 + 8) + load16(l4 + 14) + load16(l4 + 18);
    front_ = sum_bytes(l4 + kTcpLen, s.header - s.l4 - kTcpLen, front_);
  } else {
    front_ += load32(l4);
  }
  front_ = fold(front_);  // small enough to add to without a thought for the carry
}

void Splitter::write(uint32_t i, uint8_t *dst) const {
  uint32_t payload = segment_payload(s_, len_, i);
  uint64_t sum = begin(i, payload, dst);
  finish(sum_bytes(payload_of(i), payload, sum), dst);
}

uint32_t Splitter::copy(uint32_t i, uint8_t *dst) const {
  uint32_t payload = segment_payload(s_, len_, i);
  uint64_t sum = begin(i, payload, dst);
  finish(sum_copy(dst + s_.header, payload_of(i), payload, sum), dst);
  return s_.header + payload;
}

const uint8_t *Splitter::payload_of(uint32_t i) const {
  return packet_ + s_.header + static_cast<size_t>(i) * s_.segment;
}

// The headers of segment i but for the transport checksum; returns what it is the sum of, less the payload.
uint64_t Splitter::begin(uint32_t i, uint32_t payload, uint8_t *dst) const {
  memcpy(dst, packet_, s_.header);
  uint8_t *ip = dst + s_.l3;
  uint8_t *l4 = dst + s_.l4;
  uint32_t l4_len = s_.header - s_.l4 + payload;
  if (v6_) {
    set_be16(ip + 4, s_.l4 - s_.l3 - kIpv6Len + l4_len);
  } else {
    set_be16(ip + 2, s_.l4 - s_.l3 + l4_len);
    set_be16(ip + 4, id_ + i);
    store16(ip + 10, static_cast<uint16_t>(~fold(ip_ + load16(ip + 2) + load16(ip + 4))));
  }
  uint64_t sum = front_ + htons(static_cast<uint16_t>(l4_len));
  if (tcp_) {
    set_be32(l4 + 4, seq_ + i * s_.segment);
    if (i != 0) l4[13] &= static_cast<uint8_t>(~kTcpCwr);
    if (i + 1 != count_) l4[13] &= static_cast<uint8_t>(~(kTcpFin | kTcpPsh));
    sum += static_cast<uint64_t>(load32(l4 + 4)) + load16(l4 + 12);
  } else {
    set_be16(l4 + 4, l4_len);
    sum += load16(l4 + 4);
  }
  return sum;
}

void Splitter::finish(uint64_t sum, uint8_t *dst) const {
  uint8_t *l4 = dst + s_.l4;
  uint16_t check = static_cast<uint16_t>(~fold(sum));
  // RFC 768: 0 would say that there is no checksum.
  if (check == 0 && !tcp_) check = 0xffff;
  store16(l4 + (tcp_ ? kTcpCsum : kUdpCsum), check);
}

void finish_checksum(uint8_t *packet, uint32_t len, uint16_t l4, uint16_t csum) {
  uint16_t check = static_cast<uint16_t>(~fold(sum_bytes(packet + l4, len - l4, 0)));
  // Like skb_checksum_help: the other zero, which UDP does not take for "none" and the rest for the same.
  store16(packet + l4 + csum, check ? check : 0xffff);
}

}  // namespace vtepd
