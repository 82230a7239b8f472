#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include <cassert>
#include <optional>

#include "sender_round.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace vtepd {

namespace {

// The message's own fault, or nobody's: asking again would not help. Other errors may be an ICMP error that
// waits on the socket and fails the next send, whoever it goes to.
bool is_own(int error) {
  return error == EINVAL || error == EIO || error == EPERM || error == ENOBUFS || error == ENOMEM ||
         error == ENOKEY;
}

// Our address that the far end was last reached from may be gone (IPv4: ENETUNREACH, IPv6: EINVAL): then the
// kernel chooses another. False: it has the choice already.
bool forget_source(Endpoint &to, int error) {
  static const uint8_t none[kLocalLen] = {};
  if ((error != ENETUNREACH && error != EINVAL) || memcmp(to.local, none, kLocalLen) == 0) return false;
  memset(to.local, 0, kLocalLen);
  return true;
}

// Bytes of a slot's k-th datagram before it is sealed.
uint32_t datagram_bytes(const Batch &b, uint32_t slot, uint32_t k) {
  if (b.c.segment[slot] == 0) return b.c.len[slot];
  return b.c.header[slot] + segment_payload(shape_of(b, slot), b.c.len[slot], k);
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
      int error = !pool ? EDESTADDRREQ : !has_key(w.messages[head]) ? ENOKEY : 0;
      if (error == 0 && w.single == lane.first) {
        if (!send_singly(b, *pool, lane.port, endpoints, stats)) return false;
        lane.first = w.messages[head].next;
        continue;
      }
      if (error == 0) error = send_some(b, lane, pool->fds[lane.port], endpoints, stats);
      if (error == 0) {
        retried = false;
        continue;
      }
      if (error == EAGAIN) {
        blocked_fd_ = pool->fds[lane.port];
        return false;
      }
      if (error != ENOKEY && pool) drain_errors(pool->fds[lane.port], endpoints, stats);
      int32_t peer = w.messages[head].peer;
      if (peer >= 0 && forget_source(endpoints[static_cast<uint32_t>(peer)], error)) continue;
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
  if (!is_built(lane.first)) build_call(b, lane.first);
  for (uint32_t k = w.built_at; k < w.built_count; k++) address(b, endpoints, k);
  int sent;
  do {
    sent = sendmmsg(fd, w.calls + w.built_at, w.built_count - w.built_at, MSG_DONTWAIT);
    stats.sends++;
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno;
  stats.messages += static_cast<uint32_t>(sent);
  w.built_at += static_cast<uint32_t>(sent);
  for (int k = 0; k < sent; k++) lane.first = w.messages[lane.first].next;
  return 0;
}

// Whether what the last call could not send begins with this message and still stands: then nothing is cut
// and sealed a second time because a socket was full. Without a key that changed no other byte may have.
bool Sender::is_built(int32_t message) {
  Workspace &w = *w_;
  while (w.built_at < w.built_count && w.built[w.built_at] != message) w.built_at++;
  return w.built_at < w.built_count && w.built_changes == aead_->changes();
}

// Builds as many messages from this one on as one sendmmsg is to take.
void Sender::build_call(Batch &b, int32_t message) {
  Workspace &w = *w_;
  uint32_t n = 0;
  uint32_t bytes = 0;
  w.built_iovecs = w.built_jobs = w.built_at = 0;
  w.built_staging = 0;
  w.built_changes = aead_->changes();
  for (int32_t m = message; m != kNone && n < kCallMessages; m = w.messages[m].next, n++) {
    if (n > 0 && (bytes + w.messages[m].bytes > kCallBytes || !has_key(w.messages[m]))) break;
    w.built[n] = m;
    build(b, w.messages[m], w.calls[n].msg_hdr);
    bytes += w.messages[m].bytes;
  }
  w.built_count = n;
  seal_jobs(b);
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
    one.bytes = datagram_bytes(b, piece.slot, piece.first + w.single_next);
    if (one.key >= 0) one.bytes = sealed(one.bytes, one.pad);
    w.pieces[kRoundPieces] = {piece.slot, piece.first + w.single_next, 1, kNone};
    bool full = one.bytes == whole.size;
    // A train that lost a segment is lost as a whole to whoever counts; the path is too narrow for its kind.
    if (w.single_large && (full || b.c.err[piece.slot] != 0)) {
      fail_slot(b, piece.slot, -EMSGSIZE);
      w.single_next++;
      continue;
    }
    Lane lane = {0, port, static_cast<int32_t>(kRoundMessages), kNone};
    w.built_count = 0;  // the same message, but another segment
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

// Whether what a message is sealed with is still what it was when the batch came: control may have taken the
// key away, or put another in its place, while a socket was full.
bool Sender::has_key(const Message &m) const { return m.key < 0 || aead_->usable(m.key, key_changes_); }

// A message's iovecs: copies in staging, one behind the other, and what is sent from where it lies.
void Sender::build(const Batch &b, const Message &m, msghdr &h) {
  Workspace &w = *w_;
  uint32_t first = w.built_iovecs;
  uint8_t *copies = w.staging + w.built_staging;
  auto append = [&](uint8_t *at, uint32_t len) {
    iovec *last = w.built_iovecs > first ? &w.iovecs[w.built_iovecs - 1] : nullptr;
    if (last && static_cast<uint8_t *>(last->iov_base) + last->iov_len == at) {
      last->iov_len += len;
    } else {
      w.iovecs[w.built_iovecs++] = {at, len};
    }
  };
  for (int32_t p = m.head; p != kNone; p = w.pieces[p].next) {
    const Piece &piece = w.pieces[p];
    if (m.key >= 0) {
      lay(b, piece, m.pad);
      continue;
    }
    uint32_t i = piece.slot;
    uint8_t *data = b.bytes + b.c.off[i];
    uint32_t len = b.c.len[i];
    uint8_t *start = copies;
    if (b.c.segment[i] != 0) {
      Splitter splitter(shape_of(b, i), data, len);
      for (uint32_t k = 0; k < piece.count; k++) copies += splitter.copy(piece.first + k, copies);
    } else if (len <= kSmall && m.segments > 1) {
      memcpy(copies, data, len);
      copies += len;
    } else {
      append(data, len);
      continue;
    }
    append(start, static_cast<uint32_t>(copies - start));
  }
  if (m.key < 0) {
    w.built_staging = (static_cast<size_t>(copies - w.staging) + kStagingAlign - 1) &
                      ~static_cast<size_t>(kStagingAlign - 1);
    assert(w.built_staging <= kStaging);
  }
  h = {};
  h.msg_iov = w.iovecs + first;
  h.msg_iovlen = w.built_iovecs - first;
}

// Finds a place in staging for each datagram of a sealed piece: one iovec each. seal_jobs fills them.
void Sender::lay(const Batch &b, const Piece &piece, uint16_t pad) {
  Workspace &w = *w_;
  for (uint32_t done = 0; done < piece.count; done++) {
    if (done % kJobDatagrams == 0) {
      uint32_t left = piece.count - done;
      assert(w.built_jobs < kRoundJobs);
      w.jobs[w.built_jobs++] = {
          piece.slot, piece.first + done,         left < kJobDatagrams ? left : kJobDatagrams, pad,
          false,      w.staging + w.built_staging};
    }
    uint32_t whole = padded(datagram_bytes(b, piece.slot, piece.first + done), pad);
    uint8_t *message = w.staging + w.built_staging + kSealFront - kMessageHeader;
    w.iovecs[w.built_iovecs++] = {message, whole + kMessageOverhead};
    w.built_staging += staged(whole);
    assert(w.built_staging <= kStaging && whole + kMessageOverhead <= kMaxMessage);
  }
}

void Sender::seal_jobs(Batch &b) {
  struct Task {
    Sender *sender;
    const Batch *b;
  };
  Workspace &w = *w_;
  if (w.built_jobs == 0) return;
  uint32_t packets = 0;
  for (uint32_t j = 0; j < w.built_jobs; j++) packets += w.jobs[j].count;
  Task task = {this, &b};
  aead_->run(
      w.built_jobs, packets, w.built_staging,
      [](void *context, uint32_t job, uint32_t thread) {
        auto *t = static_cast<Task *>(context);
        t->sender->seal(*t->b, t->sender->w_->jobs[job], thread);
      },
      &task);
  for (uint32_t j = 0; j < w.built_jobs; j++) {
    if (w.jobs[j].failed) fail_slot(b, w.jobs[j].slot, -ENOMEM);
  }
}

// Headers and payload are copied into staging, once, and sealed there. Any thread: nothing but the job is
// written.
void Sender::seal(const Batch &b, SealJob &job, uint32_t thread) {
  uint32_t i = job.slot;
  const uint8_t *data = b.bytes + b.c.off[i];
  Shape s = shape_of(b, i);
  std::optional<Splitter> splitter;
  if (s.segment != 0) splitter.emplace(s, data, b.c.len[i]);
  uint8_t *at = job.at;
  for (uint32_t k = job.first; k < job.first + job.count; k++) {
    uint8_t *text = at + kSealFront;
    uint32_t plain = b.c.len[i];
    if (splitter) {
      plain = splitter->copy(k, text);
    } else {
      memcpy(text, data, plain);
    }
    uint32_t whole = padded(plain, job.pad);
    memset(text + plain, 0, whole - plain);
    uint64_t counter = static_cast<uint64_t>(b.c.ctr[i]) + k;
    if (!aead_->seal(thread, b.c.key[i], counter, text, whole)) job.failed = true;
    at += staged(whole);
  }
}

// Where to and how. Looked up now, not when gathered: control may have changed the endpoint while a socket
// was full.
void Sender::address(Batch &b, std::vector<Endpoint> &endpoints, uint32_t at) {
  Workspace &w = *w_;
  const Message &m = w.messages[w.built[at]];
  const Endpoint *to = m.peer >= 0 ? &endpoints[static_cast<uint32_t>(m.peer)] : nullptr;
  uint8_t *addr =
      to ? endpoints[static_cast<uint32_t>(m.peer)].addr : b.c.addr + static_cast<size_t>(m.slot) * kAddrLen;
  msghdr &h = w.calls[at].msg_hdr;
  h.msg_name = addr;
  h.msg_namelen = sockaddr_len(addr);
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
