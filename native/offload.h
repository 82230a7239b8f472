// What a device's offloads ask of userspace on the way out: reading a virtio-net header, cutting a train into
// datagrams, finishing checksums. Pure byte work: no fds, no overlay. Read virtio_net.h and RFC 1624 first.
// coalescer.h is the way in. Temperature: hot, nothing allocates.
#pragma once
#include <cstdint>

#include "vnet.h"

namespace vtepd {

/// How a frame lies in memory; offsets count from the frame's (or the datagram's) first byte.
struct Shape {
  uint16_t l3;       // to the IP header; 0 with l4 == 0: not IP
  uint16_t l4;       // csum_start; 0: nothing to finish
  uint16_t csum;     // csum_offset from l4
  uint16_t header;   // bytes that every segment repeats (train only)
  uint16_t segment;  // payload bytes per segment; 0: a single packet
  uint8_t kind;      // kSingle, kTcp4, kTcp6, kUdp (| kEcn)
};

/// Longest `header` of a train: what we put in front, Ethernet, tags, IP with extensions, TCP with options.
constexpr uint32_t kMaxHeader = 512;

/// Reads the virtio header of a frame that the kernel handed over and checks it against the frame's own
/// headers (hdr_len is recomputed). `ethernet`: TAP, else TUN. Single packets with NEEDS_CSUM get l4 and
/// csum; plain ones only l3. Up to two VLAN tags are skipped. Returns 0, or -EINVAL when the fields cannot be
/// true.
int describe(const VnetHdr &h, const uint8_t *frame, uint32_t len, bool ethernet, Shape *out);

/// Number of segments of a train of `len` bytes; 1 when segment is 0.
uint32_t segment_count(const Shape &s, uint32_t len);

/// Bytes of payload of segment i.
uint32_t segment_payload(const Shape &s, uint32_t len, uint32_t i);

/// Whether a train's offsets lie in `packet` and fit its headers: what Splitter relies on. True for what
/// describe filled in, also after headers were put in front and every offset grew with them.
bool is_train(const Shape &s, const uint8_t *packet, uint32_t len);

/// Writes the segments of a train. What all of them have in common is summed once; the payload is summed
/// segment by segment. `packet` may start with other headers (VXLAN, Ethernet) before l3; they are copied as
/// they are. `packet` is not changed and must stay put while the Splitter lives. Ask is_train first.
class Splitter {
 public:
  Splitter(const Shape &s, const uint8_t *packet, uint32_t len);

  /// The `header` bytes that precede segment i's payload: lengths, IPv4 id and checksum, TCP sequence and
  /// flags (FIN and PSH on the last only, CWR on the first only), UDP length, full L4 checksum (UDP 0 becomes
  /// 0xFFFF). The payload lies at packet + header + i * segment.
  void write(uint32_t i, uint8_t *dst) const;

  /// The whole segment: its headers and behind them a copy of the payload. Returns its length.
  uint32_t copy(uint32_t i, uint8_t *dst) const;

 private:
  uint64_t begin(uint32_t i, uint32_t payload, uint8_t *dst) const;
  void finish(uint64_t sum, uint8_t *dst) const;
  const uint8_t *payload_of(uint32_t i) const;

  Shape s_;
  const uint8_t *packet_;
  uint32_t len_;
  uint32_t count_;
  bool v6_;
  bool tcp_;
  uint16_t id_ = 0;     // IPv4 identification of segment 0
  uint32_t seq_ = 0;    // TCP sequence number of segment 0
  uint64_t ip_ = 0;     // IPv4 header without total length, id and checksum
  uint64_t front_ = 0;  // pseudo-header and transport header without what differs from segment to segment
};

/// Finishes the L4 checksum of a single packet in place: the field holds the pseudo-header's sum.
void finish_checksum(uint8_t *packet, uint32_t len, uint16_t l4, uint16_t csum);

}  // namespace vtepd
