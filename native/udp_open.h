// Opens UDP sockets. Cold. udp(7), ip(7), ipv6(7).
#pragma once
#include <cstdint>

namespace vtepd {

enum UdpFlags : uint32_t {
  kUdpReceive = 1,  // hears: TOS, drops and (with kUdpGro) trains are told
  kUdpMute = 2,     // hears nothing: a filter drops what comes; ICMP errors still reach its error queue
  kUdpNoCheck = 4,  // IPv4: outgoing checksum 0; rules out UDP_SEGMENT
  kUdpGro = 8,
  kUdpPktinfo = 16,  // tells which of our addresses a datagram came to
  kUdpShare = 32,    // other sockets may be bound to the same group and port: each hears all of it
};

/// Binds a socket to `addr` (sockaddr_in or sockaddr_in6, kAddrLen bytes). The outer packet is never
/// fragmented (IP_MTU_DISCOVER = DO, RFC 7348 §4.3). Returns the fd or -errno; *step names the call that
/// failed.
int udp_open(const uint8_t *addr, uint32_t flags, int buffer, const char **step);

/// Whether the kernel takes UDP_SEGMENT on this socket.
bool udp_has_gso(int fd);

/// Gives what the socket sends a mark for routing rules (SO_MARK, socket(7)); 0: none. Returns 0 or -errno.
int udp_mark(int fd, uint32_t mark);

/// What the socket sends over IPv4 has no UDP checksum (`off`), or has one again (SO_NO_CHECK). Returns 0 or
/// -errno.
int udp_no_check(int fd, bool off);

/// Hears the group `addr` (a sockaddr) on the interface with this index, from any source, until it is closed;
/// no group that another socket has joined (IP_MULTICAST_ALL). Returns 0 or -errno.
int udp_join(int fd, const uint8_t *addr, int index);

/// What the socket sends to groups of its family leaves by the interface with this index, goes over at most
/// `hops` routers, and is not heard on this host. Returns 0 or -errno.
int udp_multicast(int fd, bool v6, int index, int hops);

/// Segments one UDP_SEGMENT message may have: 64 before Linux 6.9, 128 since; one less to stay on the safe
/// side of both ways of counting.
uint32_t udp_max_segments();

/// The kernel's path MTU to `addr` (route MTU and ICMP included), or -errno. A socket is made for the
/// question.
int path_mtu(const uint8_t *addr, const uint8_t *from);

}  // namespace vtepd
