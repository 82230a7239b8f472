// A batch as native sees it: columns and slab that TypeScript owns, attached once (layout.h).
#pragma once
#include <cassert>

#include "layout.h"

namespace vtepd {

struct Batch {
  uint32_t slots = 0;
  uint8_t *bytes = nullptr;
  size_t size = 0;  // of the slab
  Columns c{};

  /// Lays the columns over `columns` in the order of layout.h.
  void attach(uint8_t *columns, uint32_t n, uint8_t *slab, size_t slab_size) {
    slots = n;
    bytes = slab;
    size = slab_size;
    auto take = [&columns](size_t width) {
      uint8_t *at = columns;
      columns += width;
      return at;
    };
    c.ctr = reinterpret_cast<double *>(take(n * 8));
    c.off = reinterpret_cast<uint32_t *>(take(n * 4));
    c.len = reinterpret_cast<uint32_t *>(take(n * 4));
    c.peer = reinterpret_cast<int32_t *>(take(n * 4));
    c.link = reinterpret_cast<int32_t *>(take(n * 4));
    c.sum = reinterpret_cast<uint32_t *>(take(n * 4));
    c.err = reinterpret_cast<int32_t *>(take(n * 4));
    c.key = reinterpret_cast<int32_t *>(take(n * 4));
    c.segment = reinterpret_cast<uint16_t *>(take(n * 2));
    c.header = reinterpret_cast<uint16_t *>(take(n * 2));
    c.l3 = reinterpret_cast<uint16_t *>(take(n * 2));
    c.port = reinterpret_cast<uint16_t *>(take(n * 2));
    c.kind = take(n);
    c.tos = take(n);
    c.addr = take(n * kAddrLen);
    c.local = take(n * kLocalLen);
  }

  /// Whether slot i's bytes lie in the slab; a walk's mistake must not become a wild read.
  bool holds(uint32_t i) const { return c.off[i] <= size && c.len[i] <= size - c.off[i]; }
};

}  // namespace vtepd
