// Coalescer: any frames in any order. Input: a byte of switches, a byte of mtu, then frames: a byte of what
// to do, the hint (2), the length (2, little-endian), the bytes. Whatever comes, every frame is in one item,
// nothing of a flow is overtaken in its item, and cutting a joined item gives back its frames.
#include "../../../native/coalescer.h"

#include <string.h>

#include <memory>

#include "../../../native/checksum.h"
#include "../../../native/headers.h"
#include "../../../native/layout.h"
#include "target.h"

using namespace vtepd;
using test::Bytes;

namespace {

constexpr size_t kMost = 300;  // frames of one input

// Mutation hardly ever makes a checksum right.
void repair(Bytes &frame, bool ethernet) {
  Headers h;
  h.find(frame.data(), static_cast<uint32_t>(frame.size()), ethernet);
  if (!h.whole) return;
  uint8_t *ip = frame.data() + h.l3;
  if (h.version == 4) {
    store16(ip + 10, 0);
    store16(ip + 10, static_cast<uint16_t>(~fold(sum_bytes(ip, h.l4 - h.l3, 0))));
  }
  bool tcp = h.protocol == kProtocolTcp;
  if ((!tcp && h.protocol != kProtocolUdp) || h.end - h.l4 < (tcp ? kTcpLen : kUdpLen)) return;
  uint8_t *field = frame.data() + h.l4 + (tcp ? kTcpCsum : kUdpCsum);
  store16(field, 0);
  uint16_t check =
      static_cast<uint16_t>(~fold(sum_bytes(frame.data() + h.l4, h.end - h.l4, pseudo_sum(frame.data(), h))));
  store16(field, check == 0 && !tcp ? 0xffff : check);
}

// With DF the identification means nothing, and a train numbers its segments its own way.
void level_ids(Bytes &frame, bool ethernet) {
  Headers h;
  h.find(frame.data(), static_cast<uint32_t>(frame.size()), ethernet);
  uint8_t *ip = frame.data() + h.l3;
  if (h.version != 4 || (be16(ip + 6) & kIpv4Df) == 0) return;
  store16(ip + 4, 0);
  store16(ip + 10, 0);
}

void check_train(const Coalescer &co, const Item &item, const std::vector<Bytes> &frames, bool ethernet) {
  Bytes packet(item.header);
  co.write_header(item, packet.data());
  std::vector<uint32_t> slots;
  uint32_t slot = item.first;
  for (uint32_t f = 0; f < item.frames; f++) {
    if (f > 0) slot = co.next(slot);
    slots.push_back(slot);
    packet.insert(packet.end(), frames[slot].begin() + item.header, frames[slot].end());
  }
  uint32_t len = static_cast<uint32_t>(packet.size());
  HOLDS(len == item.length);
  HOLDS(len - item.l3 <= kMaxTrain);
  Shape s{};
  HOLDS(describe(item.vnet, packet.data(), len, ethernet, &s) == 0);
  HOLDS(is_train(s, packet.data(), len));
  if (item.frames == 1) return;
  HOLDS(segment_count(s, len) == item.frames);
  Splitter splitter(s, packet.data(), len);
  for (uint32_t i = 0; i < item.frames; i++) {
    Bytes one(s.header);
    splitter.write(i, one.data());
    const uint8_t *from = packet.data() + s.header + static_cast<size_t>(i) * s.segment;
    one.insert(one.end(), from, from + segment_payload(s, len, i));
    Bytes was = frames[slots[i]];
    level_ids(was, ethernet);
    level_ids(one, ethernet);
    HOLDS(one == was);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  static const std::unique_ptr<Coalescer> co(new Coalescer);
  bool ethernet = data[0] & 1;
  co->begin(ethernet, !(data[0] & 2), !(data[0] & 4), data[1] * 8u);
  std::vector<Bytes> frames;
  std::vector<uint16_t> hints;
  for (size_t at = 2; at + 5 < size && frames.size() < kMost;) {
    uint8_t what = data[at];
    size_t len = static_cast<size_t>(data[at + 3] | data[at + 4] << 8);
    hints.push_back(what & 2 ? static_cast<uint16_t>(data[at + 1] | data[at + 2] << 8) : 0);
    at += 5;
    if (len > size - at) len = size - at;
    if (len == 0) len = 1;
    frames.emplace_back(data + at, data + at + len);
    if ((what & 1) == 0) repair(frames.back(), ethernet);
    at += len;
  }
  const std::vector<Bytes> before = frames;
  for (size_t i = 0; i < frames.size(); i++) {
    co->add(static_cast<uint32_t>(i), frames[i].data(), static_cast<uint32_t>(frames[i].size()), hints[i]);
  }
  std::vector<bool> seen(frames.size(), false);
  uint32_t last_first = 0;
  for (uint32_t k = 0; k < co->count(); k++) {
    const Item &item = co->item(k);
    HOLDS(k == 0 || item.first > last_first);
    last_first = item.first;
    HOLDS(item.frames >= 1 && item.frames <= kMaxSegments);
    uint32_t slot = item.first;
    for (uint32_t f = 0; f < item.frames; f++) {
      uint32_t previous = slot;
      if (f > 0) slot = co->next(slot);
      HOLDS(f == 0 || slot > previous);
      HOLDS(slot < frames.size() && !seen[slot]);
      seen[slot] = true;
    }
    HOLDS(slot == item.last);
    HOLDS(item.frames == 1 || item.vnet.gso_type != kSingle);
    if (item.vnet.gso_type != kSingle) check_train(*co, item, frames, ethernet);
    if (item.vnet.gso_type == kSingle && item.vnet.flags) {
      HOLDS(item.vnet.csum_start + item.vnet.csum_offset + 2u <= frames[item.first].size());
    }
  }
  for (bool s : seen) HOLDS(s);
  HOLDS(frames == before);
  return 0;
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  for (int k = 0; k < 32; k++) {
    Bytes b = {static_cast<uint8_t>(k & 1), 187};
    test::Spec s;
    s.ethernet = k & 1;
    s.tcp = k & 2;
    s.version = k & 4 ? 6 : 4;
    s.fragment = k & 8 ? 0 : 0x4000;
    for (int i = 0; i < 6; i++) {
      s.payload = test::pattern(k & 16 ? 60 : 20, static_cast<uint32_t>(i));
      Bytes f = test::build(s);
      s.seq += static_cast<uint32_t>(s.payload.size());
      s.id++;
      for (uint8_t v : {uint8_t{0}, uint8_t{30}, uint8_t{0}, static_cast<uint8_t>(f.size()), uint8_t{0}})
        b.push_back(v);
      b.insert(b.end(), f.begin(), f.end());
    }
    all.push_back(b);
    // A super-packet of two segments.
    if (k & 8) continue;
    s.payload = test::pattern(2000, 9);
    s.sum = test::Sum::kUnfinished;
    Bytes f = test::build(s);
    Bytes one = {static_cast<uint8_t>(k & 1),        187, 3, 0xe8, 3, static_cast<uint8_t>(f.size()),
                 static_cast<uint8_t>(f.size() >> 8)};
    one.insert(one.end(), f.begin(), f.end());
    all.push_back(one);
  }
  return all;
}
