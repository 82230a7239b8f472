#include "tun_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netlink.h"
#include "netns.h"
#include "vnet.h"

// Linux 6.2; younger than Debian 12's headers.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace vtepd {

namespace {

// Everything that may have to be put back when a device that was there already cannot be taken after all.
struct Opening {
  const TunRequest &want;
  TunDevice *out;
  TunFault *fault;
  Netlink netlink;
  LinkInfo before{};  // index 0: it did not exist
  LinkInfo now{};

  int failed(int error, const char *syscall, std::string detail = "") {
    fault->syscall = syscall;
    fault->detail = static_cast<std::string &&>(detail);
    return error;
  }
};

// Whether the name is free, or stands for a device that we may take.
int look(Opening &o) {
  int e = o.netlink.open();
  if (e < 0) return o.failed(e, "socket");
  const TunRequest &want = o.want;
  if (want.name.empty() || want.name.find('%') != std::string::npos) return 0;
  e = o.netlink.link(0, want.name.c_str(), &o.before);
  if (e == -ENODEV) return 0;
  if (e < 0) return o.failed(e, "RTM_GETLINK", o.netlink.message());
  const char *kind = want.ethernet ? "tap" : "tun";
  const LinkInfo &have = o.before;
  if (have.kind != kind) {
    std::string is = have.kind.empty() ? "a device of another kind" : "a device of kind " + have.kind;
    return o.failed(-EBUSY, "TUNSETIFF", is + " has this name; choose another name or remove it");
  }
  if (!have.multi_queue && have.queues > 0) {
    return o.failed(-EBUSY, "TUNSETIFF", "another process holds the device");
  }
  if (have.multi_queue != want.multi_queue) {
    return o.failed(-EBUSY, "TUNSETIFF",
                    have.multi_queue ? "the device exists with several queues; open it with multiQueue"
                                     : "the device exists with a single queue; open it without multiQueue");
  }
  return 0;
}

int create(Opening &o) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return o.failed(-errno, "open");
  ifreq r{};
  memcpy(r.ifr_name, o.want.name.c_str(), o.want.name.size());
  int flags = IFF_NO_PI | (o.want.ethernet ? IFF_TAP : IFF_TUN);
  if (o.want.vnet_hdr) flags |= IFF_VNET_HDR;
  if (o.want.multi_queue) flags |= IFF_MULTI_QUEUE;
  r.ifr_flags = static_cast<short>(flags);
  if (ioctl(fd.get(), TUNSETIFF, &r) < 0) return o.failed(-errno, "TUNSETIFF");
  if (o.want.mac) {
    ifreq a{};
    memcpy(a.ifr_name, r.ifr_name, IFNAMSIZ);
    a.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(a.ifr_hwaddr.sa_data, o.want.mac, 6);
    if (ioctl(fd.get(), SIOCSIFHWADDR, &a) < 0) return o.failed(-errno, "SIOCSIFHWADDR");
  }
  o.out->fd = static_cast<UniqueFd &&>(fd);
  o.out->name = std::string(r.ifr_name, strnlen(r.ifr_name, IFNAMSIZ));
  return 0;
}

int set_offloads(Opening &o, unsigned bits) {
  return ioctl(o.out->fd.get(), TUNSETOFFLOAD, static_cast<unsigned long>(bits)) < 0 ? -errno : 0;
}

// Adds what one switch stands for to `bits`, if the kernel takes it.
int probe(Opening &o, unsigned *bits, unsigned more, Switch s, const char *name, bool *on, int *error) {
  *on = false;
  if (s == Switch::kOff) return 0;
  *error = set_offloads(o, *bits | more);
  if (*error == 0) {
    *bits |= more;
    *on = true;
    return 0;
  }
  if (s == Switch::kAuto) return 0;
  return o.failed(*error, "TUNSETOFFLOAD",
                  std::string(name) + " is on, and this kernel does not offer it; choose auto or off");
}

