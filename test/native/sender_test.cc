// The Sender over real sockets, with refusals in the kernel's name where the kernel here has none.
#include "../../native/sender.h"

#include <errno.h>
#include <string.h>
#include <map>

#include "../../native/layout.h"
#include "../../native/offload.h"
#include "../../native/udp_open.h"
#include "check.h"
#include "faults.h"
#include "wire.h"
#include "world.h"

using namespace test;
using namespace vtepd;

namespace {

struct Faults {
  ~Faults() { on_message = nullptr; }
};

std::vector<Bytes> bytes_of(const std::vector<Received> &all) {
  std::vector<Bytes> out;
  for (const Received &r : all) out.push_back(r.bytes);
  return out;
}

}  // namespace

TEST(send_trains_as_the_right_datagrams) {
  for (int family : {AF_INET, AF_INET6}) {
    for (bool gso : {true, false}) {
      Wire w;
      if (!w.open(family, 1, 1)) return;
      if (!gso) w.set_gso(false);
      std::vector<Bytes> want;
      put_train(w, super(60000), 1398, 0, 0, &want);
      put_train(w, super(9999, false), 1000, 0, 0, &want);
      CHECK(w.send());
      CHECK_EQ(w.sender.failed(), 0u);
      CHECK(bytes_of(w.receive(0)) == want);
      CHECK_EQ(w.stats.messages, gso ? 2u : want.size());
      CHECK_EQ(w.stats.sends, 1u);
    }
  }
}

TEST(send_joins_equal_datagrams_into_one_message) {
  Wire w;
  if (!w.open(AF_INET, 2, 1)) return;
  std::vector<Bytes> want;
  auto put = [&](size_t n, int32_t peer, uint8_t tos = 0) {
    Bytes d = pattern(n, static_cast<uint32_t>(w.tray.count));
    w.tray.batch.c.tos[w.put(d, peer)] = tos;
    if (peer == 0) want.push_back(d);
  };
  for (int i = 0; i < 5; i++) put(100, 0);
  put(60, 0);  // shorter: ends the message
  put(100, 0);
  put(100, 0, 8);  // another TOS
  put(100, 1);     // another far end
  put(100, 0);
  CHECK(w.send());
  CHECK(bytes_of(w.receive(0)) == want);
  CHECK_EQ(w.receive(1).size(), 1u);
  CHECK_EQ(w.stats.messages, 5u);
}

TEST(send_skips_empty_slots_and_refuses_bad_ones) {
  Wire w;
  if (!w.open(AF_INET, 1, 2)) return;
  Columns &c = w.tray.batch.c;
  Bytes d = pattern(100, 1);
  uint32_t dropped = w.put(d, 0);
  c.len[dropped] = 0;
  uint32_t no_endpoint = w.put(d, 5);
  uint32_t no_address = w.put(d, kNone);
  memset(c.addr + no_address * kAddrLen, 0, kAddrLen);
  uint32_t wild = w.put(d, 0);
  c.off[wild] = 0xfffffff0;
  uint32_t no_train = put_train(w, super(3000), 1000, 0, 0, nullptr);
  c.header[no_train] = 20;
  uint32_t no_ip = put_train(w, super(3000), 1000, 0, 0, nullptr);
  c.l3[no_ip] = 0;
  uint32_t good = w.put(d, 0);
  uint32_t direct = w.put(d, kNone);
  c.link[direct] = 0;
  memcpy(c.addr + direct * kAddrLen, w.endpoints[0].addr, kAddrLen);
  CHECK(w.send());
  CHECK_EQ(w.sender.failed(), 5u);
  CHECK_EQ(c.err[dropped], 0);
  CHECK_EQ(c.err[no_endpoint], -EDESTADDRREQ);
  CHECK_EQ(c.err[no_address], -EDESTADDRREQ);
  CHECK_EQ(c.err[wild], -EDESTADDRREQ);
  CHECK_EQ(c.err[no_train], -EINVAL);
  CHECK_EQ(c.err[no_ip], -EINVAL);
  CHECK_EQ(c.err[good], 0);
  CHECK_EQ(c.err[direct], 0);
  CHECK_EQ(w.receive(0).size(), 2u);
}

