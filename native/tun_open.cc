#include "tun_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fd.h"
#include "netns.h"

namespace vtepd {

namespace {

int set_mac(const char *name, const uint8_t *mac) {
  UniqueFd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control) return -errno;
  ifreq ifr{};
  memcpy(ifr.ifr_name, name, IFNAMSIZ);
  ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
  return ioctl(control.get(), SIOCSIFHWADDR, &ifr) == 0 ? 0 : -errno;
}

}  // namespace

int tun_open(char name[16], uint32_t flags, const uint8_t *mac, const char *netns, const char **step) {
  *step = "setns";
  NetnsGuard guard(netns);
  if (guard.error() < 0) return guard.error();
  *step = "open /dev/net/tun";
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return -errno;
  ifreq ifr{};
  memcpy(ifr.ifr_name, name, IFNAMSIZ - 1);
  int wanted = (flags & kTunEthernet ? IFF_TAP : IFF_TUN) | IFF_NO_PI;
  if (flags & kTunVnetHdr) wanted |= IFF_VNET_HDR;
  if (flags & kTunMultiQueue) wanted |= IFF_MULTI_QUEUE;
  ifr.ifr_flags = static_cast<short>(wanted);
  *step = "TUNSETIFF";
  if (ioctl(fd.get(), TUNSETIFF, &ifr) < 0) return -errno;
  memcpy(name, ifr.ifr_name, IFNAMSIZ);
  *step = "SIOCSIFHWADDR";
  if (mac != nullptr) {
    int error = set_mac(name, mac);
    if (error < 0) return error;
  }
  *step = "TUNSETPERSIST";
  if ((flags & kTunPersist) && ioctl(fd.get(), TUNSETPERSIST, 1) < 0) return -errno;
  return fd.release();
}

int tun_set_offload(int fd, uint32_t bits) {
  return ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(bits)) == 0 ? 0 : -errno;
}

int tun_set_queue(int fd, bool attach) {
  ifreq ifr{};
  ifr.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
  return ioctl(fd, TUNSETQUEUE, &ifr) == 0 ? 0 : -errno;
}

}  // namespace vtepd
