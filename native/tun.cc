#include "tun.h"

#include <errno.h>
#include <sys/uio.h>

namespace vtepd {

namespace {

bool is_gone(int e) { return e == EBADFD || e == EBADF || e == ENODEV || e == ENXIO; }

void store(Batch &b, uint32_t i, int32_t id, size_t off, uint32_t len, const Shape &s) {
  b.c.off[i] = static_cast<uint32_t>(off);
  b.c.len[i] = len;
  b.c.peer[i] = kNone;
  b.c.link[i] = id;
  b.c.sum[i] = s.segment ? static_cast<uint32_t>(s.l4) << 16 | s.csum : 0;
  b.c.err[i] = 0;
  b.c.segment[i] = s.segment;
  b.c.header[i] = s.header;
  b.c.l3[i] = s.l3;
  b.c.port[i] = 0;
  b.c.kind[i] = s.kind;
  b.c.tos[i] = 0;
}

}  // namespace

uint32_t receive_frames(Device &device, int32_t id, Batch &b, uint32_t start, uint32_t cap, size_t *at,
                        TunStats &stats) {
  uint32_t n = start;
  while (n < cap && *at + kFrameRoom <= b.size) {
    size_t off = *at + kHeadroom;
    VnetHdr h;
    iovec iov[2] = {{&h, sizeof h}, {b.bytes + off, 65536}};
    ssize_t got = readv(device.fd, iov, 2);
    stats.reads++;
    if (got < 0) {
      if (errno == EINTR) continue;
      if (is_gone(errno)) device.gone = -errno;
      break;
    }
    if (got <= static_cast<ssize_t>(sizeof h)) {
      stats.bad_frames++;
      continue;
    }
    uint32_t len = static_cast<uint32_t>(got - sizeof h);
    Shape s{};
    if (describe(h, b.bytes + off, len, device.ethernet, &s) < 0) {
      stats.bad_frames++;
      continue;
    }
    if (s.segment == 0 && s.l4 != 0) finish_checksum(b.bytes + off, len, s.l4, s.csum);
    store(b, n, id, off, len, s);
    // Cache lines stay whole; the next packet's headroom does not reach into this one.
    *at = (off + len + kTailroom + 63) & ~static_cast<size_t>(63);
    n++;
  }
  return n;
}

uint32_t Emitter::emit(Device &device, Batch &b, uint32_t from, uint32_t to, TunStats &stats) {
  Coalescer &co = *coalescer_;
  co.begin(device.ethernet, device.tcp, device.udp, device.mtu);
  for (uint32_t i = from; i < to; i++) {
    b.c.err[i] = 0;
    if (b.c.len[i] == 0 || !b.holds(i)) continue;
    co.add(i - from, b.bytes + b.c.off[i], b.c.len[i], b.c.segment[i]);
  }
  co.finish();

  uint32_t failed = 0;
  iovec iov[1 + kMaxSegments];
  for (uint32_t k = 0; k < co.count(); k++) {
    const Item &item = co.item(k);
    VnetHdr vnet = item.vnet;
    iov[0] = {&vnet, sizeof vnet};
    uint32_t slot = item.first;
    iov[1] = {b.bytes + b.c.off[from + slot], b.c.len[from + slot]};
    int parts = 2;
    for (uint32_t f = 1; f < item.frames; f++) {
      slot = co.next(slot);
      uint32_t i = from + slot;
      iov[parts++] = {b.bytes + b.c.off[i] + item.header, b.c.len[i] - item.header};
    }
    ssize_t put;
    do {
      put = writev(device.fd, iov, parts);
    } while (put < 0 && errno == EINTR);
    stats.writes++;
    if (put >= 0) continue;
    int error = -errno;
    if (is_gone(errno)) device.gone = error;
    // Linux 6.6.44 and its neighbours refuse valid trains with EINVAL: from now on single frames only.
    if (errno == EINVAL && item.frames > 1) device.tcp = device.udp = false;
    slot = item.first;
    for (uint32_t f = 0; f < item.frames; f++) {
      b.c.err[from + slot] = error;
      failed++;
      slot = co.next(slot);
    }
  }
  return failed;
}

}  // namespace vtepd
