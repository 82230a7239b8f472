#include "../../native/offload.h"

#include <errno.h>
#include <string.h>

#include "../../native/layout.h"
#include "check.h"
#include "packets.h"

using namespace test;
using namespace vtepd;

namespace {

uint8_t gso_type(const Spec &s) {
  if (!s.tcp) return kUdp;
  return static_cast<uint8_t>((s.version == 4 ? kTcp4 : kTcp6) | (s.flags & 0x80 ? kEcn : 0));
}

// As the kernel hands a super-packet over.
VnetHdr vnet_of(const Spec &s, uint16_t segment) {
  VnetHdr v{};
  v.flags = kVnetNeedsCsum;
  v.gso_type = segment ? gso_type(s) : kSingle;
  v.hdr_len = 1234;  // not to be trusted
  v.gso_size = segment;
  v.csum_start = static_cast<uint16_t>(l4_offset(s));
  v.csum_offset = s.tcp ? 16 : 6;
  return v;
}

std::vector<Bytes> split(const Shape &shape, const Bytes &packet) {
  std::vector<Bytes> out;
  uint32_t len = static_cast<uint32_t>(packet.size());
  CHECK(is_train(shape, packet.data(), len));
  Splitter splitter(shape, packet.data(), len);
  for (uint32_t i = 0; i < segment_count(shape, len); i++) {
    Bytes one(shape.header);
    splitter.write(i, one.data());
    const uint8_t *payload = packet.data() + shape.header + static_cast<size_t>(i) * shape.segment;
    one.insert(one.end(), payload, payload + segment_payload(shape, len, i));
    out.push_back(one);
  }
  return out;
}

// describe and split give what cutting by hand gives, and leave the packet alone.
void check_split(Spec s, uint16_t segment, Sum sum = Sum::kUnfinished) {
  s.sum = sum;
  const Bytes packet = build(s);
  Bytes copy = packet;
  Shape shape{};
  int answer =
      describe(vnet_of(s, segment), copy.data(), static_cast<uint32_t>(copy.size()), s.ethernet, &shape);
  CHECK_EQ(answer, 0);
  if (answer != 0) return;
  CHECK_EQ(shape.l3, l3_offset(s));
  CHECK_EQ(shape.l4, l4_offset(s));
  CHECK_EQ(shape.header, header_length(s));
  std::vector<Bytes> got = split(shape, copy);
  std::vector<Bytes> want = slow_split(s, segment);
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size() && i < want.size(); i++) CHECK(got[i] == want[i]);
  CHECK(copy == packet);
}

Spec spec(int version, bool tcp, size_t payload) {
  Spec s;
  s.version = version;
  s.tcp = tcp;
  s.payload = pattern(payload, 1);
  return s;
}

}  // namespace

TEST(split_tcp_and_udp_over_both_families) {
  for (bool ethernet : {true, false}) {
    for (int version : {4, 6}) {
      for (bool tcp : {true, false}) {
        for (size_t payload : {1u, 999u, 1000u, 1001u, 2000u, 60001u}) {
          Spec s = spec(version, tcp, payload);
          s.ethernet = ethernet;
          check_split(s, 1000);
        }
      }
    }
  }
}

TEST(split_with_options_tags_and_extension_headers) {
  Spec s = spec(4, true, 5000);
  s.tcp_options = {1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7};
  check_split(s, 1388);
  s.tcp_options = pattern(40, 3);
  check_split(s, 1388);
  s.ip_options = {1, 1, 1, 0};
  check_split(s, 1388);
  s.tags = {0x8100};
  check_split(s, 1388);
  s.tags = {0x88a8, 0x8100};
  check_split(s, 1388);
  Spec v6 = spec(6, false, 5000);
  v6.first_extension = 60;  // destination options
  v6.extensions = {17, 0, 1, 4, 0, 0, 0, 0};
  check_split(v6, 1200);
}

