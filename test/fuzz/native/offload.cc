// describe, Splitter, finish_checksum: any virtio header in front of any frame. Input: a byte (TAP or TUN),
// the virtio header, the frame.
#include "../../../native/offload.h"

#include <string.h>

#include <memory>

#include "../../../native/headers.h"
#include "../../../native/layout.h"
#include "target.h"

using namespace vtepd;
using test::Bytes;

namespace {

// Sums the plain way, as a receiver would.
bool checksum_right(const Bytes &frame, const Headers &h, bool tcp) {
  Bytes b;
  const uint8_t *ip = frame.data() + h.l3;
  size_t address = h.version == 4 ? 12 : 8;
  b.insert(b.end(), ip + address, ip + address + (h.version == 4 ? 8 : 32));
  uint32_t n = h.end - h.l4;
  for (uint32_t v : {n >> 24, n >> 16, n >> 8, n, 0u, tcp ? 6u : 17u}) b.push_back(static_cast<uint8_t>(v));
  b.insert(b.end(), frame.begin() + h.l4, frame.begin() + h.end);
  return test::slow_checksum(b) == 0;
}

void check_segments(const Shape &s, const Bytes &frame, bool ethernet) {
  uint32_t len = static_cast<uint32_t>(frame.size());
  bool tcp = (s.kind & ~kEcn) != kUdp;
  HOLDS(is_train(s, frame.data(), len));
  Splitter splitter(s, frame.data(), len);
  uint32_t count = segment_count(s, len);
  uint32_t total = 0;
  Headers whole;
  whole.find(frame.data(), len, ethernet);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t payload = segment_payload(s, len, i);
    HOLDS(payload > 0 && payload <= s.segment);
    total += payload;
    // The first ones, the last, and some between: a train of single bytes has thousands.
    if (i > 8 && i + 2 < count && i % 97 != 0) continue;
    Bytes one(s.header);
    splitter.write(i, one.data());
    const uint8_t *from = frame.data() + s.header + static_cast<size_t>(i) * s.segment;
    one.insert(one.end(), from, from + payload);
    Headers h;
    h.find(one.data(), static_cast<uint32_t>(one.size()), ethernet);
    HOLDS(h.whole && h.end == one.size() && h.l3 == whole.l3 && h.l4 == whole.l4);
    HOLDS(!whole.plain || checksum_right(one, h, tcp));
    HOLDS(h.version == 6 || test::slow_checksum(Bytes(one.begin() + h.l3, one.begin() + h.l4)) == 0);
  }
  HOLDS(total == len - s.header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 + sizeof(VnetHdr)) return 0;
  bool ethernet = data[0] & 1;
  VnetHdr v;
  memcpy(&v, data + 1, sizeof v);
  Bytes frame(data + 1 + sizeof v, data + size);
  frame.shrink_to_fit();
  uint32_t len = static_cast<uint32_t>(frame.size());
  Shape s{};
  if (describe(v, frame.data(), len, ethernet, &s) != 0) return 0;
  HOLDS(s.l3 <= len);
  if (s.segment) {
    const Bytes before = frame;
    check_segments(s, frame, ethernet);
    HOLDS(frame == before);
  } else if (s.l4) {
    finish_checksum(frame.data(), len, s.l4, s.csum);
    HOLDS(frame[s.l4 + s.csum] != 0 || frame[s.l4 + s.csum + 1u] != 0);
  }
  return 0;
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  for (int k = 0; k < 64; k++) {
    test::Spec s;
    s.ethernet = k & 1;
    s.tcp = k & 2;
    s.version = k & 4 ? 6 : 4;
    if (s.ethernet && (k & 8)) s.tags = {0x8100};
    if (s.version == 6 && (k & 16)) {
      s.first_extension = 60;
      s.extensions = {static_cast<uint8_t>(s.tcp ? 6 : 17), 0, 1, 4, 0, 0, 0, 0};
    }
    if (s.tcp) s.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    s.payload = test::pattern(900, 1);
    s.sum = test::Sum::kUnfinished;
    VnetHdr v = {};
    v.flags = kVnetNeedsCsum;
    v.gso_type = k & 32 ? kSingle : !s.tcp ? kUdp : s.version == 4 ? kTcp4 : kTcp6;
    v.gso_size = k & 32 ? 0 : 200;
    v.csum_start = static_cast<uint16_t>(test::l4_offset(s));
    v.csum_offset = s.tcp ? 16 : 6;
    Bytes b(1 + sizeof v, static_cast<uint8_t>(s.ethernet));
    memcpy(b.data() + 1, &v, sizeof v);
    Bytes frame = test::build(s);
    b.insert(b.end(), frame.begin(), frame.end());
    all.push_back(b);
  }
  return all;
}
