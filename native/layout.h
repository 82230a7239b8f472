// The tray that native and TypeScript share: columns (struct of arrays) in one ArrayBuffer, and a slab of
// bytes. src/batch.ts computes the same offsets; attach() compares both, so a change here without one there
// fails at start. A column never moves; byte offsets in `off` count from the start of the slab.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vtepd {

constexpr uint32_t kHeadroom = 128;  // >= 16 WireGuard + 40 IPv6 + 8 UDP + 8 VXLAN + 14 Ethernet
constexpr uint32_t kTailroom = 64;   // >= 15 padding + 16 tag
constexpr uint32_t kAddrLen = 32;    // a sockaddr_in or sockaddr_in6, zero padded
constexpr uint32_t kLocalLen =
    16;  // our address that a datagram came to, IPv4 mapped into IPv6; zero: not told

constexpr int32_t kNone = -1;

// Values of the `kind` column: virtio_net_hdr gso_type (linux/virtio_net.h).
constexpr uint8_t kSingle = 0;
constexpr uint8_t kTcp4 = 1;
constexpr uint8_t kTcp6 = 4;
constexpr uint8_t kUdp = 5;
constexpr uint8_t kEcn = 0x80;  // or-ed to kTcp4/kTcp6: the first segment carries CWR
// Not virtio's: a slot of length 0 with a key is sent all the same, as a message around nothing (WG §6.5).
constexpr uint8_t kKeepalive = 0x40;

struct Columns {
  double *ctr;        // the counter that slot i is sealed with, or its first segment; opened with
  uint32_t *off;      // where slot i's bytes start in the slab
  uint32_t *len;      // 0: nothing here
  int32_t *peer;      // endpoint id; kNone: use addr
  int32_t *link;      // device id (frames) or socket id (datagrams)
  uint32_t *sum;      // csum_start << 16 | csum_offset from off; 0: checksum complete
  int32_t *err;       // after send, open or deliver: 0 or -errno
  int32_t *key;       // slot of the key to seal or open with; kNone: neither
  uint16_t *segment;  // payload bytes per segment of a train; 0: a single packet. Received datagrams: the GRO
                      // size or 0
  uint16_t *header;   // bytes from off that every segment repeats
  uint16_t *l3;       // bytes from off to the IP header; 0: not IP
  uint16_t *port;     // which socket of the source port pool
  uint8_t *kind;      // kSingle, kTcp4, kTcp6, kUdp, or-ed with kEcn
  uint8_t *tos;       // outer TOS or traffic class, both ways
  uint8_t *addr;      // kAddrLen bytes a slot
  uint8_t *local;     // kLocalLen bytes a slot
};

constexpr size_t kF64Columns = 1;
constexpr size_t kU32Columns = 7;
constexpr size_t kU16Columns = 4;
constexpr size_t kU8Columns = 2;

/// Bytes that the columns of a batch of `slots` slots take; `slots` is a multiple of 8.
constexpr size_t columns_size(size_t slots) {
  return slots * (kF64Columns * 8 + kU32Columns * 4 + kU16Columns * 2 + kU8Columns + kAddrLen + kLocalLen);
}

}  // namespace vtepd