// The address in the IP header is not the one in the pseudo-header: the field's sum counts.
TEST(split_behind_a_routing_header_trusts_the_field) {
  Spec s = spec(6, true, 3000);
  s.first_extension = 43;
  s.extensions = {6, 2, 4, 1, 0, 0, 0, 0};
  s.extensions.resize(24, 0xab);
  Bytes packet;
  s.sum = Sum::kUnfinished;
  packet = build(s);
  packet[l3_offset(s) + 24 + 15] = 77;  // the next hop instead of the last
  Shape shape{};
  CHECK_EQ(describe(vnet_of(s, 1000), packet.data(), static_cast<uint32_t>(packet.size()), true, &shape), 0);
  std::vector<Bytes> got = split(shape, packet);
  std::vector<Bytes> want = slow_split(s, 1000);
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size() && i < want.size(); i++) {
    got[i][l3_offset(s) + 24 + 15] = 2;
    CHECK(got[i] == want[i]);
  }
}

TEST(split_flags) {
  for (uint8_t flags : {0x10, 0x18, 0x11, 0x19, 0x90, 0x99, 0x50, 0xd8, 0x02, 0xff}) {
    for (size_t payload : {800u, 1600u, 3000u}) {
      Spec s = spec(4, true, payload);
      s.flags = flags;
      s.reserved = 1;
      s.urgent = 9;
      check_split(s, 800);
    }
  }
  // And told by name, so that the twin is no accomplice.
  Spec s = spec(4, true, 2400);
  s.flags = 0x99;
  s.sum = Sum::kUnfinished;
  Bytes packet = build(s);
  Shape shape{};
  CHECK_EQ(describe(vnet_of(s, 800), packet.data(), static_cast<uint32_t>(packet.size()), true, &shape), 0);
  CHECK_EQ(shape.kind, kTcp4 | kEcn);
  std::vector<Bytes> got = split(shape, packet);
  size_t at = l4_offset(s) + 13;
  CHECK_EQ(got.size(), 3u);
  CHECK_EQ(got[0][at], 0x90);  // CWR, ACK
  CHECK_EQ(got[1][at], 0x10);
  CHECK_EQ(got[2][at], 0x19);  // ACK, PSH, FIN
}

TEST(split_counts_ids_and_sequence_numbers_round_their_ends) {
  Spec s = spec(4, true, 10000);
  s.id = 0xfffe;
  s.seq = 0xfffffc00;
  check_split(s, 700);
  s.fragment = 0;
  check_split(s, 700);
}

TEST(split_udp_writes_ffff_for_a_checksum_of_0) {
  for (int version : {4, 6}) {
    Spec s = spec(version, false, 20);
    // Two payload bytes of the second segment make its sum come out as 0.
    s.sum = Sum::kUnfinished;
    std::vector<Bytes> parts = slow_split(s, 10);
    size_t field = l4_offset(s) + 6;
    uint16_t check = static_cast<uint16_t>(parts[1][field] << 8 | parts[1][field + 1]);
    uint32_t word = static_cast<uint32_t>(s.payload[10] << 8 | s.payload[11]) + check;
    word = (word & 0xffff) + (word >> 16);
    s.payload[10] = static_cast<uint8_t>(word >> 8);
    s.payload[11] = static_cast<uint8_t>(word);
    Bytes packet = build(s);
    Shape shape{};
    CHECK_EQ(describe(vnet_of(s, 10), packet.data(), static_cast<uint32_t>(packet.size()), true, &shape), 0);
    Bytes second = split(shape, packet).at(1);
    CHECK_EQ(second[field], 0xff);
    CHECK_EQ(second[field + 1], 0xff);
    check_split(s, 10);
  }
}

TEST(split_does_not_need_the_field_of_a_plain_train) {
  Spec s = spec(4, true, 5000);
  s.sum = Sum::kWrong;
  Bytes packet = build(s);
  VnetHdr v = vnet_of(s, 1000);
  v.flags = 0;
  Shape shape{};
  CHECK_EQ(describe(v, packet.data(), static_cast<uint32_t>(packet.size()), true, &shape), 0);
  std::vector<Bytes> got = split(shape, packet);
  std::vector<Bytes> want = slow_split(s, 1000);
  CHECK(got == want);
}

