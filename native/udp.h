// UDP, hot side: datagrams in by recvmmsg and UDP_GRO, datagrams out by sendmmsg and UDP_SEGMENT over a pool
// of source ports. udp(7), Documentation/networking/segmentation-offloads. No overlay: a datagram is bytes
// with a far end. Temperature: hot; everything is allocated at construction. Opening (cold) is udp_open.cc,
// sending is sender.cc.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "batch.h"
#include "offload.h"

namespace vtepd {

constexpr uint32_t kPoolPorts = 64;
constexpr uint32_t kMessages = 32;                               // datagrams or trains of one recvmmsg
constexpr uint32_t kReceiveBytes = 256 * 1024;                   // aim of one recvmmsg, for the cache's sake
constexpr size_t kDatagramRoom = kHeadroom + 65536 + kTailroom;  // slab bytes of one received message

struct UdpStats {
  uint64_t overflows = 0;    // SO_RXQ_OVFL: dropped by the kernel because our buffer was full
  uint64_t icmp_errors = 0;  // taken from error queues
  uint64_t drained = 0;      // entries taken from error queues, our own EMSGSIZE among them
  uint64_t receives = 0;     // system calls
  uint64_t sends = 0;        // system calls
  uint64_t messages = 0;     // UDP messages sent, a train in one message counts once
};

struct Socket {
  int fd = -1;  // borrowed: control opens and closes it
  uint32_t overflow = 0;
  uint32_t messages = kMessages;  // how many to ask for next: fewer when they are trains (kReceiveBytes)
};

/// One far end: where datagrams for a peer id go, and by which pool.
struct Endpoint {
  uint8_t addr[kAddrLen] = {};    // sockaddr; family 0: unused
  uint8_t local[kLocalLen] = {};  // source address to ask for (IP_PKTINFO); zero: the socket's own
  int32_t pool = kNone;
  uint16_t pad = 0;      // sealed packets are filled up to a multiple of 16, at most to this; 0: they are not
  bool changed = false;  // an ICMP error named it: the path wants a look
};

/// Sockets that differ by source port only.
struct Pool {
  int fds[kPoolPorts] = {};
  uint32_t count = 0;
  bool gso = false;
  uint32_t max_segments = 64;
};

/// Receives once from `socket` into slots from `start`: slot i's bytes start at i * kDatagramRoom +
/// kHeadroom. Returns the new slot count.
uint32_t receive_datagrams(Socket &socket, int32_t id, Batch &b, uint32_t start, UdpStats &stats);

/// Empties the error queue of fd; endpoints whose address it names get `changed`. Returns how many errors
/// there were.
uint32_t drain_errors(int fd, std::vector<Endpoint> &endpoints, UdpStats &stats);

/// Bytes of a sockaddr by its family; 0 when it is neither IPv4 nor IPv6.
inline socklen_t sockaddr_len(const uint8_t *addr) {
  sa_family_t family = reinterpret_cast<const sockaddr *>(addr)->sa_family;
  return family == AF_INET ? sizeof(sockaddr_in) : family == AF_INET6 ? sizeof(sockaddr_in6) : 0;
}

}  // namespace vtepd
