// The Engine's readiness: what must wake a wait, and what must not keep it awake.
#include "../../native/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "faults.h"
#include "joiner.h"
#include "tray.h"
#include "wire.h"
#include "world.h"

using namespace test;
using namespace vtepd;

namespace {

struct Faults {
  ~Faults() { on_message = nullptr; }
};

struct Running {
  Wire wire;
  Engine engine;
  double stats[kStatCount] = {};
  Tray frames{64, 1 << 20};
  Tray messages{8, 8 * kDatagramRoom};

  uint32_t wait(int timeout_ms) { return engine.wait(timeout_ms, frames.batch, messages.batch); }

  bool open() {
    if (!wire.open(AF_INET, 1, 2)) return false;
    CHECK_EQ(engine.open(), 0);
    engine.attach_stats(stats);
    CHECK_EQ(engine.set_pool(0, wire.pools[0]), 0);
    engine.set_endpoint(0, wire.endpoints[0]);
    return true;
  }
};

}  // namespace

TEST(engine_wakes_and_sleeps) {
  Running r;
  if (!r.open()) return;
  CHECK_EQ(r.wait(0), 0u);
  wake(r.engine.wake_fd());
  wake(r.engine.wake_fd());
  CHECK_EQ(r.wait(1000), static_cast<uint32_t>(kReadyWake));
  CHECK_EQ(r.wait(0), 0u);
  CHECK(r.stats[kStatNow] > 0);
}

TEST(engine_refuses_ids_that_it_has_no_room_for) {
  Running r;
  if (!r.open()) return;
  CHECK_EQ(r.engine.set_pool(kMaxPools, r.wire.pools[0]), -ERANGE);
  Device nothing;
  CHECK_EQ(r.engine.set_device(1, nothing), -EBADF);
}

TEST(engine_reports_a_full_socket_until_it_takes_more) {
  Faults faults;
  Running r;
  if (!r.open()) return;
  r.wire.put(pattern(100, 1), 0);
  on_message = [](const msghdr &) { return EAGAIN; };
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 1), -1);
  CHECK(r.wait(1000) & kReadyWritable);
  CHECK_EQ(r.engine.resume(r.wire.tray.batch), -1);
  on_message = nullptr;
  CHECK(r.wait(1000) & kReadyWritable);
  CHECK_EQ(r.engine.resume(r.wire.tray.batch), 0);
  CHECK_EQ(r.wait(0), 0u);
  CHECK_EQ(r.wire.receive(0).size(), 1u);
}

// Nobody would ever say that a closed socket takes more.
TEST(engine_goes_on_when_the_full_socket_is_taken_away) {
  Faults faults;
  Running r;
  if (!r.open()) return;
  r.wire.put(pattern(100, 1), 0);
  on_message = [](const msghdr &) { return EAGAIN; };
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 1), -1);
  on_message = nullptr;
  r.engine.clear_pool(0);
  CHECK_EQ(r.wait(1000), static_cast<uint32_t>(kReadyWritable));
  CHECK_EQ(r.engine.resume(r.wire.tray.batch), 1);
  CHECK_EQ(r.wire.tray.batch.c.err[0], -EDESTADDRREQ);
  CHECK_EQ(r.wait(0), 0u);
}

TEST(engine_tells_which_endpoint_an_icmp_error_names) {
  Running r;
  if (!r.open()) return;
  Endpoint closed = r.wire.endpoints[0];
  closed.addr[3] ^= 1;
  r.engine.set_endpoint(3, closed);
  r.engine.set_endpoint(0, Endpoint{});
  r.wire.put(pattern(10, 1), 3);
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 1), 0);
  CHECK(r.wait(1000) & kReadyChanged);
  CHECK_EQ(r.engine.next_changed(), 3);
  CHECK_EQ(r.engine.next_changed(), kNone);
  CHECK_EQ(r.wait(0), 0u);
}

TEST(engine_receives_on_a_socket_that_sends_already) {
  Running r;
  if (!r.open()) return;
  Bytes d = pattern(100, 1);
  r.wire.put(d, 0);
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 1), 0);
  // What has come before waits for it.
  Pool both = r.wire.pools[0];
  both.fds[0] = r.wire.receiver(0);
  both.count = 1;
  CHECK_EQ(r.engine.set_pool(1, both), 0);
  CHECK_EQ(r.wait(0), 0u);
  CHECK_EQ(r.engine.set_socket(5, r.wire.receiver(0)), 0);
  CHECK_EQ(r.wait(1000), static_cast<uint32_t>(kReadySockets));
  CHECK_EQ(r.stats[kStatMessages], 1);
  CHECK(r.messages.bytes(0) == d);
}

TEST(engine_receives_while_it_wakes) {
  Running r;
  if (!r.open()) return;
  CHECK_EQ(r.engine.set_socket(5, r.wire.receiver(0)), 0);
  Bytes d = pattern(100, 1);
  for (int i = 0; i < 3; i++) r.wire.put(d, 0);
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 3), 0);
  uint32_t got = 0;
  for (int turns = 0; turns < 10 && got < 3; turns++) {
    CHECK_EQ(r.wait(1000), static_cast<uint32_t>(kReadySockets));
    uint32_t n = static_cast<uint32_t>(r.stats[kStatMessages]);
    for (uint32_t i = 0; i < n; i++) {
      CHECK_EQ(r.messages.batch.c.link[i], 5);
      CHECK(r.messages.bytes(i) == d);
    }
    got += n;
  }
  CHECK_EQ(got, 3u);
  CHECK_EQ(r.wait(0), 0u);
  CHECK_EQ(r.stats[kStatMessages], 0);
  r.engine.clear_socket(5);
}

TEST(engine_carries_frames_and_notices_a_device_that_goes) {
  Faults faults;
  Running r;
  if (!r.open()) return;
  UniqueFd tap = open_tap("vtepd-engine", 0);
  if (!tap) {
    skip(std::string("no TAP device: ") + strerror(errno));
    return;
  }
  Device d;
  d.fd = tap.get();
  d.tcp = true;
  CHECK_EQ(r.engine.set_device(2, d), 0);
  Spec s;
  s.payload = pattern(100, 1);
  Tray in(8, 1 << 20);
  in.put(build(s));
  in.batch.c.link[0] = 2;
  in.put(build(s));
  in.batch.c.link[1] = 9;  // no such device
  CHECK_EQ(r.engine.deliver(in.batch, 2), 1u);
  CHECK_EQ(in.batch.c.err[0], 0);
  CHECK_EQ(in.batch.c.err[1], -ENODEV);
  // While a socket is full the device is not read, but its end is noticed, and reported once.
  CHECK(delete_device("vtepd-engine"));
  r.wire.put(pattern(100, 1), 0);
  on_message = [](const msghdr &) { return EAGAIN; };
  CHECK_EQ(r.engine.send(r.wire.tray.batch, 1), -1);
  uint32_t ready = 0;
  for (int turns = 0; turns < 10 && !(ready & kReadyGone); turns++) ready |= r.wait(1000);
  CHECK(ready & kReadyGone);
  CHECK(!(ready & kReadyDevices));
  CHECK_EQ(r.engine.next_gone(), 2);
  CHECK_EQ(r.engine.next_gone(), kNone);
  r.engine.clear_device(2);
  on_message = nullptr;
  CHECK_EQ(r.engine.resume(r.wire.tray.batch), 0);
  CHECK_EQ(r.wait(0), 0u);
}