// Whatever the mix and wherever the socket is full: everything arrives, per source port in the order of the
// slots.
TEST(send_random_batches_with_full_sockets) {
  Faults faults;
  auto random = random_for("send_random");
  Wire w;
  if (!w.open(AF_INET, 3, 4)) return;
  for (int round = 0; round < 40; round++) {
    w.tray.clear();
    w.set_gso(!chance(random, 3));
    std::map<std::pair<int32_t, uint16_t>, std::vector<Bytes>> want;
    size_t count = between(random, 1, 300);
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes < 1000000; i++) {
      int32_t peer = static_cast<int32_t>(between(random, 0, 2));
      uint16_t port = static_cast<uint16_t>(random());
      auto &list = want[{peer, w.port_of(port % 4)}];
      if (chance(random, 12)) {
        Spec s = super(between(random, 1, 50000), chance(random, 2));
        bytes += s.payload.size() * 2;
        put_train(w, s, static_cast<uint16_t>(between(random, 300, 1400)), peer, port, &list);
      } else {
        Bytes d =
            pattern(chance(random, 2) ? 100 : between(random, 1, 1400), static_cast<uint32_t>(random()));
        bytes += d.size();
        w.put(d, peer, port);
        list.push_back(d);
      }
    }
    uint64_t one_in = between(random, 2, 50);
    on_message = [&](const msghdr &) { return chance(random, static_cast<unsigned>(one_in)) ? EAGAIN : 0; };
    bool done = w.send();
    for (int turns = 0; !done && turns < 10000; turns++) {
      CHECK(w.sender.blocked_fd() >= 0);
      done = w.resume();
    }
    on_message = nullptr;
    CHECK(done);
    CHECK_EQ(w.sender.failed(), 0u);
    std::map<std::pair<int32_t, uint16_t>, std::vector<Bytes>> got;
    for (uint32_t peer = 0; peer < 3; peer++) {
      for (const Received &r : w.receive(peer)) got[{static_cast<int32_t>(peer), r.port}].push_back(r.bytes);
    }
    CHECK(got == want);
  }
}

TEST(one_refused_message_costs_its_slots_alone) {
  Faults faults;
  for (int error : {EPERM, ENETUNREACH, ENOBUFS}) {
    Wire w;
    if (!w.open(AF_INET, 2, 1)) return;
    std::vector<Bytes> want;
    Bytes d = pattern(100, 1);
    for (int32_t peer : {0, 1, 0, 1}) w.put(d, peer);
    uint32_t train = put_train(w, super(5000), 1000, 1, 0, nullptr);
    put_train(w, super(5000), 1000, 0, 0, nullptr);
    const uint8_t *refused = w.endpoints[1].addr;
    on_message = [&](const msghdr &m) { return memcmp(m.msg_name, refused, 8) == 0 ? error : 0; };
    CHECK(w.send());
    CHECK_EQ(w.sender.failed(), 3u);
    CHECK_EQ(w.tray.batch.c.err[1], -error);
    CHECK_EQ(w.tray.batch.c.err[3], -error);
    CHECK_EQ(w.tray.batch.c.err[train], -error);
    CHECK_EQ(w.receive(0).size(), 2u + 5u);
    CHECK_EQ(w.receive(1).size(), 0u);
    CHECK(w.pools[0].gso);
  }
}

TEST(too_long_for_the_path_is_told_slot_by_slot) {
  Wire w;
  if (!w.open(AF_INET, 1, 1)) return;
  CHECK(set_mtu("lo", 1500));
  Bytes small = pattern(100, 1);
  uint32_t a = w.put(small, 0);
  uint32_t large = put_train(w, super(30000), 1500, 0, 0, nullptr);
  uint32_t b = w.put(small, 0);  // ends the train's message
  // Its last segment would get through, but the train is lost.
  uint32_t ragged = put_train(w, super(30100), 1500, 0, 0, nullptr);
  uint32_t c = w.put(small, 0);
  uint32_t single = w.put(pattern(1473, 2), 0);
  uint32_t fits = w.put(pattern(1472, 2), 0);
  CHECK(w.send());
  set_mtu("lo", 65536);
  const int32_t *err = w.tray.batch.c.err;
  CHECK_EQ(err[large], -EMSGSIZE);
  CHECK_EQ(err[ragged], -EMSGSIZE);
  CHECK_EQ(err[single], -EMSGSIZE);
  for (uint32_t i : {a, b, c, fits}) CHECK_EQ(err[i], 0);
  CHECK_EQ(w.sender.failed(), 3u);
  CHECK_EQ(w.receive(0).size(), 4u);
  CHECK(w.pools[0].gso && !w.sender.gso_broke());
}

