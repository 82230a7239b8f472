// One case per rule of joining: what joins, what does not, and that what does not join is never overtaken.
#include "../../native/coalescer.h"

#include "../../native/layout.h"
#include "check.h"
#include "joiner.h"

using namespace test;
using namespace vtepd;

namespace {

constexpr size_t kPayload = 1000;

Spec base(bool tcp, int version = 4) {
  Spec s;
  s.tcp = tcp;
  s.version = version;
  s.payload = pattern(kPayload, 1);
  return s;
}

/// The spec of the frame that follows `s` in its flow.
Spec after(const Spec &s, size_t payload = kPayload) {
  Spec n = s;
  n.seq += static_cast<uint32_t>(s.payload.size());
  n.id++;
  n.payload = pattern(payload, n.seq);
  return n;
}

std::vector<Written> join(const std::vector<Spec> &specs, bool ethernet = true) {
  Joiner joiner;
  joiner.ethernet = ethernet;
  std::vector<Bytes> frames;
  for (Spec s : specs) {
    s.ethernet = ethernet;
    frames.push_back(build(s));
  }
  std::vector<Written> out = joiner.run(frames);
  size_t n = 0;
  for (const Written &w : out) {
    n += w.frames.size();
    if (w.frames.size() > 1) continue;
    CHECK_EQ(w.vnet.gso_type, kSingle);
    CHECK_EQ(w.vnet.flags, 0);
    CHECK(w.bytes == frames[w.frames[0]]);
  }
  CHECK_EQ(n, frames.size());
  return out;
}

// How the frames were grouped: "3" all in one, "1 2" the first alone.
std::string groups(const std::vector<Written> &all) {
  std::string s;
  for (const Written &w : all) s += (s.empty() ? "" : " ") + std::to_string(w.frames.size());
  return s;
}

void check_groups(int line, const std::vector<Spec> &specs, const std::string &want) {
  for (bool ethernet : {true, false}) {
    std::string got = groups(join(specs, ethernet));
    if (got != want) failed(__FILE__, line, "groups " + got + ", want " + want);
  }
}
#define GROUPS(want, ...) check_groups(__LINE__, {__VA_ARGS__}, want)

// Three frames of a flow, the second changed: nothing joins over it.
template <class Change>
void check_alone(int line, const Spec &first, Change change) {
  Spec second = after(first);
  Spec third = after(second);
  change(second);
  check_groups(line, {first, second, third, after(third)}, "1 1 2");
}
#define ALONE(first, change) check_alone(__LINE__, first, [](Spec &s) { change; })

// Two frames that differ start two items, both of which go on.
template <class Change>
void check_apart(int line, const Spec &first, Change change) {
  Spec second = after(first);
  change(second);
  check_groups(line, {first, second, after(second)}, "1 2");
}
#define APART(first, change) check_apart(__LINE__, first, [](Spec &s) { change; })

}  // namespace

TEST(join_frames_in_sequence) {
  for (bool tcp : {true, false}) {
    for (int version : {4, 6}) {
      for (bool ethernet : {true, false}) {
        Spec a = base(tcp, version);
        a.tcp_options = tcp ? Bytes{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2} : Bytes{};
        Spec b = after(a), c = after(b, 10);
        auto all = join({a, b, c}, ethernet);
        CHECK_EQ(groups(all) == "3", true);
        a.ethernet = b.ethernet = c.ethernet = ethernet;
        const Written &w = all[0];
        CHECK_EQ(w.vnet.flags, kVnetNeedsCsum);
        CHECK_EQ(w.vnet.gso_type, !tcp ? kUdp : version == 4 ? kTcp4 : kTcp6);
        CHECK_EQ(w.vnet.gso_size, kPayload);
        CHECK_EQ(w.vnet.hdr_len, header_length(a));
        CHECK_EQ(w.vnet.csum_start, l4_offset(a));
        CHECK_EQ(w.vnet.csum_offset, tcp ? 16 : 6);
        // The super-packet itself, as a kernel would have made it.
        Spec whole = a;
        whole.payload.insert(whole.payload.end(), b.payload.begin(), b.payload.end());
        whole.payload.insert(whole.payload.end(), c.payload.begin(), c.payload.end());
        whole.sum = Sum::kUnfinished;
        CHECK(w.bytes == build(whole));
        std::vector<Bytes> back = cut(w, ethernet);
        CHECK((back == std::vector<Bytes>{build(a), build(b), build(c)}));
      }
    }
  }
}

TEST(a_single_frame_keeps_its_checksum) { GROUPS("1", base(true)); }

