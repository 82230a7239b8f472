#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "sender_round.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace vtepd {

namespace {

// The message's own fault, or nobody's: asking again would not help. Other errors may be an ICMP error that
// waits on the socket and fails the next send, whoever it goes to.
bool is_own(int error) {
  return error == EINVAL || error == EIO || error == EPERM || error == ENOBUFS || error == ENOMEM;
}

// Bytes of a piece's k-th datagram.
uint32_t piece_bytes(const Batch &b, const Piece &piece, uint32_t k) {
  if (b.c.segment[piece.slot] == 0) return b.c.len[piece.slot];
  return b.c.header[piece.slot] +
         segment_payload(shape_of(b, piece.slot), b.c.len[piece.slot], piece.first + k);
}

}  // namespace

// Sends the round, lane by lane; false when a socket is full.
bool Sender::flush(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints, UdpStats &stats) {
  Workspace &w = *w_;
  for (; w.lane < w.lane_count; w.lane++) {
    Lane &lane = w.lanes[w.lane];
    // Control may have taken the pool away while a socket was full.
    Pool *pool = lane.pool < pools.size() && lane.port < pools[lane.pool].count ? &pools[lane.pool] : nullptr;
    bool retried = false;
    while (lane.first != kNone) {
      uint32_t head = static_cast<uint32_t>(lane.first);
      int error = pool ? 0 : EDESTADDRREQ;
      if (pool && w.single == lane.first) {
        if (!send_singly(b, *pool, lane.port, endpoints, stats)) return false;
        lane.first = w.messages[head].next;
        continue;
      }
      if (pool) error = send_some(b, lane, pool->fds[lane.port], endpoints, stats);
      if (error == 0) {
        retried = false;
        continue;
      }
      if (error == EAGAIN) {
        blocked_fd_ = pool->fds[lane.port];
        return false;
      }
      if (pool) drain_errors(pool->fds[lane.port], endpoints, stats);
      if (pool && !retried && !is_own(error)) {
        retried = true;
        continue;
      }
      retried = false;
      if (w.messages[head].segments > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
        begin_singly(*pool, head, error);
        continue;
      }
      fail(b, head, -error);
      lane.first = w.messages[head].next;
    }
    w.single = kNone;
  }
  return true;
}