TEST(gso_that_the_device_refuses_is_switched_off) {
  Faults faults;
  for (int error : {EIO, EINVAL}) {
    for (bool full_socket : {true, false}) {
      Wire w;
      if (!w.open(AF_INET, 1, 1)) return;
      std::vector<Bytes> want;
      put_train(w, super(20000), 1398, 0, 0, &want);
      for (uint32_t i = 0; i < 3; i++) {
        want.push_back(pattern(700, i));
        w.put(want.back(), 0);
      }
      put_train(w, super(3000), 1398, 0, 0, &want);
      int calls = 0;
      on_message = [&](const msghdr &m) {
        if (full_socket && ++calls % 3 == 0) return EAGAIN;
        return segment_of(m) ? error : 0;
      };
      bool done = w.send();
      CHECK_EQ(done, !full_socket);
      for (int turns = 0; !done && turns < 1000; turns++) done = w.resume();
      CHECK_EQ(w.sender.failed(), 0u);
      CHECK(!w.pools[0].gso && w.sender.gso_broke());
      CHECK(bytes_of(w.receive(0)) == want);
      // And from now on nobody asks for it.
      on_message = [](const msghdr &m) { return segment_of(m) ? EBADF : 0; };
      CHECK(w.send());
      CHECK_EQ(w.sender.failed(), 0u);
    }
  }
}

// Before Linux 6.14 or so a segment longer than the path is EINVAL; that says nothing about UDP_SEGMENT.
TEST(an_old_kernels_einval_for_a_narrow_path_keeps_gso) {
  Faults faults;
  Wire w;
  if (!w.open(AF_INET, 1, 1)) return;
  uint32_t large = put_train(w, super(30000), 1398, 0, 0, nullptr);
  uint32_t small = w.put(pattern(100, 1), 0);
  int calls = 0;
  on_message = [&](const msghdr &m) {
    calls++;
    if (segment_of(m)) return EINVAL;
    return m.msg_iov[0].iov_len + (m.msg_iovlen > 1 ? m.msg_iov[1].iov_len : 0) > 1300 ? EMSGSIZE : 0;
  };
  CHECK(w.send());
  CHECK_EQ(w.tray.batch.c.err[large], -EMSGSIZE);
  CHECK_EQ(w.tray.batch.c.err[small], 0);
  CHECK_EQ(w.sender.failed(), 1u);
  CHECK(w.pools[0].gso && !w.sender.gso_broke());
  // One segment was enough to know.
  CHECK(calls < 8);
}

// An ICMP error that waits on the socket fails the next send, whoever it is for.
TEST(an_icmp_error_for_another_costs_nothing) {
  Faults faults;
  Wire w;
  if (!w.open(AF_INET, 2, 1)) return;
  uint8_t closed[kAddrLen];
  memcpy(closed, w.endpoints[1].addr, kAddrLen);
  closed[3] ^= 1;  // a port where nobody listens, most likely
  memcpy(w.endpoints[1].addr, closed, kAddrLen);
  Bytes d = pattern(50, 1);
  for (int round = 0; round < 20; round++) {
    w.tray.clear();
    w.put(d, 1);
    w.put(d, 0);
    CHECK(w.send());
    CHECK_EQ(w.sender.failed(), 0u);
  }
  CHECK_EQ(w.receive(0).size(), 20u);
  // At the head of a call it is the call's answer.
  for (int error : {ECONNREFUSED, EMSGSIZE, EHOSTUNREACH}) {
    w.tray.clear();
    w.put(d, 0);
    bool told = false;
    on_message = [&](const msghdr &) {
      int answer = told ? 0 : error;
      told = true;
      return answer;
    };
    CHECK(w.send());
    CHECK_EQ(w.sender.failed(), 0u);
    CHECK_EQ(w.receive(0).size(), 1u);
  }
  // What poll would report.
  CHECK(drain_errors(w.pools[0].fds[0], w.endpoints, w.stats) > 0 || w.stats.drained > 0);
  CHECK(w.endpoints[1].changed);
  CHECK(w.stats.icmp_errors > 0);
}