TEST(tcp_flags) {
  Spec s = base(true);
  ALONE(s, s.flags = 0x11);  // FIN
  ALONE(s, s.flags = 0x12);  // SYN
  ALONE(s, s.flags = 0x14);  // RST
  ALONE(s, s.flags = 0x30);  // URG
  ALONE(s, s.flags = 0x90);  // CWR
  ALONE(s, s.flags = 0x00);  // no ACK
  ALONE(s, s.reserved = 1);  // AE, or what the future makes of it
  // Nor do frames join that all have such a flag.
  for (uint8_t flags : {0x11, 0x12, 0x14, 0x30, 0x90, 0x00, 0x08, 0xd0}) {
    Spec f = base(true);
    f.flags = flags;
    GROUPS("1 1 1", f, after(f), after(after(f)));
  }
  Spec r = base(true);
  r.reserved = 1;
  GROUPS("1 1 1", r, after(r), after(after(r)));
  // Nothing follows a push, and the joined frame pushes.
  Spec a = s, b = after(a), c = after(b);
  b.flags = 0x18;
  GROUPS("2 2", a, b, c, after(c));
  auto all = join({a, b});
  CHECK_EQ(all[0].bytes[l4_offset(a) + 13], 0x18);
  a.flags = 0x18;
  GROUPS("1 2", a, after(s), c);
  // ECE on all of them, or on none.
  Spec e = base(true);
  e.flags = 0x50;
  GROUPS("3", e, after(e), after(after(e)));
  APART(s, s.flags = 0x50);
}

TEST(tcp_sequence) {
  Spec s = base(true);
  APART(s, s.seq++);
  APART(s, s.seq--);
  APART(s, s.seq = 77);
  // Out of order: written as they came. Sorting is the receiver's.
  Spec b = after(s), c = after(b);
  GROUPS("1 1 1", b, s, c);
  GROUPS("1 1 1", c, b, s);
  // A repetition.
  GROUPS("1 2", s, s, b);
  Spec wrap = base(true);
  wrap.seq = 0xffffff00;
  GROUPS("3", wrap, after(wrap), after(after(wrap)));
}

TEST(tcp_headers_must_be_equal) {
  Spec s = base(true);
  s.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
  APART(s, s.ack++);
  APART(s, s.window++);
  APART(s, s.urgent++);
  APART(s, s.tcp_options[7]++);
  APART(s, s.tcp_options.clear());
  APART(s, s.tcp_options.resize(16, 1));
}

TEST(ip_headers_must_be_equal) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    APART(s, s.tos = 4);
    APART(s, s.tos = 1);
    APART(s, s.ttl--);
    APART(s, s.fragment = 0);
    APART(s, s.fragment = 0xc000);
    Spec v6 = base(tcp, 6);
    APART(v6, s.tos = 4);
    APART(v6, s.ttl--);
    APART(v6, s.label++);
  }
}

TEST(ethernet_headers_must_be_equal) {
  Spec a = base(true);
  Spec b = after(a);
  b.mac++;
  CHECK_EQ(groups(join({a, b, after(b)})) == "1 2", true);
  CHECK_EQ(groups(join({a, b, after(b)}, false)) == "3", true);
}

TEST(ipv4_identification) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    s.fragment = 0;  // may be fragmented: ids count
    GROUPS("3", s, after(s), after(after(s)));
    APART(s, s.id++);
    APART(s, s.id--);
    s.id = 0xffff;
    GROUPS("3", s, after(s), after(after(s)));
    s.fragment = 0x4000;  // RFC 6864 §4.1
    Spec b = after(s), c = after(b);
    b.id = c.id = 0;
    GROUPS("3", s, b, c);
  }
}

TEST(sizes) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    Spec small = after(s, 999), next = after(small);
    GROUPS("2 2", s, small, next, after(next));
    Spec large = after(s, 1001);
    GROUPS("1 2", s, large, after(large, 1001));
    Spec empty = after(s, 0), on = after(empty);
    GROUPS("1 1 2", s, empty, on, after(on));
    Spec one = base(tcp);
    one.payload = pattern(1, 4);
    GROUPS("3", one, after(one, 1), after(after(one, 1), 1));
  }
}

TEST(checksums_must_be_right_and_stay_wrong) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    ALONE(s, s.sum = Sum::kWrong);
    ALONE(s, s.bad_ip_sum = true);
    Spec v6 = base(tcp, 6);
    ALONE(v6, s.sum = Sum::kWrong);
    Spec bad = s;
    bad.sum = Sum::kWrong;
    GROUPS("1 2", bad, after(s), after(after(s)));
  }
}