// One sendmmsg from the lane's head on; what was sent leaves the lane. 0, or errno when nothing was sent.
int Sender::send_some(Batch &b, Lane &lane, int fd, std::vector<Endpoint> &endpoints, UdpStats &stats) {
  Workspace &w = *w_;
  uint32_t n = 0;
  uint32_t bytes = 0;
  w.built_iovecs = w.built_headers = 0;
  int32_t m = lane.first;
  for (; m != kNone && n < kCallMessages && (n == 0 || bytes + w.messages[m].bytes <= kCallBytes); n++) {
    build(b, endpoints, static_cast<uint32_t>(m), n);
    bytes += w.messages[m].bytes;
    m = w.messages[m].next;
  }
  int sent;
  do {
    sent = sendmmsg(fd, w.calls, n, MSG_DONTWAIT);
    stats.sends++;
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno;
  stats.messages += static_cast<uint32_t>(sent);
  for (int k = 0; k < sent; k++) lane.first = w.messages[lane.first].next;
  return 0;
}

// A message with UDP_SEGMENT was refused: its segments are to go out one by one. EIO: the device below does
// not do it. EINVAL: the same, or an older kernel found a segment longer than the path. EMSGSIZE: newer ones
// say so; then only a shorter last datagram can still get through.
void Sender::begin_singly(Pool &pool, uint32_t message, int error) {
  Workspace &w = *w_;
  const Message &m = w.messages[message];
  w.single = static_cast<int32_t>(message);
  w.single_piece = m.head;
  w.single_next = 0;
  w.single_large = error == EMSGSIZE;
  if (error == EIO) refuse_gso(pool);
}

void Sender::refuse_gso(Pool &pool) {
  pool.gso = false;
  gso_broke_ = true;
}

// Goes on with the segments of w.single; false when the socket is full.
bool Sender::send_singly(Batch &b, Pool &pool, uint32_t port, std::vector<Endpoint> &endpoints,
                         UdpStats &stats) {
  Workspace &w = *w_;
  const Message whole = w.messages[w.single];
  const int fd = pool.fds[port];
  bool retried = false;
  while (w.single_piece != kNone) {
    const Piece piece = w.pieces[w.single_piece];
    if (w.single_next == piece.count) {
      w.single_piece = piece.next;
      w.single_next = 0;
      continue;
    }
    Message &one = w.messages[kRoundMessages];
    one = whole;
    one.segments = 1;
    one.head = one.tail = static_cast<int32_t>(kRoundPieces);
    one.next = kNone;
    one.bytes = piece_bytes(b, piece, w.single_next);
    w.pieces[kRoundPieces] = {piece.slot, piece.first + w.single_next, 1, kNone};
    bool full = one.bytes == whole.size;
    // A train that lost a segment is lost as a whole to whoever counts; the path is too narrow for its kind.
    if (w.single_large && (full || b.c.err[piece.slot] != 0)) {
      fail_slot(b, piece.slot, -EMSGSIZE);
      w.single_next++;
      continue;
    }
    Lane lane = {0, port, static_cast<int32_t>(kRoundMessages), kNone};
    int error = send_some(b, lane, fd, endpoints, stats);
    if (error == EAGAIN) {
      blocked_fd_ = fd;
      return false;
    }
    if (error != 0) drain_errors(fd, endpoints, stats);
    if (error != 0 && !retried && !is_own(error)) {
      retried = true;
      continue;
    }
    retried = false;
    if (error != 0) fail_slot(b, piece.slot, -error);
    if (error == EMSGSIZE && full) w.single_large = true;
    // What UDP_SEGMENT was refused for goes through without it.
    if (error == 0 && full) refuse_gso(pool);
    w.single_next++;
  }
  w.single = kNone;
  return true;
}

// Fills calls[at] with a message: iovecs, headers of train segments, control messages.
void Sender::build(Batch &b, std::vector<Endpoint> &endpoints, uint32_t message, uint32_t at) {
  Workspace &w = *w_;
  Message &m = w.messages[message];
  uint32_t first = w.built_iovecs;
  for (int32_t p = m.head; p != kNone; p = w.pieces[p].next) {
    const Piece &piece = w.pieces[p];
    uint32_t i = piece.slot;
    uint8_t *data = b.bytes + b.c.off[i];
    uint32_t len = b.c.len[i];
    if (b.c.segment[i] == 0) {
      w.iovecs[w.built_iovecs++] = {data, len};
      continue;
    }
    Shape s = shape_of(b, i);
    Splitter splitter(s, data, len);
    for (uint32_t k = piece.first; k < piece.first + piece.count; k++) {
      uint8_t *header = w.headers + w.built_headers;
      splitter.write(k, header);
      w.built_headers += (s.header + 7u) & ~7u;
      w.iovecs[w.built_iovecs++] = {header, s.header};
      w.iovecs[w.built_iovecs++] = {data + s.header + static_cast<size_t>(k) * s.segment,
                                    segment_payload(s, len, k)};
    }
  }
  // Looked up now, not when gathered: control may have changed the endpoint while a socket was full.
  const Endpoint *to = m.peer >= 0 ? &endpoints[static_cast<uint32_t>(m.peer)] : nullptr;
  uint8_t *addr =
      to ? endpoints[static_cast<uint32_t>(m.peer)].addr : b.c.addr + static_cast<size_t>(m.slot) * kAddrLen;
  msghdr &h = w.calls[at].msg_hdr;
  h = {};
  h.msg_name = addr;
  h.msg_namelen = sockaddr_len(addr);
  h.msg_iov = w.iovecs + first;
  h.msg_iovlen = w.built_iovecs - first;
  bool v6 = reinterpret_cast<const sockaddr *>(addr)->sa_family == AF_INET6;
  uint8_t *control = w.control[at];
  size_t used = 0;
  auto put = [&](int level, int type, const void *value, size_t size) {
    auto *c = reinterpret_cast<cmsghdr *>(control + used);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), value, size);
    used += CMSG_SPACE(size);
  };
  if (m.segments > 1) {
    uint16_t size = static_cast<uint16_t>(m.size);
    put(SOL_UDP, UDP_SEGMENT, &size, sizeof size);
  }
  if (m.tos) {
    int tos = m.tos;
    put(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof tos);
  }
  static const uint8_t zero[kLocalLen] = {};
  if (to && memcmp(to->local, zero, kLocalLen) != 0) {
    if (v6) {
      in6_pktinfo info{};
      memcpy(&info.ipi6_addr, to->local, 16);
      put(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
      in_pktinfo info{};
      memcpy(&info.ipi_spec_dst, to->local + 12, 4);
      put(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
  }
  h.msg_control = used ? control : nullptr;
  h.msg_controllen = used;
}

void Sender::fail_slot(Batch &b, uint32_t slot, int error) {
  if (b.c.err[slot] == 0) failed_++;
  b.c.err[slot] = error;
}

void Sender::fail(Batch &b, uint32_t message, int error) {
  for (int32_t p = w_->messages[message].head; p != kNone; p = w_->pieces[p].next) {
    fail_slot(b, w_->pieces[p].slot, error);
  }
}

}  // namespace vtepd
