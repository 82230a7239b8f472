// The device's hot side: frames in, frames out. Opening and configuring are addon_host.cc's.
// Temperature: hot; nothing allocates after construction.
#pragma once
#include <memory>

#include "batch.h"
#include "coalescer.h"

namespace vtepd {

struct Device {
  int fd = -1;  // borrowed: control opens and closes it
  bool ethernet = true;
  bool tcp = false;  // takes TCP trains
  bool udp = false;  // takes UDP trains
  uint32_t mtu = 1500;
  int gone = 0;  // -errno once the device went away
};

struct TunStats {
  uint64_t bad_frames = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
};

/// Reads frames of one device into slots from `start`, laying them one after the other from byte `*at` of the
/// slab. Stops when dry, at slot `cap`, or when a whole super-packet would no longer fit. Single packets
/// arrive with their checksum finished. Returns the new slot count; device.gone tells that the device went
/// away (EBADFD).
uint32_t receive_frames(Device &device, int32_t id, Batch &b, uint32_t start, uint32_t cap, size_t *at,
                        TunStats &stats);

/// The longest frame that a device hands over: an IP packet of 65535 bytes behind Ethernet and two tags. A
/// read with less room cuts it without a word.
constexpr size_t kFrameBytes = 65535 + 14 + 8 + 3;

/// Bytes of frames in one crossing: what was read is still in the second-level cache when it is sent
/// (docs/performance.md).
constexpr size_t kCrossingBytes = 256 * 1024;

/// Room that receive_frames wants for one more frame.
constexpr size_t kFrameRoom = kHeadroom + kFrameBytes + kTailroom;

class Emitter {
 public:
  Emitter() : coalescer_(new Coalescer) {}

  /// Writes slots [from, to) of `b`, at most kMaxFrames and all for this device, joining what can be joined.
  /// `segment` holds the hint (Coalescer::add). err[i] is 0 or -errno. Returns how many frames failed.
  /// A train that the device refuses with EINVAL goes out frame by frame; when that works, device.tcp or
  /// device.udp is switched off.
  uint32_t emit(Device &device, Batch &b, uint32_t from, uint32_t to, TunStats &stats);

 private:
  int write_train(Device &device, const Batch &b, uint32_t from, const Item &item, TunStats &stats);
  int write_segments(Device &device, const Item &item, TunStats &stats);
  uint32_t write_frames(Device &device, Batch &b, uint32_t from, const Item &item, TunStats &stats);

  std::unique_ptr<Coalescer> coalescer_;
};

}  // namespace vtepd
