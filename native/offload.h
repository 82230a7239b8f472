// What a device's offloads ask of userspace: reading a virtio-net header, cutting a train into datagrams,
// joining datagrams into a train, finishing checksums. Pure byte work: no fds, no overlay. Read virtio_net.h
// and RFC 1624 first.
#pragma once
#include "vnet.h"

#include <cstdint>

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

/// Reads the virtio header of a frame that the kernel handed over and checks it against the frame's own
/// headers (hdr_len is recomputed). `ethernet`: TAP, else TUN. Single packets with NEEDS_CSUM get l4 and
/// csum; plain ones only l3. Up to two VLAN tags are skipped. Returns 0, or -EINVAL when the fields cannot be
/// true.
int describe(const VnetHdr &h, const uint8_t *frame, uint32_t len, bool ethernet, Shape *out);

/// Number of segments of a train of `len` bytes; 1 when segment is 0.
uint32_t segment_count(const Shape &s, uint32_t len);

/// Bytes of payload of segment i.
uint32_t segment_payload(const Shape &s, uint32_t len, uint32_t i);

/// Writes the `header` bytes that precede segment i's payload into dst: lengths, IPv4 id and checksum, TCP
/// sequence and flags (FIN and PSH on the last only, CWR on the first only), UDP length, full L4 checksum
/// (UDP 0 becomes 0xFFFF). `packet` may start with other headers (VXLAN, Ethernet) before l3; they are copied
/// as they are. `packet` is not changed. The payload lies at packet + header + i * segment.
void write_segment_header(const Shape &s, const uint8_t *packet, uint32_t len, uint32_t i, uint8_t *dst);

/// Finishes the L4 checksum of a single packet in place: the field holds the pseudo-header's sum.
void finish_checksum(uint8_t *packet, uint32_t len, uint16_t l4, uint16_t csum);

constexpr uint32_t kMaxFrames = 4096;   // frames in one batch
constexpr uint32_t kMaxSegments = 128;  // frames in one item
constexpr uint32_t kMaxTrain = 65535;   // bytes of an item's IP packet

/// One write to the device: a frame as it came, or several of one flow joined.
struct Item {
  uint32_t first;   // slot of the first frame
  uint32_t last;    // slot of the last frame
  uint32_t frames;  // how many
  uint32_t length;  // bytes of the joined frame
  uint16_t header;  // payload starts here in every frame of the item
  VnetHdr vnet;
};

/// Joins consecutive frames of a flow for one device. Order within a flow is kept; items come in the order of
/// their first frames. Usage: begin(); add() for every frame; finish(); read items.
class Coalescer {
 public:
  /// `tcp`, `udp`: whether the device takes such trains. `mtu`: the device's, in bytes of IP packet.
  void begin(bool ethernet, bool tcp, bool udp, uint32_t mtu);

  /// Takes frame `slot` (< kMaxFrames, ascending). `hint`: segment size that the kernel told for an over-long
  /// single frame (a super-packet in one datagram), or 0. The frame must stay put until its item is written.
  /// A frame whose IP packet exceeds mtu and whose checksum is unfinished becomes a train by itself (segment
  /// from hint, or mtu less headers). A single TCP or UDP packet whose checksum field holds only the
  /// pseudo-header's sum is marked NEEDS_CSUM. A checksum that is wrong stays wrong, and such a frame is
  /// never joined.
  void add(uint32_t slot, uint8_t *frame, uint32_t len, uint16_t hint);

  /// Closes all items: writes lengths, checksums and virtio headers of the joined ones into their first
  /// frames.
  void finish();

  uint32_t count() const { return count_; }
  const Item &item(uint32_t i) const { return items_[i]; }
  /// The frame after `slot` in its item; meaningless for the last.
  uint32_t next(uint32_t slot) const { return next_[slot]; }

 private:
  // helper A fills in
  uint32_t count_ = 0;
  Item items_[kMaxFrames];
  uint32_t next_[kMaxFrames];
};

}  // namespace vtepd
