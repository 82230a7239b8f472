// Runs frames through a Coalescer and shows what would be written to the device.
#pragma once
#include <memory>

#include "../../native/coalescer.h"
#include "packets.h"

namespace test {

struct Written {
  vtepd::VnetHdr vnet;
  Bytes bytes;
  std::vector<size_t> frames;  // which ones it holds, in order
  vtepd::Item item;
};

class Joiner {
 public:
  bool ethernet = true;
  bool tcp = true;
  bool udp = true;
  uint32_t mtu = 1500;

  /// What the device would get for these frames. They lie in memory of their exact size.
  std::vector<Written> run(const std::vector<Bytes> &frames, const std::vector<uint16_t> &hints = {});

 private:
  std::unique_ptr<vtepd::Coalescer> coalescer_{new vtepd::Coalescer};
};

/// The segments of a written train, as the kernel would cut it; the frame itself when it is none.
std::vector<Bytes> cut(const Written &w, bool ethernet);

}  // namespace test
