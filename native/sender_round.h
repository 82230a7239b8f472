// The inside of Sender: what one round of gathering and flushing works on. sender.cc gathers, sender_flush.cc
// flushes; nobody else includes this.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "sender.h"

namespace vtepd {

constexpr uint32_t kMaxMessage = 65507;  // 65535 - 20 IPv4 - 8 UDP; IPv6 allows a little more
constexpr uint32_t kRoundMessages = 256;
constexpr uint32_t kRoundPieces = 1024;
constexpr uint32_t kRoundIovecs = 4096;
constexpr uint32_t kCallMessages = 64;  // of one sendmmsg
// Two super-packets: what the copy has just written is still in the second-level cache when the kernel reads
// it.
constexpr uint32_t kCallBytes = 128 * 1024;
// A single packet up to this is copied behind the one before; a longer one is sent from where it lies.
constexpr uint32_t kSmall = 512;
// Copies for one sendmmsg: what it sends, and around each sealed datagram the cipher's room.
constexpr uint32_t kSealRoom = kSealFront + kSealBack;
constexpr uint32_t kStagingAlign = 64;
constexpr size_t kStaging = kCallBytes + kRoundIovecs * static_cast<size_t>(kSealRoom + kStagingAlign);
constexpr uint32_t kJobDatagrams = 8;
constexpr uint32_t kRoundJobs = kRoundPieces + 1 + kRoundIovecs / kJobDatagrams;
constexpr size_t kControl =
    CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo));

// Part of a message: one datagram, or consecutive segments of a train.
struct Sender::Piece {
  uint32_t slot;
  uint32_t first;
  uint32_t count;
  int32_t next;
};

struct Sender::Message {
  int32_t peer;        // endpoint, or kNone: the address of `slot`
  uint32_t slot;       // the first one
  int32_t head, tail;  // pieces
  int32_t next;        // in its lane
  uint32_t segments;
  uint32_t bytes;
  uint32_t size;  // of every segment but perhaps the last
  int32_t key;    // kNone: sent as it is
  uint16_t pad;   // Endpoint::pad when it was gathered: the sizes here rest on it
  uint8_t tos;
  bool closed;
};

// Consecutive datagrams of a slot that are sealed one after the other, from `at` in staging.
struct Sender::SealJob {
  uint32_t slot;
  uint32_t first;
  uint32_t count;
  uint16_t pad;
  bool failed;
  uint8_t *at;
};

// The messages of one socket in this round.
struct Sender::Lane {
  uint32_t pool;
  uint32_t port;
  int32_t first, last;
};

struct Sender::Workspace {
  // One more of each: the segment of a refused message that goes out alone.
  Piece pieces[kRoundPieces + 1];
  Message messages[kRoundMessages + 1];
  Lane lanes[kRoundMessages];
  int16_t lane_of[kMaxPools * kPoolPorts];
  mmsghdr calls[kCallMessages];
  iovec iovecs[kRoundIovecs];
  alignas(cmsghdr) uint8_t control[kCallMessages][kControl];
  alignas(kStagingAlign) uint8_t staging[kStaging];
  SealJob jobs[kRoundJobs];
  uint32_t piece_count = 0;
  uint32_t message_count = 0;
  uint32_t lane_count = 0;
  uint32_t iovec_count = 0;
  uint32_t lane = 0;  // being flushed
  // The current call: its messages, and how many of them have left.
  int32_t built[kCallMessages];
  uint32_t built_count = 0;
  uint32_t built_at = 0;
  uint64_t built_changes = 0;  // the key table's
  uint32_t built_iovecs = 0;
  size_t built_staging = 0;
  uint32_t built_jobs = 0;
  // A message that UDP_SEGMENT was refused for, while its segments go out one by one.
  int32_t single = kNone;
  int32_t single_piece = kNone;
  uint32_t single_next = 0;   // segment within the piece
  bool single_large = false;  // a full-size one is longer than the path
};

// Bytes of a packet on its way into a message: WG §5.4.6 pads to a multiple of 16, but not beyond the
// device's MTU.
inline uint32_t padded(uint32_t len, uint16_t pad) {
  if (len >= pad) return len;
  uint32_t whole = (len + 15) & ~15u;
  return whole < pad ? whole : pad;
}

// Bytes of staging that a sealed datagram takes.
inline uint32_t staged(uint32_t whole) {
  return (whole + kSealRoom + kStagingAlign - 1) & ~(kStagingAlign - 1);
}

inline uint32_t sealed(uint32_t len, uint16_t pad) { return padded(len, pad) + kMessageOverhead; }

inline Shape shape_of(const Batch &b, uint32_t i) {
  return {b.c.l3[i],
          static_cast<uint16_t>(b.c.sum[i] >> 16),
          static_cast<uint16_t>(b.c.sum[i]),
          b.c.header[i],
          b.c.segment[i],
          b.c.kind[i]};
}

}  // namespace vtepd
