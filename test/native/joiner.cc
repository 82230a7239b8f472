#include "joiner.h"

#include "../../native/layout.h"
#include "check.h"

namespace test {

using namespace vtepd;

std::vector<Written> Joiner::run(const std::vector<Bytes> &frames, const std::vector<uint16_t> &hints) {
  const std::vector<Bytes> before = frames;
  Coalescer &co = *coalescer_;
  co.begin(ethernet, tcp, udp, mtu);
  for (size_t i = 0; i < frames.size(); i++) {
    co.add(static_cast<uint32_t>(i), frames[i].data(), static_cast<uint32_t>(frames[i].size()),
           i < hints.size() ? hints[i] : uint16_t{0});
  }
  std::vector<Written> out;
  for (uint32_t k = 0; k < co.count(); k++) {
    const Item &item = co.item(k);
    Written w{item.vnet, {}, {}, item};
    uint32_t slot = item.first;
    for (uint32_t f = 0; f < item.frames; f++) {
      if (f > 0) slot = co.next(slot);
      w.frames.push_back(slot);
    }
    CHECK_EQ(w.frames.back(), item.last);
    if (item.vnet.gso_type == kSingle) {
      CHECK_EQ(item.frames, 1u);
      w.bytes = frames[item.first];
    } else {
      CHECK(item.header <= kMaxHeader);
      w.bytes.resize(item.header);
      co.write_header(item, w.bytes.data());
      for (size_t i : w.frames)
        w.bytes.insert(w.bytes.end(), frames[i].begin() + item.header, frames[i].end());
    }
    CHECK_EQ(w.bytes.size(), item.length);
    out.push_back(w);
  }
  CHECK(frames == before);
  return out;
}

std::vector<Bytes> cut(const Written &w, bool ethernet) {
  Bytes packet = w.bytes;
  uint32_t len = static_cast<uint32_t>(packet.size());
  Shape s{};
  int answer = describe(w.vnet, packet.data(), len, ethernet, &s);
  CHECK_EQ(answer, 0);
  if (answer != 0) return {};
  if (s.segment == 0) {
    if (s.l4 != 0) finish_checksum(packet.data(), len, s.l4, s.csum);
    return {packet};
  }
  std::vector<Bytes> out;
  Splitter splitter(s, packet.data(), len);
  for (uint32_t i = 0; i < segment_count(s, len); i++) {
    Bytes one(s.header);
    splitter.write(i, one.data());
    const uint8_t *payload = packet.data() + s.header + static_cast<size_t>(i) * s.segment;
    one.insert(one.end(), payload, payload + segment_payload(s, len, i));
    out.push_back(one);
  }
  return out;
}

}  // namespace test