TEST(udp_without_checksum_stays_alone) {
  Spec s = base(false);
  ALONE(s, s.sum = Sum::kNone);
  s.sum = Sum::kNone;
  GROUPS("1 1 1", s, after(s), after(after(s)));
}

TEST(tunnels_over_udp_stay_single) {
  for (uint16_t port : {4789, 8472, 6081}) {
    for (int version : {4, 6}) {
      Spec s = base(false, version);
      s.dport = port;
      GROUPS("1 1 1", s, after(s), after(after(s)));
      Spec back = base(false, version);
      back.sport = port;
      GROUPS("1 1 1", back, after(back), after(after(back)));
      Spec tcp = base(true, version);
      tcp.dport = port;
      GROUPS("3", tcp, after(tcp), after(after(tcp)));
    }
  }
}

TEST(tagged_frames_pass) {
  Spec s = base(true);
  s.tags = {0x8100};
  CHECK_EQ(groups(join({s, after(s), after(after(s))})) == "1 1 1", true);
  s.tags = {0x88a8, 0x8100};
  CHECK_EQ(groups(join({s, after(s), after(after(s))})) == "1 1 1", true);
  s.tags = {0x88a8, 0x8100, 0x8100};
  CHECK_EQ(groups(join({s, after(s), after(after(s))})) == "1 1 1", true);
}

TEST(padded_frames_pass) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    ALONE(s, s.padding = 6);
    Spec tiny = base(tcp);
    tiny.payload = pattern(4, 1);
    tiny.padding = 2;
    Spec b = after(tiny, 4);
    GROUPS("1 1", tiny, b);
  }
}

TEST(options_extension_headers_and_fragments_pass) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp);
    ALONE(s, s.ip_options = (Bytes{1, 1, 1, 0}));
    ALONE(s, s.fragment = 0x2000);
    ALONE(s, s.fragment = 0x0001);
    ALONE(s, s.fragment = 0x1fff);
    Spec v6 = base(tcp, 6);
    ALONE(v6, s.first_extension = 60; s.extensions = (Bytes{uint8_t(s.tcp ? 6 : 17), 0, 1, 4, 0, 0, 0, 0}));
    ALONE(v6, s.first_extension = 44; s.extensions = (Bytes{uint8_t(s.tcp ? 6 : 17), 0, 0, 1, 0, 0, 0, 9}));
  }
}

// Lengths inside the packet that lead out of it. The frames lie in memory of their exact size.
TEST(broken_lengths_pass) {
  for (bool tcp : {true, false}) {
    Spec s = base(tcp, 6);
    s.payload = pattern(24, 1);
    s.first_extension = 60;
    for (uint8_t words : {0, 3, 8, 255}) {
      s.extensions = {uint8_t(tcp ? 6 : 17), words, 1, 4, 0, 0, 0, 0};
      GROUPS("1", s);
    }
    for (uint8_t length = 0; length < 8; length++) {
      Bytes b = build(s);
      b.resize(14 + 40 + length);
      b[18] = 0;
      b[19] = length;
      Joiner joiner;
      CHECK_EQ(joiner.run({b})[0].vnet.flags, 0);
    }
    s.first_extension = 51;
    s.extensions = {60, 255, 0, 0, 0, 0, 0, 0};
    GROUPS("1", s);
    for (size_t cut = 1; cut < 70; cut++) {
      Spec whole = base(tcp, cut % 2 ? 4 : 6);
      Bytes b = build(whole);
      b.resize(cut);
      Joiner joiner;
      auto all = joiner.run({b, build(whole)});
      CHECK_EQ(all.size(), 2u);
      CHECK_EQ(all[0].vnet.flags, 0);
    }
    Spec four = base(tcp);
    for (uint8_t first : {0x40, 0x44, 0x4f, 0x55, 0x65}) {
      Bytes b = build(four);
      b[14] = first;
      Joiner joiner;
      CHECK_EQ(joiner.run({b, build(after(four))}).size(), 2u);
    }
    for (uint8_t offset : {0x00, 0x40, 0xf0}) {
      four.payload = pattern(4, 1);
      Bytes b = build(four);
      b[tcp ? 46 : 38] = offset;  // TCP's data offset, UDP's length
      Joiner joiner;
      CHECK_EQ(joiner.run({b, build(after(four))}).size(), 2u);
    }
  }
}

