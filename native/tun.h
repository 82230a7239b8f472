// The device's hot side: frames in, frames out. Opening and configuring are addon_host.cc's.
// Temperature: hot; nothing allocates after construction.
#pragma once
#include <memory>

#include "batch.h"
#include "offload.h"

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

/// Room that receive_frames wants for one more frame.
constexpr size_t kFrameRoom = kHeadroom + 65536 + kTailroom;

class Emitter {
 public:
  Emitter() : coalescer_(new Coalescer) {}

  /// Writes slots [from, to) of `b`, all for this device, joining what can be joined. err[i] is 0 or -errno.
  /// Returns how many frames failed.
  uint32_t emit(Device &device, Batch &b, uint32_t from, uint32_t to, TunStats &stats);

 private:
  std::unique_ptr<Coalescer> coalescer_;
};

}  // namespace vtepd
