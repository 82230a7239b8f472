#include "udp_open.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "fd.h"
#include "udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace vtepd {

namespace {

bool set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void set_buffers(int fd, int bytes) {
  // The FORCE forms need CAP_NET_ADMIN; without it net.core.[rw]mem_max bounds what we get.
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)) set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

bool mute(int fd) {
  sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  sock_fprog program = {1, &drop_all};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace

int udp_open(const uint8_t *addr, uint32_t flags, int buffer, const char **step) {
  sa_family_t family = reinterpret_cast<const sockaddr *>(addr)->sa_family;
  bool v6 = family == AF_INET6;
  *step = "socket";
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!fd) return -errno;
  int s = fd.get();
  *step = "setsockopt";
  bool ok = v6 ? set(s, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                     set(s, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO) &&
                     set(s, IPPROTO_IPV6, IPV6_RECVERR, 1)
               : set(s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO) && set(s, IPPROTO_IP, IP_RECVERR, 1);
  if (ok && (flags & kUdpMute)) ok = mute(s);
  if (ok && (flags & kUdpNoCheck) && !v6) ok = set(s, SOL_SOCKET, SO_NO_CHECK, 1);
  if (ok && (flags & kUdpReceive)) {
    ok = v6 ? set(s, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) : set(s, IPPROTO_IP, IP_RECVTOS, 1);
    if (ok) ok = set(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
  }
  if (ok && (flags & kUdpPktinfo)) {
    ok = v6 ? set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : set(s, IPPROTO_IP, IP_PKTINFO, 1);
  }
  if (ok && (flags & kUdpShare)) ok = set(s, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!ok) return -errno;
  // Linux 5.0 has UDP_GRO; without it every datagram comes alone.
  if (flags & kUdpGro) set(s, SOL_UDP, UDP_GRO, 1);
  set_buffers(s, buffer);
  *step = "bind";
  if (bind(s, reinterpret_cast<const sockaddr *>(addr), sockaddr_len(addr)) < 0) return -errno;
  return fd.release();
}

bool udp_has_gso(int fd) {
  int value;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &value, &size) == 0;
}

int udp_mark(int fd, uint32_t mark) {
  return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0 ? -errno : 0;
}

int udp_no_check(int fd, bool off) { return set(fd, SOL_SOCKET, SO_NO_CHECK, off ? 1 : 0) ? 0 : -errno; }

int udp_join(int fd, const uint8_t *addr, int index) {
  bool v6 = reinterpret_cast<const sockaddr *>(addr)->sa_family == AF_INET6;
  int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  group_req request = {};
  request.gr_interface = static_cast<uint32_t>(index);
  memcpy(&request.gr_group, addr, sockaddr_len(addr));
  if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request) < 0) return -errno;
  // IPv6 has it since Linux 4.20; before that the socket hears the group on every interface that joined it.
  if (!set(fd, level, v6 ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, 0) && errno != ENOPROTOOPT) return -errno;
  return 0;
}

int udp_multicast(int fd, bool v6, int index, int hops) {
  ip_mreqn by = {};
  by.imr_ifindex = index;
  bool ok = v6 ? set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) &&
                     set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops) &&
                     set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
               : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) == 0 &&
                     set(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops) && set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
  return ok ? 0 : -errno;
}

uint32_t udp_max_segments() {
  utsname u;
  int major = 0;
  int minor = 0;
  if (uname(&u) != 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2) return 63;
  return major > 6 || (major == 6 && minor >= 9) ? 127 : 63;
}

int path_mtu(const uint8_t *addr, const uint8_t *from) {
  sa_family_t family = reinterpret_cast<const sockaddr *>(addr)->sa_family;
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!fd) return -errno;
  if (from && sockaddr_len(from) > 0 &&
      bind(fd.get(), reinterpret_cast<const sockaddr *>(from), sockaddr_len(from)) < 0)
    return -errno;
  if (connect(fd.get(), reinterpret_cast<const sockaddr *>(addr), sockaddr_len(addr)) < 0) return -errno;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  bool v6 = family == AF_INET6;
  if (getsockopt(fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &size) < 0)
    return -errno;
  return mtu;
}

}  // namespace vtepd
