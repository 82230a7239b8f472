#include "packets.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vnet.h"

namespace vtepd {

Packets::Packets(int fd, bool ethernet, bool vnet_hdr) : fd_(fd), ethernet_(ethernet), vnet_hdr_(vnet_hdr) {
  if (vnet_hdr) train_.reset(new uint8_t[kMaxPacket]);
}

int Packets::read(uint8_t *slab, size_t size, uint32_t *places, uint32_t cap) {
  if (!vnet_hdr_) return read_plain(slab, size, places, cap);
  uint32_t n = 0;
  size_t at = 0;
  while (n < cap) {
    if (!pending()) {
      int e = read_train();
      if (e == -EAGAIN) break;
      // What was read before the error is delivered first; the error is still there at the next call.
      if (e < 0) return n > 0 ? static_cast<int>(n) : e;
    }
    uint32_t before = n;
    n = cut(slab, size, &at, places, n, cap);
    if (n == before) break;
  }
  return static_cast<int>(n);
}

int Packets::read_plain(uint8_t *slab, size_t size, uint32_t *places, uint32_t cap) {
  uint32_t n = 0;
  size_t at = 0;
  while (n < cap && size - at >= kMaxPacket) {
    ssize_t got = ::read(fd_, slab + at, kMaxPacket);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      if (errno == EAGAIN || n > 0) break;
      return -errno;
    }
    places[2 * n] = static_cast<uint32_t>(at);
    places[2 * n + 1] = static_cast<uint32_t>(got);
    at += static_cast<size_t>(got);
    n++;
  }
  return static_cast<int>(n);
}

// Takes the next packet or super-packet from the device into train_. 0 or -errno.
int Packets::read_train() {
  for (;;) {
    VnetHdr h;
    iovec iov[2] = {{&h, sizeof h}, {train_.get(), kMaxPacket}};
    ssize_t got = readv(fd_, iov, 2);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got <= static_cast<ssize_t>(sizeof h)) continue;
    length_ = static_cast<uint32_t>(got) - static_cast<uint32_t>(sizeof h);
    // What the kernel describes wrongly cannot be cut; it is no packet then.
    if (describe(h, train_.get(), length_, ethernet_, &shape_) < 0) continue;
    if (shape_.segment == 0 && shape_.l4 != 0) {
      finish_checksum(train_.get(), length_, shape_.l4, shape_.csum);
    }
    segment_ = 0;
    segments_ = segment_count(shape_, length_);
    return 0;
  }
}

// Lays as many packets of train_ into the slab as fit, behind `*at`. Returns the new packet count.
uint32_t Packets::cut(uint8_t *slab, size_t size, size_t *at, uint32_t *places, uint32_t n, uint32_t cap) {
  auto place = [&](uint32_t length) {
    places[2 * n] = static_cast<uint32_t>(*at);
    places[2 * n + 1] = length;
    *at += length;
    n++;
    segment_++;
  };
  if (shape_.segment == 0) {
    if (n == cap || size - *at < length_) return n;
    memcpy(slab + *at, train_.get(), length_);
    place(length_);
    return n;
  }
  Splitter splitter(shape_, train_.get(), length_);
  while (pending() && n < cap) {
    uint32_t payload = segment_payload(shape_, length_, segment_);
    if (size - *at < shape_.header + payload) break;
    uint8_t *to = slab + *at;
    splitter.write(segment_, to);
    memcpy(to + shape_.header, train_.get() + shape_.header + segment_ * shape_.segment, payload);
    place(shape_.header + payload);
  }
  return n;
}

int Packets::write(const uint8_t *packet, size_t size) {
  VnetHdr h{};
  iovec iov[2] = {{&h, sizeof h}, {const_cast<uint8_t *>(packet), size}};
  ssize_t put;
  do {
    put = vnet_hdr_ ? writev(fd_, iov, 2) : ::write(fd_, packet, size);
  } while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : 0;
}

}  // namespace vtepd
