#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink_message.h"

namespace vtepd {

namespace {

// Younger than Debian 12's headers; the numbers are the kernel's for good. Older kernels skip what they do
// not know.
constexpr uint16_t kIflaGsoIpv4MaxSize = 63;  // Linux 6.3
constexpr uint16_t kIflaInet6AddrGenMode = 8;
constexpr uint8_t kTunTypeTap = 2;

void read_tun(const uint8_t *data, size_t size, LinkInfo *out) {
  attributes(data, size, [out](uint16_t type, const uint8_t *d, size_t n) {
    if (n < 1) return;
    if (type == IFLA_TUN_TYPE && d[0] == kTunTypeTap) out->kind = "tap";
    if (type == IFLA_TUN_PERSIST) out->persistent = d[0] != 0;
    if (type == IFLA_TUN_MULTI_QUEUE) out->multi_queue = d[0] != 0;
    if (type == IFLA_TUN_NUM_QUEUES || type == IFLA_TUN_NUM_DISABLED_QUEUES) out->queues += u32(d, n);
  });
}

void read_kind(const uint8_t *data, size_t size, LinkInfo *out) {
  const uint8_t *info = nullptr;
  size_t info_size = 0;
  attributes(data, size, [&](uint16_t type, const uint8_t *d, size_t n) {
    if (type == IFLA_INFO_KIND) out->kind = text(d, n);
    if (type == IFLA_INFO_DATA) {
      info = d;
      info_size = n;
    }
  });
  if (info && out->kind == "tun") read_tun(info, info_size, out);
}

void read_link(const nlmsghdr *m, LinkInfo *out) {
  const ifinfomsg *head;
  *out = LinkInfo{};
  body(m, &head, [out](uint16_t type, const uint8_t *d, size_t n) {
    switch (type) {
      case IFLA_IFNAME:
        out->name = text(d, n);
        break;
      case IFLA_MTU:
        out->mtu = u32(d, n);
        break;
      case IFLA_MASTER:
        out->master = static_cast<int>(u32(d, n));
        break;
      case IFLA_LINK:
        out->peer = static_cast<int>(u32(d, n));
        break;
      case IFLA_LINK_NETNSID:
        out->peer_netns = static_cast<int>(u32(d, n));
        break;
      case IFLA_GSO_MAX_SIZE:
        out->gso_max_size = u32(d, n);
        break;
      case IFLA_ADDRESS:
        out->has_mac = n == sizeof out->mac;
        if (out->has_mac) memcpy(out->mac, d, n);
        break;
      case IFLA_LINKINFO:
        read_kind(d, n, out);
        break;
      default:
        break;
    }
  });
  out->index = head->ifi_index;
  out->flags = head->ifi_flags;
}

}  // namespace

int Netlink::open(int protocol) {
  fd_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd_) return -errno;
  int on = 1;
  // Both only make errors clearer (Linux 4.12); without them the errno has to do.
  setsockopt(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  buffer_.reset(new uint8_t[kBuffer]);
  return 0;
}

int Netlink::send(nlmsghdr *m) {
  m->nlmsg_seq = ++seq_;
  message_.clear();
  return put(m, m->nlmsg_len);
}

int Netlink::put(const void *bytes, size_t size) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t put;
  do {
    put = sendto(fd_.get(), bytes, size, 0, reinterpret_cast<sockaddr *>(&kernel), sizeof kernel);
  } while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : 0;
}

void Netlink::read_message(const nlmsghdr *m) {
  if ((m->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return;
  auto *e = static_cast<const nlmsgerr *>(NLMSG_DATA(m));
  size_t skip = NLMSG_LENGTH(sizeof *e);
  if ((m->nlmsg_flags & NLM_F_CAPPED) == 0) skip += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(nlmsghdr));
  if (m->nlmsg_len <= skip) return;
  attributes(reinterpret_cast<const uint8_t *>(m) + skip, m->nlmsg_len - skip,
             [this](uint16_t type, const uint8_t *d, size_t n) {
               if (type == NLMSGERR_ATTR_MSG) message_ = text(d, n);
             });
}

int Netlink::link(int index, const char *name, LinkInfo *out) {
  Request<ifinfomsg> r(RTM_GETLINK, NLM_F_ACK);
  r.head().ifi_index = index;
  if (name) r.put(IFLA_IFNAME, name, strnlen(name, IFNAMSIZ - 1) + 1);
  r.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return request(r.m(), [out](const nlmsghdr *m) {
    if (m->nlmsg_type == RTM_NEWLINK) read_link(m, out);
  });
}

int Netlink::links(std::vector<LinkInfo> *out) {
  Request<ifinfomsg> r(RTM_GETLINK, NLM_F_DUMP);
  r.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      if (answer->nlmsg_type != RTM_NEWLINK) return;
      out->emplace_back();
      read_link(answer, &out->back());
    });
  });
}

int Netlink::set_link(int index, const LinkChange &change) {
  Request<ifinfomsg> r(RTM_SETLINK, NLM_F_ACK);
  r.head().ifi_index = index;
  if (change.up >= 0) {
    r.head().ifi_change = IFF_UP;
    r.head().ifi_flags = change.up ? IFF_UP : 0;
  }
  if (change.mtu >= 0) r.put_u32(IFLA_MTU, static_cast<uint32_t>(change.mtu));
  if (change.master >= 0) r.put_u32(IFLA_MASTER, static_cast<uint32_t>(change.master));
  if (change.mac) r.put(IFLA_ADDRESS, change.mac, 6);
  if (change.netns >= 0) r.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(change.netns));
  if (change.name) r.put(IFLA_IFNAME, change.name, strnlen(change.name, IFNAMSIZ - 1) + 1);
  if (change.gso_max_size >= 0) {
    r.put_u32(IFLA_GSO_MAX_SIZE, static_cast<uint32_t>(change.gso_max_size));
    r.put_u32(kIflaGsoIpv4MaxSize, static_cast<uint32_t>(change.gso_max_size));
  }
  if (change.addr_gen_mode >= 0) {
    rtattr *spec = r.nest(IFLA_AF_SPEC);
    rtattr *inet6 = r.nest(AF_INET6);
    uint8_t mode = static_cast<uint8_t>(change.addr_gen_mode);
    r.put(kIflaInet6AddrGenMode, &mode, sizeof mode);
    r.end(inet6);
    r.end(spec);
  }
  return request(r.m(), [](const nlmsghdr *) {});
}

