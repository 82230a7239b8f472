// Packets of one device for the library's streams: many per call, each one alone. Where the device hands over
// super-packets (IFF_VNET_HDR) they are cut here, so that a reader sees only what a wire would carry.
// Invariant: a train half cut waits in `train_` and comes first in the next read. Temperature: warm.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "offload.h"

namespace vtepd {

class Packets {
 public:
  /// Borrows the fd.
  Packets(int fd, bool ethernet, bool vnet_hdr);

  /// Fills `slab` with packets, one after the other; places[2i] and places[2i + 1] are offset and length of
  /// packet i. Returns their number, at most `cap`, 0 when dry, or -errno.
  int read(uint8_t *slab, size_t size, uint32_t *places, uint32_t cap);

  /// Whether read has something left that no poll will tell of.
  bool pending() const { return segment_ < segments_; }

  /// Writes one packet. 0 or -errno; -EAGAIN: the device is full.
  int write(const uint8_t *packet, size_t size);

  static constexpr size_t kMaxPacket = 65536 + 64;  // an IP packet, its Ethernet header, VLAN tags

 private:
  int read_plain(uint8_t *slab, size_t size, uint32_t *places, uint32_t cap);
  int read_train();
  uint32_t cut(uint8_t *slab, size_t size, size_t *at, uint32_t *places, uint32_t n, uint32_t cap);

  int fd_;
  bool ethernet_;
  bool vnet_hdr_;
  std::unique_ptr<uint8_t[]> train_;
  uint32_t length_ = 0;
  Shape shape_{};
  uint32_t segment_ = 0;  // next to cut
  uint32_t segments_ = 0;
};

}  // namespace vtepd
