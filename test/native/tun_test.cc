// The Emitter over a socket pair that keeps records apart as a device does, with refusals in the kernel's
// name.
#include "../../native/tun.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../../native/fd.h"
#include "check.h"
#include "faults.h"
#include "joiner.h"
#include "tray.h"

using namespace test;
using namespace vtepd;

namespace {

struct Pair {
  UniqueFd device, far;
  Device d;
  Emitter emitter;
  TunStats stats;
  Tray tray{512, 1 << 20};

  Pair() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) != 0) abort();
    device.reset(fds[0]);
    far.reset(fds[1]);
    int size = 4 << 20;
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    d.fd = fds[0];
    d.tcp = d.udp = true;
  }
  ~Pair() { on_writev = nullptr; }

  uint32_t emit() { return emitter.emit(d, tray.batch, 0, tray.count, stats); }

  std::vector<Written> written() {
    std::vector<Written> out;
    Bytes buffer(70000);
    ssize_t got;
    while ((got = recv(far.get(), buffer.data(), buffer.size(), 0)) > 0) {
      Written w{};
      memcpy(&w.vnet, buffer.data(), sizeof w.vnet);
      w.bytes.assign(buffer.begin() + sizeof w.vnet, buffer.begin() + got);
      out.push_back(w);
    }
    return out;
  }
};

Spec frame(bool tcp, int number, size_t payload = 500) {
  Spec s;
  s.tcp = tcp;
  s.seq += static_cast<uint32_t>(number) * static_cast<uint32_t>(payload);
  s.id = static_cast<uint16_t>(s.id + number);
  s.payload = pattern(payload, static_cast<uint32_t>(number));
  return s;
}

bool is_train(const iovec *iov) { return reinterpret_cast<const VnetHdr *>(iov[0].iov_base)->gso_type != 0; }

}  // namespace

TEST(emit_writes_trains_and_frames) {
  Pair p;
  for (int i = 0; i < 5; i++) p.tray.put(build(frame(true, i)));
  Spec ack = frame(true, 5, 0);
  ack.seq = frame(true, 5).seq;
  p.tray.put(build(ack));
  uint32_t dropped = p.tray.put(build(frame(false, 0)));
  p.tray.batch.c.len[dropped] = 0;
  CHECK_EQ(p.emit(), 0u);
  auto out = p.written();
  CHECK_EQ(out.size(), 2u);
  CHECK_EQ(cut(out[0], true).size(), 5u);
  for (int i = 0; i < 5; i++) CHECK(cut(out[0], true)[static_cast<size_t>(i)] == build(frame(true, i)));
  CHECK(out[1].bytes == build(ack));
  CHECK_EQ(p.stats.writes, 2u);
  for (uint32_t i = 0; i < p.tray.count; i++) CHECK_EQ(p.tray.batch.c.err[i], 0);
}

TEST(a_refused_train_goes_out_frame_by_frame) {
  for (bool tcp : {true, false}) {
    Pair p;
    for (int i = 0; i < 5; i++) p.tray.put(build(frame(tcp, i)));
    for (int i = 0; i < 3; i++) {
      Spec other = frame(tcp, i);
      other.sport++;
      p.tray.put(build(other));
    }
    for (int i = 0; i < 4; i++) p.tray.put(build(frame(!tcp, i)));
    on_writev = [tcp](const iovec *iov, int) {
      const auto *v = reinterpret_cast<const VnetHdr *>(iov[0].iov_base);
      return v->gso_type == (tcp ? kTcp4 : kUdp) ? EINVAL : 0;
    };
    CHECK_EQ(p.emit(), 0u);
    auto out = p.written();
    CHECK_EQ(out.size(), 9u);
    for (size_t i = 0; i < 8; i++) {
      CHECK(out[i].bytes == p.tray.bytes(static_cast<uint32_t>(i)));
      CHECK_EQ(out[i].vnet.flags, 0);
    }
    CHECK_EQ(out[8].vnet.gso_type, tcp ? kUdp : kTcp4);
    // Only what was refused is switched off; one attempt was enough.
    CHECK_EQ(p.d.tcp, !tcp);
    CHECK_EQ(p.d.udp, tcp);
    CHECK_EQ(p.stats.writes, 10u);
  }
}

TEST(a_frame_that_fails_by_itself_does_not_switch_trains_off) {
  Pair p;
  for (int i = 0; i < 3; i++) p.tray.put(build(frame(true, i)));
  on_writev = [](const iovec *, int) { return EINVAL; };
  CHECK_EQ(p.emit(), 3u);
  CHECK(p.d.tcp);
  for (uint32_t i = 0; i < 3; i++) CHECK_EQ(p.tray.batch.c.err[i], -EINVAL);
}

