#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

namespace test {

using vtepd::UniqueFd;

namespace {

ifreq request(const std::string &name) {
  ifreq r;
  memset(&r, 0, sizeof r);
  strncpy(r.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return r;
}

int control(unsigned long call, void *argument) {
  UniqueFd s(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ioctl(s.get(), call, argument);
}

bool up(const std::string &name) {
  ifreq r = request(name);
  if (control(SIOCGIFFLAGS, &r) < 0) return false;
  r.ifr_flags |= IFF_UP;
  return control(SIOCSIFFLAGS, &r) == 0;
}

}  // namespace

bool enter_world() {
  static const int error = [] {
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return errno;
    UniqueFd quiet(open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY));
    if (quiet && write(quiet.get(), "1", 1) != 1) return errno;
    return up("lo") ? 0 : errno;
  }();
  if (error != 0) skip(std::string("no network namespace of our own: ") + strerror(error));
  return error == 0;
}

UniqueFd open_tap(const std::string &name, unsigned offloads) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fd;
  ifreq r = request(name);
  r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(fd.get(), TUNSETIFF, &r) < 0 || ioctl(fd.get(), TUNSETOFFLOAD, offloads) < 0 || !up(name))
    fd.reset();
  return fd;
}

bool bridge(const std::string &name, const std::string &one, const std::string &other) {
  std::string copy = name;
  if (control(SIOCBRADDBR, copy.data()) < 0) return false;
  for (const std::string &port : {one, other}) {
    ifreq r = request(name);
    r.ifr_ifindex = static_cast<int>(if_nametoindex(port.c_str()));
    if (control(SIOCBRADDIF, &r) < 0) return false;
  }
  return up(name);
}

// RTM_DELLINK: a TAP that is open goes only so.
bool delete_device(const std::string &name) {
  UniqueFd s(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct {
    nlmsghdr head;
    ifinfomsg link;
  } r;
  memset(&r, 0, sizeof r);
  r.head.nlmsg_len = sizeof r;
  r.head.nlmsg_type = RTM_DELLINK;
  r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  r.link.ifi_index = static_cast<int>(if_nametoindex(name.c_str()));
  struct {
    nlmsghdr head;
    nlmsgerr error;
    char rest[256];
  } answer;
  return send(s.get(), &r, sizeof r, 0) == sizeof r && recv(s.get(), &answer, sizeof answer, 0) > 0 &&
         answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

bool set_mtu(const std::string &device, int mtu) {
  ifreq r = request(device);
  r.ifr_mtu = mtu;
  return control(SIOCSIFMTU, &r) == 0;
}

}  // namespace test
