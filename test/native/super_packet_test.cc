// What a kernel VXLAN device on the same machine hands over: whole super-packets in one datagram, and
// checksums that nobody has finished.
#include "../../native/layout.h"
#include "check.h"
#include "joiner.h"

using namespace test;
using namespace vtepd;

namespace {

Spec large(bool tcp, int version, Sum sum, size_t payload = 10000) {
  Spec s;
  s.tcp = tcp;
  s.version = version;
  s.sum = sum;
  s.payload = pattern(payload, 3);
  return s;
}

Written one(const Spec &s, uint16_t hint = 0, uint32_t mtu = 1500) {
  Joiner joiner;
  joiner.ethernet = s.ethernet;
  joiner.mtu = mtu;
  std::vector<Written> all = joiner.run({build(s)}, {hint});
  CHECK_EQ(all.size(), 1u);
  return all[0];
}

void check_train(const Spec &s, size_t segment, const Written &w) {
  uint8_t type = !s.tcp ? kUdp : s.version == 4 ? kTcp4 : kTcp6;
  CHECK_EQ(w.vnet.gso_type & ~kEcn, type);
  CHECK_EQ(w.vnet.flags, kVnetNeedsCsum);
  CHECK_EQ(w.vnet.gso_size, segment);
  CHECK_EQ(w.vnet.hdr_len, header_length(s));
  CHECK_EQ(w.vnet.csum_start, l4_offset(s));
  CHECK_EQ(w.vnet.csum_offset, s.tcp ? 16 : 6);
  Spec unfinished = s;
  unfinished.sum = Sum::kUnfinished;
  CHECK(w.bytes == build(unfinished));
  CHECK(cut(w, s.ethernet) == slow_split(s, segment));
}

// Written as it came, nothing claimed about it.
void check_plain(const Spec &s, const Written &w) {
  CHECK_EQ(w.vnet.flags, 0);
  CHECK_EQ(w.vnet.gso_type, kSingle);
  CHECK(w.bytes == build(s));
}

void check_unfinished(const Spec &s, const Written &w) {
  CHECK_EQ(w.vnet.flags, kVnetNeedsCsum);
  CHECK_EQ(w.vnet.gso_type, kSingle);
  CHECK_EQ(w.vnet.csum_start, l4_offset(s));
  CHECK_EQ(w.vnet.csum_offset, s.tcp ? 16 : 6);
  CHECK(w.bytes == build(s));
  Spec right = s;
  right.sum = Sum::kRight;
  right.padding = 0;
  if (s.padding == 0) CHECK(cut(w, s.ethernet)[0] == build(right));
}

}  // namespace

TEST(tcp_super_packet_becomes_a_train) {
  for (int version : {4, 6}) {
    for (Sum sum : {Sum::kUnfinished, Sum::kRight}) {
      Spec s = large(true, version, sum);
      s.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
      size_t left = 1500 - (version == 4 ? 20 : 40) - 32;
      check_train(s, left, one(s));
      check_train(s, 1200, one(s, 1200));
      s.ethernet = false;
      check_train(s, left, one(s));
      s.flags = 0x99;
      Written w = one(s);
      check_train(s, left, w);
      CHECK_EQ(w.vnet.gso_type & kEcn, kEcn);
      s.flags = 0x10;
      s.ethernet = true;
      s.tags = {0x8100};
      check_train(s, left, one(s));
    }
  }
}

TEST(udp_super_packet_is_cut_by_the_hint) {
  for (int version : {4, 6}) {
    for (Sum sum : {Sum::kUnfinished, Sum::kRight}) {
      Spec s = large(false, version, sum, 30050);
      check_train(s, 1000, one(s, 1000));
      // Smaller than the mtu, and still two datagrams.
      Spec pair = large(false, version, sum, 1000);
      check_train(pair, 500, one(pair, 500));
    }
    // Without a hint it is one datagram.
    check_plain(large(false, version, Sum::kRight), one(large(false, version, Sum::kRight)));
    check_unfinished(large(false, version, Sum::kUnfinished), one(large(false, version, Sum::kUnfinished)));
  }
}

TEST(super_packet_with_a_wrong_checksum_stays_wrong) {
  for (bool tcp : {true, false}) {
    for (int version : {4, 6}) {
      Spec s = large(tcp, version, Sum::kWrong);
      check_plain(s, one(s, 1000));
    }
    Spec s = large(tcp, 4, Sum::kUnfinished);
    s.bad_ip_sum = true;
    CHECK_EQ(one(s, 1000).vnet.gso_type, kSingle);
    CHECK(one(s, 1000).bytes == build(s));
  }
  Spec none = large(false, 4, Sum::kNone);
  check_plain(none, one(none, 1000));
}

TEST(super_packet_with_padding_passes) {
  for (bool tcp : {true, false}) {
    Spec s = large(tcp, 4, Sum::kRight);
    s.padding = 4;
    check_plain(s, one(s, 1000));
    s.sum = Sum::kUnfinished;
    check_unfinished(s, one(s, 1000));
  }
}