TEST(other_refusals_cost_the_item) {
  Pair p;
  for (int i = 0; i < 3; i++) p.tray.put(build(frame(true, i)));
  for (int i = 0; i < 2; i++) p.tray.put(build(frame(false, i)));
  int calls = 0;
  on_writev = [&calls](const iovec *, int) { return ++calls == 1 ? EINTR : calls == 2 ? ENOBUFS : 0; };
  CHECK_EQ(p.emit(), 3u);
  for (uint32_t i = 0; i < 3; i++) CHECK_EQ(p.tray.batch.c.err[i], -ENOBUFS);
  for (uint32_t i = 3; i < 5; i++) CHECK_EQ(p.tray.batch.c.err[i], 0);
  CHECK_EQ(p.written().size(), 1u);
  CHECK(p.d.tcp && p.d.udp && p.d.gone == 0);
}

TEST(a_device_that_is_gone_is_asked_once) {
  Pair p;
  for (int i = 0; i < 3; i++) p.tray.put(build(frame(true, i)));
  for (int i = 0; i < 2; i++) p.tray.put(build(frame(false, i)));
  int calls = 0;
  on_writev = [&calls](const iovec *, int) {
    calls++;
    return EBADFD;
  };
  CHECK_EQ(p.emit(), 5u);
  CHECK_EQ(calls, 1);
  CHECK_EQ(p.d.gone, -EBADFD);
}

TEST(super_packet_for_a_device_without_trains_is_cut) {
  for (bool refused : {true, false}) {
    for (bool tcp : {true, false}) {
      Pair p;
      Spec s = frame(tcp, 0, 9000);
      s.sum = Sum::kUnfinished;
      s.flags = 0x98;
      uint32_t slot = p.tray.put(build(s));
      p.tray.batch.c.segment[slot] = 700;
      if (refused) {
        on_writev = [](const iovec *iov, int) { return is_train(iov) ? EINVAL : 0; };
      } else {
        p.d.tcp = p.d.udp = false;
      }
      CHECK_EQ(p.emit(), 0u);
      auto out = p.written();
      std::vector<Bytes> want = slow_split(s, 700);
      CHECK_EQ(out.size(), want.size());
      for (size_t i = 0; i < out.size() && i < want.size(); i++) {
        CHECK(out[i].bytes == want[i]);
        CHECK_EQ(out[i].vnet.flags | out[i].vnet.gso_type, 0);
      }
      CHECK_EQ(p.tray.batch.c.err[slot], 0);
      // It says nothing about trains that we make.
      CHECK_EQ(p.d.tcp, refused);
    }
  }
}

TEST(receive_reads_frames_and_counts_bad_ones) {
  Pair p;
  auto feed = [&](VnetHdr v, const Bytes &b) {
    Bytes record(sizeof v);
    memcpy(record.data(), &v, sizeof v);
    record.insert(record.end(), b.begin(), b.end());
    CHECK_EQ(send(p.far.get(), record.data(), record.size(), 0), static_cast<ssize_t>(record.size()));
  };
  Spec s = frame(true, 0);
  s.sum = Sum::kUnfinished;
  VnetHdr single = {kVnetNeedsCsum, kSingle, 0, 0, 34, 16};
  feed(single, build(s));
  VnetHdr bad = single;
  bad.csum_start = 9999;
  feed(bad, build(s));
  feed({}, {});  // a header and no frame
  // The longest there is: 65535 bytes of IP packet behind two tags.
  Spec longest = frame(true, 0, 65535 - 40);
  longest.tags = {0x88a8, 0x8100};
  longest.sum = Sum::kUnfinished;
  feed({kVnetNeedsCsum, kTcp4, 0, 1400, 42, 16}, build(longest));
  Tray tray(16, 1 << 20);
  size_t at = 0;
  uint32_t n = receive_frames(p.d, 3, tray.batch, 0, 16, &at, p.stats);
  CHECK_EQ(n, 2u);
  CHECK_EQ(p.stats.bad_frames, 2u);
  Spec right = s;
  right.sum = Sum::kRight;
  CHECK(tray.bytes(0) == build(right));
  CHECK_EQ(tray.batch.c.link[0], 3);
  CHECK_EQ(tray.batch.c.sum[0], 0u);
  CHECK(tray.bytes(1) == build(longest));
  CHECK_EQ(tray.batch.c.segment[1], 1400);
  CHECK_EQ(tray.batch.c.header[1], 62);
  CHECK_EQ(tray.batch.c.sum[1], 42u << 16 | 16);
  CHECK(tray.batch.c.off[1] >= tray.batch.c.off[0] + tray.batch.c.len[0] + kHeadroom);
}