// VXLAN and the like in front of the frame are repeated as they are.
TEST(split_repeats_what_lies_in_front) {
  for (int version : {4, 6}) {
    Spec s = spec(version, true, 4000);
    s.sum = Sum::kUnfinished;
    Bytes frame = build(s);
    Shape shape{};
    CHECK_EQ(describe(vnet_of(s, 1398), frame.data(), static_cast<uint32_t>(frame.size()), true, &shape), 0);
    Bytes front = pattern(8, 9);
    Bytes packet = front;
    packet.insert(packet.end(), frame.begin(), frame.end());
    shape.l3 = static_cast<uint16_t>(shape.l3 + 8);
    shape.l4 = static_cast<uint16_t>(shape.l4 + 8);
    shape.header = static_cast<uint16_t>(shape.header + 8);
    std::vector<Bytes> got = split(shape, packet);
    std::vector<Bytes> want = slow_split(s, 1398);
    CHECK_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size() && i < want.size(); i++) {
      Bytes w = front;
      w.insert(w.end(), want[i].begin(), want[i].end());
      CHECK(got[i] == w);
    }
  }
}

TEST(split_random) {
  auto random = random_for("split_random");
  for (int round = 0; round < 1500; round++) {
    Spec s = spec(chance(random, 2) ? 4 : 6, chance(random, 2), between(random, 1, 9000));
    s.ethernet = chance(random, 2);
    if (s.ethernet && chance(random, 4)) s.tags.assign(between(random, 1, 2), 0x8100);
    s.payload = pattern(s.payload.size(), static_cast<uint32_t>(random()));
    s.flags = static_cast<uint8_t>(random());
    s.seq = static_cast<uint32_t>(random());
    s.ack = static_cast<uint32_t>(random());
    s.id = static_cast<uint16_t>(random());
    s.tos = static_cast<uint8_t>(random());
    s.sport = static_cast<uint16_t>(random());
    s.window = static_cast<uint16_t>(random());
    if (s.tcp) s.tcp_options = pattern(4 * between(random, 0, 10), static_cast<uint32_t>(random()));
    check_split(s, static_cast<uint16_t>(between(random, 1, 3000)));
  }
}

TEST(describe_single_packets) {
  Spec s = spec(4, false, 100);
  Bytes b = build(s);
  uint32_t len = static_cast<uint32_t>(b.size());
  Shape shape{};
  CHECK_EQ(describe(VnetHdr{}, b.data(), len, true, &shape), 0);
  CHECK_EQ(shape.l3, 14);
  CHECK_EQ(shape.l4, 0);
  CHECK_EQ(shape.segment, 0);
  CHECK_EQ(describe(vnet_of(s, 0), b.data(), len, true, &shape), 0);
  CHECK_EQ(shape.l4, 34);
  CHECK_EQ(shape.csum, 6);
  // ARP: not IP.
  b[12] = 8, b[13] = 6;
  CHECK_EQ(describe(VnetHdr{}, b.data(), len, true, &shape), 0);
  CHECK_EQ(shape.l3, 0);
  // IPv4 says the type, IPv6 the packet.
  b[12] = 8, b[13] = 0, b[14] = 0x60;
  CHECK_EQ(describe(VnetHdr{}, b.data(), len, true, &shape), 0);
  CHECK_EQ(shape.l3, 0);
  CHECK_EQ(describe(VnetHdr{}, b.data(), 13, true, &shape), -EINVAL);
  CHECK_EQ(describe(VnetHdr{}, b.data(), 0, false, &shape), -EINVAL);
}

TEST(finish_checksum_is_right_and_never_0) {
  for (int version : {4, 6}) {
    for (bool tcp : {true, false}) {
      for (size_t payload : {0u, 1u, 63u, 1400u}) {
        Spec s = spec(version, tcp, payload);
        Bytes want = build(s);
        s.sum = Sum::kUnfinished;
        Bytes got = build(s);
        finish_checksum(got.data(), static_cast<uint32_t>(got.size()), static_cast<uint16_t>(l4_offset(s)),
                        tcp ? 16 : 6);
        CHECK(got == want);
      }
    }
  }
  // The field and the payload sum to ffff: the complement is 0, ffff is written.
  uint8_t bytes[4] = {0xff, 0xf0, 0x00, 0x0f};
  finish_checksum(bytes, 4, 0, 2);
  CHECK_EQ(bytes[2], 0xff);
  CHECK_EQ(bytes[3], 0xff);
}