int negotiate(Opening &o) {
  const TunRequest &want = o.want;
  // A persistent device may come with what its last owner chose.
  if (!want.vnet_hdr) {
    int e = set_offloads(o, 0);
    return e < 0 ? o.failed(e, "TUNSETOFFLOAD") : 0;
  }
  int size = sizeof(VnetHdr);
  if (ioctl(o.out->fd.get(), TUNSETVNETHDRSZ, &size) < 0) return o.failed(-errno, "TUNSETVNETHDRSZ");
  unsigned bits = TUN_F_CSUM;
  int e = set_offloads(o, bits);
  if (e < 0) return o.failed(e, "TUNSETOFFLOAD");
  e = probe(o, &bits, TUN_F_TSO4 | TUN_F_TSO6, want.tso, "tso", &o.out->tcp, &o.out->tso_error);
  if (e < 0) return e;
  // Without it the kernel itself cuts trains that carry CWR; nothing else changes, so nobody is told.
  if (o.out->tcp && set_offloads(o, bits | TUN_F_TSO_ECN) == 0) bits |= TUN_F_TSO_ECN;
  e = probe(o, &bits, TUN_F_USO4 | TUN_F_USO6, want.uso, "uso", &o.out->udp, &o.out->uso_error);
  if (e < 0) return e;
  e = set_offloads(o, bits);  // a refused probe leaves the bits of the one before; say it once more
  return e < 0 ? o.failed(e, "TUNSETOFFLOAD") : 0;
}

int configure(Opening &o) {
  LinkChange change;
  change.mtu = o.want.mtu;
  if (change.mtu >= 0) {
    int e = o.netlink.set_link(o.now.index, change);
    if (e < 0) return o.failed(e, "RTM_SETLINK", o.netlink.message());
  }
  LinkChange gso;
  gso.gso_max_size = o.want.gso_max_size;
  if (gso.gso_max_size >= 0) {
    // It only keeps super-packets from needing two messages; before Linux 5.18 it cannot be set.
    int e = o.netlink.set_link(o.now.index, gso);
    if (e < 0 && e != -EINVAL && e != -EOPNOTSUPP) return o.failed(e, "RTM_SETLINK", o.netlink.message());
  }
  // Last: what persists is a device that came up whole.
  int e = o.want.persist ? tun_persist(o.out->fd.get(), true) : 0;
  return e < 0 ? o.failed(e, "TUNSETPERSIST") : 0;
}

// A device of ours vanishes with its fd; one that was there before gets back what it had.
void undo(Opening &o) {
  if (o.before.index != 0 && o.out->fd) {
    LinkChange back;
    back.mtu = static_cast<int>(o.before.mtu);
    back.gso_max_size = static_cast<int>(o.before.gso_max_size);
    if (o.before.has_mac) back.mac = o.before.mac;
    o.netlink.set_link(o.before.index, back);
  }
  o.out->fd.reset();
}

}  // namespace

int tun_open(const TunRequest &request, TunDevice *out, TunFault *fault) {
  NetnsScope scope;
  int e = scope.enter(request.netns);
  Opening o{request, out, fault, {}, {}, {}};
  if (e < 0) return o.failed(e, "setns");
  e = look(o);
  if (e == 0) e = create(o);
  if (e == 0) {
    e = o.netlink.link(0, out->name.c_str(), &o.now);
    if (e < 0) o.failed(e, "RTM_GETLINK", o.netlink.message());
  }
  if (e == 0) e = negotiate(o);
  if (e == 0) e = configure(o);
  if (e < 0) {
    undo(o);
    return e;
  }
  out->index = o.now.index;
  out->has_mac = o.now.has_mac;
  memcpy(out->mac, o.now.mac, sizeof out->mac);
  return 0;
}

int tun_attach_queue(int fd, bool attach) {
  ifreq r{};
  r.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
  return ioctl(fd, TUNSETQUEUE, &r) < 0 ? -errno : 0;
}

int tun_persist(int fd, bool persist) {
  return ioctl(fd, TUNSETPERSIST, persist ? 1ul : 0ul) < 0 ? -errno : 0;
}

int tun_netns(int fd) {
  int ns = ioctl(fd, TUNGETDEVNETNS);
  return ns < 0 ? -errno : ns;
}

int tun_name(int fd, char *out) {
  ifreq r{};
  if (ioctl(fd, TUNGETIFF, &r) < 0) return -errno;
  memcpy(out, r.ifr_name, IFNAMSIZ);
  return 0;
}

}  // namespace vtepd
