#include "tray.h"

#include <cstdlib>

namespace test {

using namespace vtepd;

Tray::Tray(uint32_t slots, size_t bytes) : columns_(columns_size(slots) / 8 + 1), slab_(bytes) {
  batch.attach(reinterpret_cast<uint8_t *>(columns_.data()), slots, slab_.data(), slab_.size());
}

uint32_t Tray::put(const Bytes &packet) {
  size_t off = at_ + kHeadroom;
  if (count == batch.slots || off + packet.size() > slab_.size()) abort();
  std::copy(packet.begin(), packet.end(), slab_.begin() + static_cast<long>(off));
  uint32_t i = count++;
  batch.c.off[i] = static_cast<uint32_t>(off);
  batch.c.len[i] = static_cast<uint32_t>(packet.size());
  batch.c.peer[i] = kNone;
  batch.c.err[i] = -1;
  batch.c.key[i] = kNone;
  batch.c.ctr[i] = 0;
  batch.c.segment[i] = batch.c.header[i] = batch.c.l3[i] = batch.c.port[i] = 0;
  batch.c.sum[i] = 0;
  batch.c.kind[i] = batch.c.tos[i] = 0;
  batch.c.link[i] = 0;
  at_ = off + packet.size();
  return i;
}

Bytes Tray::bytes(uint32_t slot) const {
  const uint8_t *p = batch.bytes + batch.c.off[slot];
  return Bytes(p, p + batch.c.len[slot]);
}

void Tray::clear() {
  count = 0;
  at_ = 0;
}

}  // namespace test
