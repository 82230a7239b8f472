// The kernel as the judge: what the Emitter joins goes into one TAP, over a bridge, and comes out of another
// that takes no trains. The kernel then has cut and summed it, and every frame must be the one that was
// joined.
#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>

#include "../../native/layout.h"
#include "../../native/tun.h"
#include "check.h"
#include "joiner.h"
#include "tray.h"
#include "world.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

using namespace test;
using namespace vtepd;

namespace {

constexpr unsigned kAll = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

struct Bridged {
  UniqueFd in, out;
  Device device;
  Emitter emitter;
  TunStats stats;
  Tray tray{1024, 2 << 20};

  // `number` keeps the names of different cases apart.
  bool open(int number, unsigned offloads) {
    if (!enter_world()) return false;
    std::string n = std::to_string(number);
    in = open_tap("vtepd-in" + n, 0);
    out = open_tap("vtepd-out" + n, offloads);
    if (!in || !out) {
      skip(std::string("no TAP device: ") + strerror(errno));
      return false;
    }
    if (!bridge("vtepd-br" + n, "vtepd-in" + n, "vtepd-out" + n)) {
      skip(std::string("no bridge: ") + strerror(errno));
      return false;
    }
    device.fd = in.get();
    device.tcp = device.udp = true;
    return true;
  }

  uint32_t emit() { return emitter.emit(device, tray.batch, 0, tray.count, stats); }

  // Frames as they come out, waiting a second for each at most.
  std::vector<Written> read_out(size_t want) {
    std::vector<Written> all;
    Bytes buffer(70000);
    while (all.size() < want) {
      pollfd ready = {out.get(), POLLIN, 0};
      if (poll(&ready, 1, 1000) != 1) break;
      ssize_t got = read(out.get(), buffer.data(), buffer.size());
      if (got <= static_cast<ssize_t>(sizeof(VnetHdr))) break;
      // The bridge has things of its own to say (IGMP); ours come from our MAC.
      const uint8_t ours[] = {2, 0, 0, 0, 0, 0x10};
      if (memcmp(buffer.data() + sizeof(VnetHdr) + 6, ours, sizeof ours) != 0) continue;
      Written w{};
      memcpy(&w.vnet, buffer.data(), sizeof w.vnet);
      w.bytes.assign(buffer.begin() + sizeof w.vnet, buffer.begin() + got);
      all.push_back(w);
    }
    return all;
  }
};

// Streams of both kinds and families, in turns.
std::vector<Bytes> streams(size_t count, size_t payload) {
  std::vector<Spec> flows;
  for (int version : {4, 6}) {
    for (bool tcp : {true, false}) {
      Spec s;
      s.version = version;
      s.tcp = tcp;
      s.fragment = version == 4 && tcp ? 0 : 0x4000;
      if (tcp) s.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
      flows.push_back(s);
    }
  }
  std::vector<Bytes> frames;
  for (size_t i = 0; i < count; i++) {
    for (Spec &s : flows) {
      s.payload = pattern(i + 1 == count ? payload / 3 : payload, static_cast<uint32_t>(i));
      s.flags = i + 1 == count ? 0x18 : 0x10;
      frames.push_back(build(s));
      s.seq += static_cast<uint32_t>(payload);
      s.id++;
    }
  }
  return frames;
}

// By flow: addresses and ports say which.
std::vector<Bytes> of_flow(const std::vector<Bytes> &frames, int version, bool tcp) {
  std::vector<Bytes> out;
  for (const Bytes &f : frames) {
    if (f[14] >> 4 == version && f[version == 4 ? 23 : 20] == (tcp ? 6 : 17)) out.push_back(f);
  }
  return out;
}

void check_through(int number, unsigned offloads, size_t count, size_t payload) {
  Bridged b;
  if (!b.open(number, offloads)) return;
  std::vector<Bytes> frames = streams(count, payload);
  for (const Bytes &f : frames) b.tray.put(f);
  CHECK_EQ(b.emit(), 0u);
  CHECK(b.device.tcp && b.device.udp);
  CHECK_EQ(b.stats.writes, 4u);
  std::vector<Bytes> got;
  std::vector<Written> read;
  while (got.size() < frames.size() && !(read = b.read_out(1)).empty()) {
    for (const Bytes &f : cut(read[0], true)) got.push_back(f);
  }
  CHECK_EQ(got.size(), frames.size());
  for (int version : {4, 6}) {
    for (bool tcp : {true, false}) CHECK(of_flow(got, version, tcp) == of_flow(frames, version, tcp));
  }
}

}  // namespace

TEST(kernel_cuts_trains_into_the_frames_they_were) { check_through(1, 0, 40, 1400); }

TEST(kernel_takes_trains_of_many_small_frames) { check_through(2, 0, 64, 100); }

TEST(kernel_hands_trains_on_whole) { check_through(3, kAll, 40, 1400); }

TEST(kernel_finishes_checksums_and_cuts_super_packets) {
  Bridged b;
  if (!b.open(4, 0)) return;
  for (int version : {4, 6}) {
    for (bool tcp : {true, false}) {
      Spec s;
      s.version = version;
      s.tcp = tcp;
      s.sum = Sum::kUnfinished;
      s.payload = pattern(300, 1);
      b.tray.clear();
      b.tray.put(build(s));
      s.payload = pattern(20000, 2);
      s.seq += 300;
      b.tray.batch.c.segment[b.tray.put(build(s))] = 1200;
      CHECK_EQ(b.emit(), 0u);
      auto got = b.read_out(18);
      CHECK_EQ(got.size(), 18u);
      Spec small = s;
      small.seq -= 300;
      small.payload = pattern(300, 1);
      small.sum = Sum::kRight;
      std::vector<Bytes> want = slow_split(s, 1200);
      want.insert(want.begin(), build(small));
      for (size_t i = 0; i < got.size() && i < want.size(); i++) {
        CHECK_EQ(got[i].vnet.flags & kVnetNeedsCsum, 0);
        CHECK(got[i].bytes == want[i]);
      }
    }
  }
}

// More datagrams than the kernel cuts at once: refused, and cut by us.
TEST(kernel_refusal_of_a_super_packet_costs_nothing) {
  Bridged b;
  if (!b.open(5, 0)) return;
  Spec s;
  s.tcp = false;
  s.sum = Sum::kUnfinished;
  s.payload = pattern(3000, 2);
  b.tray.batch.c.segment[b.tray.put(build(s))] = 10;
  CHECK_EQ(b.emit(), 0u);
  std::vector<Bytes> want = slow_split(s, 10);
  auto got = b.read_out(want.size());
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size() && i < want.size(); i++) CHECK(got[i].bytes == want[i]);
  CHECK(b.device.udp);
}