int Netlink::delete_link(int index) {
  Request<ifinfomsg> r(RTM_DELLINK, NLM_F_ACK);
  r.head().ifi_index = index;
  return request(r.m(), [](const nlmsghdr *) {});
}

int Netlink::change_address(bool add, const Address &address) {
  Request<ifaddrmsg> r(add ? RTM_NEWADDR : RTM_DELADDR,
                       static_cast<uint16_t>(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0)));
  r.head().ifa_family = static_cast<uint8_t>(address.family);
  r.head().ifa_prefixlen = address.prefix;
  r.head().ifa_index = static_cast<uint32_t>(address.index);
  r.head().ifa_scope = address.scope;
  if (address.family == AF_INET6) r.head().ifa_flags = IFA_F_NODAD;
  r.put(IFA_LOCAL, address.bytes, width(address.family));
  r.put(IFA_ADDRESS, address.bytes, width(address.family));
  if (address.family == AF_INET && address.prefix < 31 && add) {
    uint32_t broadcast;
    memcpy(&broadcast, address.bytes, sizeof broadcast);
    broadcast |= htonl(address.prefix == 0 ? ~0u : (1u << (32 - address.prefix)) - 1);
    r.put(IFA_BROADCAST, &broadcast, sizeof broadcast);
  }
  return request(r.m(), [](const nlmsghdr *) {});
}

int Netlink::addresses(int index, std::vector<Address> *out) {
  Request<ifaddrmsg> r(RTM_GETADDR, NLM_F_DUMP);
  return dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      if (answer->nlmsg_type != RTM_NEWADDR) return;
      const ifaddrmsg *head;
      Address a;
      bool local = false;  // the other end of a point-to-point link is in IFA_ADDRESS
      body(answer, &head, [&](uint16_t type, const uint8_t *d, size_t n) {
        if ((type == IFA_LOCAL || (type == IFA_ADDRESS && !local)) && n <= sizeof a.bytes) {
          memcpy(a.bytes, d, n);
          local = local || type == IFA_LOCAL;
        }
        if (type == IFA_FLAGS) a.flags = u32(d, n);
      });
      a.index = static_cast<int>(head->ifa_index);
      a.family = head->ifa_family;
      a.prefix = head->ifa_prefixlen;
      a.scope = head->ifa_scope;
      if ((index == 0 || a.index == index) && (a.family == AF_INET || a.family == AF_INET6)) {
        out->push_back(a);
      }
    });
  });
}

int Netlink::neighbours(int family, std::vector<Neighbour> *out) {
  Request<ndmsg> r(RTM_GETNEIGH, NLM_F_DUMP);
  r.head().ndm_family = static_cast<uint8_t>(family);
  return dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      const ndmsg *head;
      Neighbour n;
      body(answer, &head, [&n](uint16_t type, const uint8_t *d, size_t size) {
        if (type == NDA_DST && size <= sizeof n.bytes) memcpy(n.bytes, d, size);
        if (type == NDA_MASTER) n.master = static_cast<int>(u32(d, size));
        if (type != NDA_LLADDR || size != sizeof n.mac) return;
        memcpy(n.mac, d, size);
        n.has_mac = true;
      });
      n.index = head->ndm_ifindex;
      n.family = head->ndm_family;
      n.state = head->ndm_state;
      if (answer->nlmsg_type == RTM_NEWNEIGH && n.family == family) out->push_back(n);
    });
  });
}

int Netlink::netns_id(int fd, int *out) {
  Request<rtgenmsg> r(RTM_GETNSID, NLM_F_ACK);
  r.put_u32(NETNSA_FD, static_cast<uint32_t>(fd));
  *out = -1;
  return request(r.m(), [out](const nlmsghdr *answer) {
    if (answer->nlmsg_type != RTM_NEWNSID) return;
    const rtgenmsg *head;
    body(answer, &head, [out](uint16_t type, const uint8_t *d, size_t n) {
      if (type == NETNSA_NSID) *out = static_cast<int>(u32(d, n));
    });
  });
}

int netlink_monitor(Watched what) {
  int protocol = what == Watched::kRoutes ? NETLINK_ROUTE : NETLINK_NETFILTER;
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) return -errno;
  sockaddr_nl a{};
  a.nl_family = AF_NETLINK;
  a.nl_groups = what == Watched::kRoutes ? RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                               RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
                                         : 1u << (NFNLGRP_NFTABLES - 1);
  // An overrun would be an error condition, and libuv stops a poll at its first one: netlink_lost tells of
  // it.
  int on = 1;
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0) return -errno;
  if (bind(fd.get(), reinterpret_cast<sockaddr *>(&a), sizeof a) < 0) return -errno;
  return fd.release();
}

bool netlink_drain(int fd) {
  // Cut off and thrown away: what changed does not matter, only that something did.
  char scrap[64];
  bool any = false;
  while (recv(fd, scrap, sizeof scrap, MSG_DONTWAIT | MSG_TRUNC) > 0 || errno == EINTR) any = true;
  return any;
}

uint32_t netlink_lost(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

}  // namespace vtepd