// Every field of the virtio header that cannot be true.
TEST(describe_refuses) {
  Spec s = spec(4, true, 3000);
  s.sum = Sum::kUnfinished;
  Bytes b = build(s);
  auto answer = [](const VnetHdr &v, const Bytes &frame, bool ethernet = true) {
    Shape shape{};
    return describe(v, frame.data(), static_cast<uint32_t>(frame.size()), ethernet, &shape);
  };
  const VnetHdr good = vnet_of(s, 1000);
  CHECK_EQ(answer(good, b), 0);
  auto with = [&](auto change) {
    VnetHdr v = good;
    change(v);
    return answer(v, b);
  };
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = kTcp6; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = kUdp; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = kUdp | kEcn; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = 3; }), -EINVAL);  // UFO
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = kEcn; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.gso_type = 0x21; }), -EINVAL);  // inside a UDP tunnel
  CHECK_EQ(with([](VnetHdr &v) { v.gso_size = 0; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.csum_start = 33; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.csum_start = 65535; }), -EINVAL);
  CHECK_EQ(with([](VnetHdr &v) { v.csum_offset = 6; }), -EINVAL);
  auto frame = [&](auto change) {
    Bytes f = b;
    change(f);
    return answer(good, f);
  };
  CHECK_EQ(frame([](Bytes &f) { f[14] = 0x44; }), -EINVAL);       // header length 16
  CHECK_EQ(frame([](Bytes &f) { f[14] = 0x4f; }), -EINVAL);       // not where csum_start says
  CHECK_EQ(frame([](Bytes &f) { f[17]++; }), -EINVAL);            // longer than the frame
  CHECK_EQ(frame([](Bytes &f) { f[17]--; }), -EINVAL);            // shorter than the frame
  CHECK_EQ(frame([](Bytes &f) { f[20] |= 0x20; }), -EINVAL);      // more fragments
  CHECK_EQ(frame([](Bytes &f) { f[21] = 1; }), -EINVAL);          // a later fragment
  CHECK_EQ(frame([](Bytes &f) { f[23] = 17; }), -EINVAL);         // UDP
  CHECK_EQ(frame([](Bytes &f) { f[34 + 12] = 0x40; }), -EINVAL);  // TCP header of 16
  CHECK_EQ(frame([](Bytes &f) { f[12] = 0x86, f[13] = 0xdd; }), -EINVAL);
  CHECK_EQ(frame([](Bytes &f) { f.resize(60); }), -EINVAL);
  // No payload.
  Spec bare = spec(4, true, 0);
  CHECK_EQ(answer(vnet_of(bare, 1000), build(bare)), -EINVAL);
  // Too long a header.
  Spec lengthy = spec(6, true, 3000);
  lengthy.first_extension = 60;
  lengthy.extensions = {6, 60};
  lengthy.extensions.resize(488, 0);
  CHECK_EQ(answer(vnet_of(lengthy, 1000), build(lengthy)), -EINVAL);
  // Single packets: the field must lie in the frame, behind the IP header.
  VnetHdr single = vnet_of(s, 0);
  CHECK_EQ(answer(single, b), 0);
  single.csum_start = static_cast<uint16_t>(b.size() - 2);
  single.csum_offset = 0;
  CHECK_EQ(answer(single, b), 0);
  single.csum_offset = 1;
  CHECK_EQ(answer(single, b), -EINVAL);
  single.csum_start = 20;
  CHECK_EQ(answer(single, b), -EINVAL);
}

TEST(is_train_guards_the_columns) {
  Spec s = spec(4, true, 3000);
  s.sum = Sum::kUnfinished;
  Bytes b = build(s);
  uint32_t len = static_cast<uint32_t>(b.size());
  const Shape good = {14, 34, 16, 54, 1000, kTcp4};
  CHECK(is_train(good, b.data(), len));
  auto with = [&](auto change) {
    Shape shape = good;
    change(shape);
    return is_train(shape, b.data(), len);
  };
  CHECK(!with([](Shape &x) { x.segment = 0; }));
  CHECK(!with([](Shape &x) { x.kind = kSingle; }));
  CHECK(!with([](Shape &x) { x.kind = kTcp6; }));
  CHECK(!with([](Shape &x) { x.header = 53; }));
  CHECK(!with([](Shape &x) { x.header = 513; }));
  CHECK(!with([](Shape &x) { x.header = 65535; }));
  CHECK(!with([](Shape &x) { x.l4 = 33; }));
  CHECK(!with([](Shape &x) { x.l4 = 65535; }));
  CHECK(!with([](Shape &x) { x.l3 = 60000; }));
  CHECK(!is_train(good, b.data(), 54));
}