TEST(super_packet_inside_a_tunnel_is_not_cut) {
  for (uint16_t port : {4789, 8472, 6081}) {
    Spec s = large(false, 4, Sum::kUnfinished);
    s.dport = port;
    check_unfinished(s, one(s, 1000));
  }
}

TEST(super_packet_with_flags_that_no_train_has) {
  for (uint8_t flags : {0x12, 0x14, 0x30}) {
    Spec s = large(true, 4, Sum::kUnfinished);
    s.flags = flags;
    check_unfinished(s, one(s));
    s.sum = Sum::kRight;
    check_plain(s, one(s));
  }
}

TEST(super_packet_when_the_mtu_leaves_nothing) {
  Spec s = large(true, 4, Sum::kUnfinished, 100);
  check_unfinished(s, one(s, 0, 40));
  check_unfinished(s, one(s, 0, 0));
  check_train(s, 1, one(s, 0, 41));
  // A hint that it already keeps to.
  check_unfinished(s, one(s, 100, 60));
  check_train(s, 99, one(s, 99, 60));
}

TEST(super_packet_behind_options) {
  Spec s = large(true, 6, Sum::kUnfinished);
  s.first_extension = 60;
  s.extensions = {6, 0, 1, 4, 0, 0, 0, 0};
  check_train(s, 1500 - 48 - 20, one(s));
  s.sum = Sum::kRight;
  check_plain(s, one(s));
}

// Its flow's other frames keep their places before and after it.
TEST(super_packet_is_neither_joined_nor_overtaken) {
  Joiner joiner;
  Spec a = large(true, 4, Sum::kRight, 1000);
  Spec whole = large(true, 4, Sum::kUnfinished);
  whole.seq = a.seq + 1000;
  Spec c = a;
  c.seq = whole.seq + 10000;
  Spec d = c;
  d.seq += 1000;
  auto all = joiner.run({build(a), build(whole), build(c), build(d)});
  CHECK_EQ(all.size(), 3u);
  CHECK_EQ(all[1].vnet.gso_type, kTcp4);
  CHECK_EQ(all[2].frames.size(), 2u);
}

TEST(small_packet_with_an_unfinished_checksum) {
  for (bool tcp : {true, false}) {
    for (int version : {4, 6}) {
      for (size_t payload : {0u, 1u, 400u}) {
        for (bool ethernet : {true, false}) {
          Spec s = large(tcp, version, Sum::kUnfinished, payload);
          s.ethernet = ethernet;
          check_unfinished(s, one(s));
          s.sum = Sum::kWrong;
          check_plain(s, one(s));
          s.sum = Sum::kRight;
          check_plain(s, one(s));
        }
      }
      Spec s = large(tcp, version, Sum::kUnfinished, 4);
      s.flags = 0x02;
      check_unfinished(s, one(s));
      s.tags = {0x8100};
      check_unfinished(s, one(s));
      s.tags.clear();
      s.padding = 2;
      check_unfinished(s, one(s));
    }
    Spec options = large(tcp, 4, Sum::kUnfinished, 20);
    options.ip_options = {1, 1, 1, 0};
    check_unfinished(options, one(options));
    Spec fragment = large(tcp, 4, Sum::kUnfinished, 20);
    fragment.fragment = 0x2000;
    check_plain(fragment, one(fragment));
  }
  Spec none = large(false, 4, Sum::kNone, 40);
  check_plain(none, one(none));
}

// A packet may be right although its checksum looks unfinished: when everything behind the pseudo-header sums
// up to the complement of twice it.
TEST(a_right_checksum_that_looks_unfinished) {
  Spec s = large(true, 4, Sum::kUnfinished, 100);
  Bytes b = build(s);
  size_t field = l4_offset(s) + 16;
  unsigned want = static_cast<unsigned>(b[field] << 8 | b[field + 1]);
  Spec right = s;
  right.sum = Sum::kRight;
  Bytes r = build(right);
  unsigned have = static_cast<unsigned>(r[field] << 8 | r[field + 1]);
  // Moves the right checksum to `want` by a word of payload.
  unsigned word = static_cast<unsigned>(s.payload[0] << 8 | s.payload[1]) + have + (0xffff - want);
  while (word > 0xffff) word = (word & 0xffff) + (word >> 16);
  right.payload[0] = static_cast<uint8_t>(word >> 8);
  right.payload[1] = static_cast<uint8_t>(word);
  Bytes twin = build(right);
  CHECK_EQ(static_cast<unsigned>(twin[field] << 8 | twin[field + 1]), want);
  check_plain(right, one(right));
}

TEST(unfinished_packets_are_not_joined) {
  Joiner joiner;
  Spec a = large(true, 4, Sum::kRight, 100);
  Spec b = a;
  b.seq += 100;
  b.sum = Sum::kUnfinished;
  Spec c = b;
  c.seq += 100;
  c.sum = Sum::kRight;
  auto all = joiner.run({build(a), build(b), build(c)});
  CHECK_EQ(all.size(), 3u);
  CHECK_EQ(all[1].vnet.flags, kVnetNeedsCsum);
}
