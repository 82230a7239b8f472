#include "udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace vtepd {

namespace {

constexpr size_t kControl = 256;

void read_control(msghdr &msg, Socket &socket, Batch &b, uint32_t i, UdpStats &stats) {
  uint8_t *local = b.c.local + static_cast<size_t>(i) * kLocalLen;
  for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
    const void *data = CMSG_DATA(c);
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      int size;
      memcpy(&size, data, sizeof size);
      if (size > 0 && size <= 65535) b.c.segment[i] = static_cast<uint16_t>(size);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      memcpy(&b.c.tos[i], data, 1);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      int value;
      memcpy(&value, data, sizeof value);
      b.c.tos[i] = static_cast<uint8_t>(value);
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      uint32_t total;
      memcpy(&total, data, sizeof total);
      stats.overflows += total - socket.overflow;
      socket.overflow = total;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      memcpy(&info, data, sizeof info);
      local[10] = local[11] = 0xff;
      memcpy(local + 12, &info.ipi_addr, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      memcpy(local, &reinterpret_cast<const in6_pktinfo *>(data)->ipi6_addr, 16);
    }
  }
}

bool same_address(const uint8_t *a, const uint8_t *b) {
  auto *x = reinterpret_cast<const sockaddr *>(a);
  auto *y = reinterpret_cast<const sockaddr *>(b);
  if (x->sa_family != y->sa_family) return false;
  if (x->sa_family == AF_INET) return memcmp(a + 4, b + 4, 4) == 0;
  return x->sa_family == AF_INET6 && memcmp(a + 8, b + 8, 16) == 0;
}

}  // namespace

uint32_t receive_datagrams(Socket &socket, int32_t id, Batch &b, uint32_t start, UdpStats &stats) {
  uint32_t room = b.slots < start ? 0 : b.slots - start;
  if (room > socket.messages) room = socket.messages;
  size_t places = b.size / kDatagramRoom;
  if (places < start + room) room = places < start ? 0 : static_cast<uint32_t>(places - start);
  if (room == 0) return start;
  mmsghdr msgs[kMessages];
  iovec iov[kMessages];
  alignas(cmsghdr) uint8_t control[kMessages][kControl];
  for (uint32_t k = 0; k < room; k++) {
    uint32_t i = start + k;
    iov[k] = {b.bytes + static_cast<size_t>(i) * kDatagramRoom + kHeadroom, 65536};
    msgs[k].msg_hdr = {
        b.c.addr + static_cast<size_t>(i) * kAddrLen, kAddrLen, &iov[k], 1, control[k], kControl, 0};
    msgs[k].msg_len = 0;
  }
  int got;
  do {
    got = recvmmsg(socket.fd, msgs, room, MSG_DONTWAIT, nullptr);
  } while (got < 0 && errno == EINTR);
  stats.receives++;
  if (got <= 0) return start;
  uint32_t bytes = 0;
  for (int k = 0; k < got; k++) {
    uint32_t i = start + k;
    bytes += msgs[k].msg_len;
    b.c.off[i] = static_cast<uint32_t>(i * kDatagramRoom + kHeadroom);
    b.c.len[i] = msgs[k].msg_len;
    b.c.peer[i] = kNone;
    b.c.link[i] = id;
    b.c.segment[i] = 0;
    b.c.key[i] = kNone;
    b.c.tos[i] = 0;
    memset(b.c.local + static_cast<size_t>(i) * kLocalLen, 0, kLocalLen);
    read_control(msgs[k].msg_hdr, socket, b, i, stats);
  }
  // Trains of 64 KiB: four at a time. Small datagrams: as many as there are.
  uint32_t mean = bytes / static_cast<uint32_t>(got) + 1;
  uint32_t next = kReceiveBytes / mean;
  socket.messages = next < 1 ? 1 : next > kMessages ? kMessages : next;
  return start + got;
}

uint32_t drain_errors(int fd, std::vector<Endpoint> &endpoints, UdpStats &stats) {
  uint32_t n = 0;
  for (;;) {
    uint8_t addr[kAddrLen] = {};
    uint8_t data[64];
    alignas(cmsghdr) uint8_t control[512];
    iovec iov = {data, sizeof data};
    msghdr msg = {addr, sizeof addr, &iov, 1, control, sizeof control, 0};
    if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      // An error that found no room in the queue is still set on the socket: poll would report it for ever,
      // and the next send would pay for it.
      int pending;
      socklen_t size = sizeof pending;
      if (n == 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size);
      return n;
    }
    n++;
    stats.drained++;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
      bool error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
      if (!error) continue;
      sock_extended_err e;
      memcpy(&e, CMSG_DATA(c), sizeof e);
      if (e.ee_origin != SO_EE_ORIGIN_LOCAL) stats.icmp_errors++;
    }
    for (Endpoint &e : endpoints) {
      if (same_address(e.addr, addr)) e.changed = true;
    }
  }
}

}  // namespace vtepd
