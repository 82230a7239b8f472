#include "wire.h"

#include <arpa/inet.h>
#include <string.h>

#include "../../native/udp_open.h"
#include "check.h"
#include "world.h"

namespace test {

using namespace vtepd;

namespace {

constexpr int kBuffer = 8 << 20;

void loopback(int family, uint8_t *addr) {
  memset(addr, 0, kAddrLen);
  if (family == AF_INET) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(addr, &a, sizeof a);
  } else {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    memcpy(addr, &a, sizeof a);
  }
}

uint16_t port_in(const uint8_t *addr) {
  uint16_t port;
  memcpy(&port, addr + 2, sizeof port);
  return ntohs(port);
}

UniqueFd open_one(int family, uint32_t flags, uint8_t *addr) {
  loopback(family, addr);
  const char *step = "";
  UniqueFd fd(udp_open(addr, flags, kBuffer, &step));
  socklen_t size = kAddrLen;
  if (fd) getsockname(fd.get(), reinterpret_cast<sockaddr *>(addr), &size);
  return fd;
}

}  // namespace

bool Wire::open(int family, uint32_t far_ends, uint32_t ports, uint32_t receive_flags) {
  if (!enter_world()) return false;
  for (uint32_t i = 0; i < far_ends; i++) {
    Endpoint e;
    receivers_.push_back(open_one(family, kUdpReceive | receive_flags, e.addr));
    if (!receivers_.back()) {
      skip("no loopback of this family");
      return false;
    }
    e.pool = 0;
    endpoints.push_back(e);
    Socket s;
    s.fd = receivers_.back().get();
    sockets_.push_back(s);
  }
  pools.resize(1);
  for (uint32_t i = 0; i < ports; i++) {
    uint8_t addr[kAddrLen];
    senders_.push_back(open_one(family, kUdpMute, addr));
    pools[0].fds[i] = senders_.back().get();
    ports_.push_back(port_in(addr));
  }
  pools[0].count = ports;
  pools[0].max_segments = udp_max_segments();
  set_gso(udp_has_gso(pools[0].fds[0]));
  return true;
}

void Wire::set_gso(bool on) { pools[0].gso = on; }

uint32_t Wire::put(const Bytes &datagram, int32_t peer, uint16_t port) {
  uint32_t i = tray.put(datagram);
  tray.batch.c.peer[i] = peer;
  tray.batch.c.port[i] = port;
  return i;
}

std::vector<Received> Wire::receive(uint32_t far_end) {
  std::vector<Received> out;
  Batch &b = landing_.batch;
  for (;;) {
    uint32_t n = receive_datagrams(sockets_[far_end], static_cast<int32_t>(far_end), b, 0, stats);
    for (uint32_t i = 0; i < n; i++) {
      const uint8_t *local = b.c.local + static_cast<size_t>(i) * kLocalLen;
      CHECK_EQ(b.c.link[i], static_cast<int32_t>(far_end));
      out.push_back({landing_.bytes(i), port_in(b.c.addr + static_cast<size_t>(i) * kAddrLen), b.c.tos[i],
                     b.c.segment[i], Bytes(local, local + kLocalLen)});
    }
    if (n == 0) return out;
  }
}

uint32_t put_train(Wire &w, const Spec &super, uint16_t segment, int32_t peer, uint16_t port,
                   std::vector<Bytes> *want) {
  Spec s = super;
  s.sum = Sum::kUnfinished;
  Bytes packet = pattern(8, 77);
  Bytes frame = build(s);
  packet.insert(packet.end(), frame.begin(), frame.end());
  uint32_t i = w.put(packet, peer, port);
  Columns &c = w.tray.batch.c;
  c.segment[i] = segment;
  c.l3[i] = static_cast<uint16_t>(l3_offset(s) + 8);
  c.header[i] = static_cast<uint16_t>(header_length(s) + 8);
  c.sum[i] = static_cast<uint32_t>(l4_offset(s) + 8) << 16 | (s.tcp ? 16 : 6);
  c.kind[i] = !s.tcp ? kUdp : s.version == 4 ? kTcp4 : kTcp6;
  for (const Bytes &one : slow_split(s, segment)) {
    Bytes d = pattern(8, 77);
    d.insert(d.end(), one.begin(), one.end());
    if (want) want->push_back(d);
  }
  return i;
}

Spec super(size_t payload, bool tcp) {
  Spec s;
  s.tcp = tcp;
  s.payload = pattern(payload, static_cast<uint32_t>(payload));
  s.flags = 0x18;
  return s;
}

}  // namespace test
