// A batch with its slab and columns, as TypeScript would own them.
#pragma once
#include "../../native/batch.h"
#include "packets.h"

namespace test {

class Tray {
 public:
  Tray(uint32_t slots, size_t bytes);
  /// Lays a packet into the slab, with headroom; returns its slot.
  uint32_t put(const Bytes &packet);
  Bytes bytes(uint32_t slot) const;
  void clear();

  vtepd::Batch batch;
  uint32_t count = 0;

 private:
  std::vector<uint64_t> columns_;
  Bytes slab_;
  size_t at_ = 0;
};

}  // namespace test
