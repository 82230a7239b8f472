// Laws over random streams: cutting what was joined gives back every frame, byte for byte and in its flow's
// order; joining what was cut gives back the super-packet.
#include <string.h>
#include <map>

#include "../../native/layout.h"
#include "check.h"
#include "joiner.h"

using namespace test;
using namespace vtepd;

namespace {

struct Stream {
  Spec spec;
  size_t size;
};

Stream random_stream(std::mt19937_64 &random, unsigned number, bool ethernet) {
  Stream s;
  s.spec.ethernet = ethernet;
  s.spec.version = chance(random, 2) ? 4 : 6;
  s.spec.tcp = chance(random, 2);
  s.spec.sport = static_cast<uint16_t>(10000 + number);
  s.spec.fragment = chance(random, 2) ? 0x4000 : 0;
  s.spec.id = static_cast<uint16_t>(random());
  s.spec.seq = static_cast<uint32_t>(random());
  s.spec.tcp_options = chance(random, 2) ? Bytes{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8} : Bytes{};
  s.spec.flags = chance(random, 6) ? 0x50 : 0x10;
  s.spec.tos = static_cast<uint8_t>(random());
  if (chance(random, 10)) s.spec.dport = 4789;
  if (ethernet && chance(random, 10)) s.spec.tags = {0x8100};
  s.size = between(random, 1, 1400);
  return s;
}

// The stream's next frame, with a disturbance now and then.
Bytes next_frame(std::mt19937_64 &random, Stream &s) {
  Spec f = s.spec;
  size_t size = chance(random, 8) ? between(random, 0, s.size) : s.size;
  f.payload = pattern(size, static_cast<uint32_t>(random()));
  switch (between(random, 0, 60)) {
    case 0:
      f.sum = Sum::kWrong;
      break;
    case 1:
      f.sum = Sum::kUnfinished;
      break;
    case 2:
      f.bad_ip_sum = true;
      break;
    case 3:
      f.payload.clear();
      break;
    case 4:
      f.flags = static_cast<uint8_t>(random());
      break;
    case 5:
      f.flags |= 0x08;
      break;
    case 6:
      f.ack++;
      break;
    case 7:
      f.window++;
      break;
    case 8:
      f.ttl--;
      break;
    case 9:
      f.padding = static_cast<uint32_t>(between(random, 1, 30));
      break;
    case 10:
      f.fragment = static_cast<uint16_t>(random());
      break;
    case 11:
      f.seq += static_cast<uint32_t>(between(random, 0, 4000));
      break;
    case 12:
      f.ip_options = {1, 1, 1, 0};
      break;
    case 13:
      f.reserved = 4;
      break;
    case 14:
      f.mac++;
      break;
    case 15:
      f.urgent = 5;
      break;
    case 16:
      if (!f.tcp) f.sum = Sum::kNone;
      break;
    default:
      break;
  }
  s.spec.seq = f.seq + static_cast<uint32_t>(f.payload.size());
  s.spec.id = static_cast<uint16_t>(f.id + 1);
  return build(f);
}

}  // namespace

TEST(cutting_what_was_joined_gives_back_the_frames) {
  auto random = random_for("round_trip");
  Joiner joiner;
  size_t joined = 0, frames_seen = 0;
  for (int round = 0; round < 250; round++) {
    joiner.ethernet = chance(random, 2);
    joiner.tcp = !chance(random, 8);
    joiner.udp = !chance(random, 8);
    unsigned flows = static_cast<unsigned>(between(random, 1, 6));
    std::vector<Stream> streams;
    for (unsigned i = 0; i < flows; i++) streams.push_back(random_stream(random, i, joiner.ethernet));
    std::vector<Bytes> frames;
    std::vector<size_t> flow_of;
    size_t count = between(random, 1, 200);
    size_t current = 0;
    for (size_t i = 0; i < count; i++) {
      if (chance(random, 5)) current = between(random, 0, flows - 1);
      frames.push_back(next_frame(random, streams[current]));
      flow_of.push_back(current);
    }
    std::map<size_t, std::vector<size_t>> order;
    size_t last_first = 0;
    for (const Written &w : joiner.run(frames)) {
      CHECK(w.frames.size() <= kMaxSegments);
      CHECK(w.bytes.size() <= 65535 + 22);
      CHECK(w.frames[0] >= last_first);
      last_first = w.frames[0];
      for (size_t i : w.frames) order[flow_of[i]].push_back(i);
      if (w.frames.size() > 1) {
        joined += w.frames.size();
        std::vector<Bytes> back = cut(w, joiner.ethernet);
        CHECK_EQ(back.size(), w.frames.size());
        for (size_t k = 0; k < back.size() && k < w.frames.size(); k++) CHECK(back[k] == frames[w.frames[k]]);
      } else {
        CHECK(w.bytes == frames[w.frames[0]]);
      }
    }
    size_t seen = 0;
    for (auto &[flow, slots] : order) {
      for (size_t k = 1; k < slots.size(); k++) CHECK(slots[k] > slots[k - 1]);
      seen += slots.size();
    }
    CHECK_EQ(seen, frames.size());
    frames_seen += frames.size();
  }
  // A test of joining has to join.
  CHECK(joined > frames_seen / 4);
}

TEST(joining_what_was_cut_gives_back_the_super_packet) {
  auto random = random_for("cut_and_join");
  Joiner joiner;
  for (int round = 0; round < 400; round++) {
    joiner.ethernet = chance(random, 2);
    Stream stream = random_stream(random, 1, joiner.ethernet);
    Spec s = stream.spec;
    s.tags.clear();
    s.dport = 80;
    s.sum = Sum::kUnfinished;
    if (chance(random, 2)) s.flags |= 0x08;
    size_t segment = between(random, 200, 1400);
    size_t limit = (s.tcp ? 128 : 64) * segment;
    s.payload = pattern(between(random, segment + 1, limit < 65000 ? limit : 65000), 5);
    auto all = joiner.run(slow_split(s, segment));
    CHECK_EQ(all.size(), 1u);
    CHECK(all[0].bytes == build(s));
    CHECK_EQ(all[0].vnet.gso_size, segment);
  }
}
