#include "tun.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
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

// Writes one frame or train. 0 or -errno.
int put(Device &device, const iovec *iov, int parts, TunStats &stats) {
  if (device.gone) return device.gone;
  ssize_t n;
  do {
    n = writev(device.fd, iov, parts);
  } while (n < 0 && errno == EINTR);
  stats.writes++;
  if (n >= 0) return 0;
  int error = -errno;
  if (is_gone(errno)) device.gone = error;
  return error;
}

}  // namespace

uint32_t receive_frames(Device &device, int32_t id, Batch &b, uint32_t start, uint32_t cap, size_t *at,
                        TunStats &stats) {
  uint32_t n = start;
  while (n < cap && *at < kCrossingBytes && *at + kFrameRoom <= b.size) {
    size_t off = *at + kHeadroom;
    VnetHdr h;
    iovec iov[2] = {{&h, sizeof h}, {b.bytes + off, kFrameBytes}};
    ssize_t got = readv(device.fd, iov, 2);
    stats.reads++;
    if (got < 0) {
      if (errno == EINTR) continue;
      if (is_gone(errno)) device.gone = -errno;
      break;
    }
    if (got == 0) break;
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
  assert(to - from <= kMaxFrames);
  Coalescer &co = *coalescer_;
  co.begin(device.ethernet, device.tcp, device.udp, device.mtu);
  for (uint32_t i = from; i < to; i++) {
    b.c.err[i] = 0;
    if (b.c.len[i] == 0 || !b.holds(i)) continue;
    co.add(i - from, b.bytes + b.c.off[i], b.c.len[i], b.c.segment[i]);
  }
  uint32_t failed = 0;
  for (uint32_t k = 0; k < co.count(); k++) {
    const Item &item = co.item(k);
    if (item.vnet.gso_type == kSingle) {
      failed += write_frames(device, b, from, item, stats);
      continue;
    }
    bool &takes = item.vnet.gso_type == kUdp ? device.udp : device.tcp;
    int error = takes ? write_train(device, b, from, item, stats) : -EINVAL;
    if (error == -EINVAL && item.frames == 1) {
      error = write_segments(device, item, stats);
    } else if (error == -EINVAL) {
      uint32_t n = write_frames(device, b, from, item, stats);
      // Linux 6.6.44 and its neighbours refuse valid trains. A frame that fails by itself proves nothing.
      if (n == 0) takes = false;
      failed += n;
      continue;
    }
    uint32_t slot = item.first;
    for (uint32_t f = 0; error < 0 && f < item.frames; f++) {
      if (f > 0) slot = co.next(slot);
      b.c.err[from + slot] = error;
      failed++;
    }
  }
  return failed;
}

// One write: virtio header and joined headers, then the payloads where they lie. 0 or -errno.
int Emitter::write_train(Device &device, const Batch &b, uint32_t from, const Item &item, TunStats &stats) {
  uint8_t front[sizeof(VnetHdr) + kMaxHeader];
  memcpy(front, &item.vnet, sizeof(VnetHdr));
  coalescer_->write_header(item, front + sizeof(VnetHdr));
  iovec iov[1 + kMaxSegments];
  iov[0] = {front, sizeof(VnetHdr) + item.header};
  uint32_t slot = item.first;
  for (uint32_t f = 0; f < item.frames; f++) {
    if (f > 0) slot = coalescer_->next(slot);
    uint32_t i = from + slot;
    iov[1 + f] = {b.bytes + b.c.off[i] + item.header, b.c.len[i] - item.header};
  }
  return put(device, iov, static_cast<int>(1 + item.frames), stats);
}

// A super-packet for a device that does not take it: its segments, one by one. 0 or the first -errno.
int Emitter::write_segments(Device &device, const Item &item, TunStats &stats) {
  Shape s = coalescer_->shape(item);
  Splitter splitter(s, item.frame, item.length);
  uint8_t front[sizeof(VnetHdr) + kMaxHeader] = {};
  uint32_t count = segment_count(s, item.length);
  int error = 0;
  for (uint32_t k = 0; k < count && !device.gone; k++) {
    splitter.write(k, front + sizeof(VnetHdr));
    const uint8_t *payload = item.frame + s.header + static_cast<size_t>(k) * s.segment;
    iovec iov[2] = {{front, sizeof(VnetHdr) + s.header},
                    {const_cast<uint8_t *>(payload), segment_payload(s, item.length, k)}};
    int e = put(device, iov, 2, stats);
    if (error == 0) error = e;
  }
  return error;
}

// The frames of an item as they came. Returns how many failed.
uint32_t Emitter::write_frames(Device &device, Batch &b, uint32_t from, const Item &item, TunStats &stats) {
  static constexpr VnetHdr kPlain = {};
  const VnetHdr &vnet = item.frames == 1 ? item.vnet : kPlain;
  uint32_t failed = 0;
  uint32_t slot = item.first;
  for (uint32_t f = 0; f < item.frames; f++) {
    if (f > 0) slot = coalescer_->next(slot);
    uint32_t i = from + slot;
    iovec iov[2] = {{const_cast<VnetHdr *>(&vnet), sizeof vnet}, {b.bytes + b.c.off[i], b.c.len[i]}};
    b.c.err[i] = put(device, iov, 2, stats);
    failed += b.c.err[i] != 0;
  }
  return failed;
}

}  // namespace vtepd