// Control may take things away between a full socket and the resume.
TEST(endpoints_and_pools_may_go_while_a_socket_is_full) {
  Faults faults;
  for (bool pool : {true, false}) {
    Wire w;
    if (!w.open(AF_INET, 1, 1)) return;
    for (int i = 0; i < 10; i++) w.put(pattern(100 + static_cast<size_t>(i) * 7, 1), 0);
    on_message = [](const msghdr &) { return EAGAIN; };
    CHECK(!w.send());
    on_message = nullptr;
    if (pool) {
      w.pools[0] = Pool{};
    } else {
      w.endpoints.reserve(10000);  // moves them
      memset(w.endpoints[0].addr, 0, kAddrLen);
    }
    CHECK(w.resume());
    CHECK_EQ(w.sender.failed(), 10u);
    for (uint32_t i = 0; i < 10; i++) CHECK(w.tray.batch.c.err[i] == -EDESTADDRREQ);
  }
}

TEST(receive_counts_what_the_kernel_dropped) {
  Wire w;
  if (!w.open(AF_INET, 1, 1)) return;
  int small = 4096;
  CHECK_EQ(setsockopt(w.receiver(0), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  uint64_t all = 0;
  for (int round = 0; round < 2; round++) {
    w.tray.clear();
    for (int i = 0; i < 100; i++) w.put(pattern(500, 1), 0);
    w.set_gso(false);
    CHECK(w.send());
    uint64_t lost = 100 - w.receive(0).size();
    CHECK(lost > 0);
    // The next datagram brings the count.
    w.tray.clear();
    w.put(pattern(500, 1), 0);
    CHECK(w.send());
    CHECK_EQ(w.receive(0).size(), 1u);
    all += lost;
    CHECK_EQ(w.stats.overflows, all);
  }
}

TEST(receive_tells_tos_trains_and_our_address) {
  for (int family : {AF_INET, AF_INET6}) {
    Wire w;
    if (!w.open(family, 1, 1, kUdpGro | kUdpPktinfo)) return;
    std::vector<Bytes> want;
    uint32_t i = put_train(w, super(20000), 1000, 0, 0, &want);
    w.tray.batch.c.tos[i] = 0xb9;
    w.put(pattern(100, 1), 0);
    CHECK(w.send());
    auto got = w.receive(0);
    CHECK_EQ(got.size(), 2u);
    CHECK_EQ(got[0].segment, want[0].size());
    CHECK_EQ(got[0].tos, 0xb9);
    Bytes joined;
    for (const Bytes &d : want) joined.insert(joined.end(), d.begin(), d.end());
    CHECK(got[0].bytes == joined);
    CHECK_EQ(got[1].segment, 0);
    CHECK_EQ(got[1].tos, 0);
    CHECK_EQ(got[0].port, w.port_of(0));
    Bytes local(16, 0);
    if (family == AF_INET) {
      local = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    } else {
      local[15] = 1;
    }
    CHECK(got[0].local == local);
  }
}

TEST(an_address_of_ours_that_is_gone_is_forgotten_and_nothing_lost) {
  for (int family : {AF_INET, AF_INET6}) {
    Wire w;
    if (!w.open(family, 2, 1)) return;
    // TEST-NET-3 and the documentation prefix: no address of this host.
    Bytes gone = family == AF_INET ? Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9}
                                   : Bytes{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    memcpy(w.endpoints[0].local, gone.data(), gone.size());
    std::vector<Bytes> want;
    put_train(w, super(20000), 1000, 0, 0, &want);
    w.put(pattern(100, 1), 0);
    w.put(pattern(100, 2), 1);
    CHECK(w.send());
    CHECK_EQ(w.sender.failed(), 0u);
    CHECK_EQ(w.receive(0).size(), want.size() + 1);
    CHECK_EQ(w.receive(1).size(), 1u);
    CHECK(Bytes(w.endpoints[0].local, w.endpoints[0].local + 16) == Bytes(16, 0));
  }
}