TEST(pure_acks_are_not_overtaken) {
  Spec a = base(true);
  Spec ack = after(a, 0);
  ack.ack += 5000;
  Spec b = after(a);
  b.ack = ack.ack;
  auto all = join({a, ack, b, after(b)});
  CHECK_EQ(groups(all) == "1 1 2", true);
  // An acknowledgement of another flow does not stand in the way.
  Spec other = ack;
  other.sport++;
  auto two = join({a, other, after(a), after(after(a))});
  CHECK_EQ(groups(two) == "3 1", true);
  CHECK_EQ(two[1].frames[0], 1u);
}

TEST(flows_are_told_apart) {
  for (bool tcp : {true, false}) {
    for (int version : {4, 6}) {
      Spec a = base(tcp, version), b = a, c = a, d = a, e = a, f = a;
      b.sport++;
      c.dport++;
      d.source++;
      e.destination = 9;
      f.tcp = !tcp;
      GROUPS("2 2 2 2 2 2", a, b, c, d, e, f, after(f), after(e), after(d), after(c), after(b), after(a));
    }
  }
  Spec four = base(true), six = base(true, 6);
  GROUPS("2 2", four, six, after(four), after(six));
}

TEST(no_more_than_the_limits) {
  for (bool tcp : {true, false}) {
    Joiner joiner;
    std::vector<Bytes> frames;
    Spec s = base(tcp);
    s.payload = pattern(100, 1);
    for (int i = 0; i < 300; i++, s = after(s, 100)) frames.push_back(build(s));
    std::string want = tcp ? "128 128 44" : "64 64 64 64 44";
    CHECK_EQ(groups(joiner.run(frames)) == want, true);
    // 65535 bytes of IP packet.
    frames.clear();
    s = base(tcp);
    s.payload = pattern(1400, 1);
    for (int i = 0; i < 60; i++, s = after(s, 1400)) frames.push_back(build(s));
    auto all = joiner.run(frames);
    CHECK_EQ(all.size(), 2u);
    CHECK_EQ(all[0].frames.size(), 46u);
    CHECK(all[0].bytes.size() - 14 <= 65535);
    for (auto &w : all) CHECK_EQ(cut(w, true).size(), w.frames.size());
  }
}

TEST(a_device_without_trains_gets_frames) {
  for (bool tcp : {true, false}) {
    Joiner joiner;
    (tcp ? joiner.tcp : joiner.udp) = false;
    Spec a = base(tcp), other = base(!tcp);
    std::vector<Bytes> frames = {build(a), build(after(a)), build(other), build(after(other))};
    CHECK_EQ(groups(joiner.run(frames)) == "1 1 2", true);
  }
}

TEST(hundreds_of_flows_at_once) {
  for (size_t flows : {256u, 1000u}) {
    std::vector<Spec> current(flows, base(true));
    for (size_t i = 0; i < flows; i++) {
      current[i].sport = static_cast<uint16_t>(1000 + i);
      current[i].payload = pattern(50, 1);
    }
    std::vector<Bytes> frames;
    for (int round = 0; round < 4; round++) {
      for (Spec &s : current) {
        frames.push_back(build(s));
        s = after(s, 50);
      }
    }
    Joiner joiner;
    auto all = joiner.run(frames);
    CHECK_EQ(all.size(), flows);
    for (auto &w : all) CHECK_EQ(w.frames.size(), 4u);
    // The table is as good as new for the next batch.
    CHECK_EQ(joiner.run(frames).size(), flows);
  }
}

TEST(full_batch_of_flows) {
  std::vector<Bytes> frames;
  for (uint32_t i = 0; i < kMaxFrames; i++) {
    Spec s = base(false);
    s.payload = pattern(20, i);
    s.sport = static_cast<uint16_t>(i % 2048);
    frames.push_back(build(s));
  }
  Joiner joiner;
  auto all = joiner.run(frames);
  // Nearly all find their place in the table; those that do not pass singly.
  CHECK(all.size() >= 2048 && all.size() < 2100);
}

TEST(what_is_not_ip_passes_and_stops_nobody) {
  Joiner joiner;
  Spec a = base(true);
  Bytes arp = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6};
  arp.resize(60, 0);
  CHECK_EQ(groups(joiner.run({build(a), arp, build(after(a)), Bytes(1, 0), Bytes(14, 8)})) == "2 1 1 1",
           true);
  joiner.ethernet = false;
  Spec tun = a;
  tun.ethernet = false;
  CHECK_EQ(groups(joiner.run({build(tun), Bytes(40, 0), Bytes(1, 0x45), build(after(tun))})) == "2 1 1",
           true);
}
