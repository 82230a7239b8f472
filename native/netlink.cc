#include "netlink.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

namespace vtepd {

namespace {

// Younger than Debian 12's headers; the numbers are the kernel's for good. Older kernels skip what they do
// not know.
constexpr uint16_t kIflaGsoIpv4MaxSize = 63;  // Linux 6.3
constexpr uint16_t kIflaInet6AddrGenMode = 8;
constexpr uint8_t kTunTypeTap = 2;

constexpr int kGetStrictCheck = 12;  // NETLINK_GET_STRICT_CHK

constexpr int kDumpTries = 8;

// A request under construction: netlink header, one fixed header, attributes.
template <class Head>
struct Request {
  alignas(NLMSG_ALIGNTO) uint8_t bytes[256] = {};

  Request(uint16_t type, uint16_t flags) {
    m()->nlmsg_type = type;
    m()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    m()->nlmsg_len = NLMSG_LENGTH(sizeof(Head));
  }

  nlmsghdr *m() { return reinterpret_cast<nlmsghdr *>(bytes); }
  Head &head() { return *static_cast<Head *>(NLMSG_DATA(m())); }

  rtattr *put(uint16_t type, const void *data, size_t size) {
    size_t at = NLMSG_ALIGN(m()->nlmsg_len);
    assert(at + RTA_SPACE(size) <= sizeof bytes);
    auto *a = reinterpret_cast<rtattr *>(bytes + at);
    a->rta_type = type;
    a->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
    if (size > 0) memcpy(bytes + at + RTA_LENGTH(0), data, size);
    m()->nlmsg_len = static_cast<uint32_t>(at + RTA_SPACE(size));
    return a;
  }
  void put_u32(uint16_t type, uint32_t value) { put(type, &value, sizeof value); }
  rtattr *nest(uint16_t type) { return put(static_cast<uint16_t>(type | NLA_F_NESTED), nullptr, 0); }
  void end(rtattr *a) {
    a->rta_len = static_cast<uint16_t>(bytes + m()->nlmsg_len - reinterpret_cast<uint8_t *>(a));
  }
};

template <class Each>
void attributes(const void *start, size_t size, Each each) {
  auto *a = static_cast<const rtattr *>(start);
  auto left = static_cast<unsigned>(size);
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    each(static_cast<uint16_t>(a->rta_type & NLA_TYPE_MASK), static_cast<const uint8_t *>(RTA_DATA(a)),
         static_cast<size_t>(RTA_PAYLOAD(a)));
  }
}

template <class Head, class Each>
void body(const nlmsghdr *m, const Head **head, Each each) {
  *head = static_cast<const Head *>(NLMSG_DATA(m));
  size_t skip = NLMSG_SPACE(sizeof(Head));
  if (m->nlmsg_len > skip) {
    attributes(reinterpret_cast<const uint8_t *>(m) + skip, m->nlmsg_len - skip, each);
  }
}

uint32_t u32(const uint8_t *data, size_t size) {
  uint32_t v = 0;
  if (size >= sizeof v) memcpy(&v, data, sizeof v);
  return v;
}

std::string text(const uint8_t *data, size_t size) {
  auto *s = reinterpret_cast<const char *>(data);
  return std::string(s, strnlen(s, size));
}

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

size_t width(int family) { return family == AF_INET ? 4 : 16; }

}  // namespace

int Netlink::open() {
  fd_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
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
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t put;
  do {
    put = sendto(fd_.get(), m, m->nlmsg_len, 0, reinterpret_cast<sockaddr *>(&kernel), sizeof kernel);
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

// Sends, and hands every answer to `each` until the acknowledgement or the end of the dump. -EAGAIN: the dump
// was torn.
template <class Each>
int Netlink::request(nlmsghdr *m, Each each) {
  int e = send(m);
  if (e < 0) return e;
  bool torn = false;
  for (;;) {
    ssize_t got = recv(fd_.get(), buffer_.get(), kBuffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    auto left = static_cast<unsigned>(got);
    for (auto *a = reinterpret_cast<nlmsghdr *>(buffer_.get()); NLMSG_OK(a, left); a = NLMSG_NEXT(a, left)) {
      if (a->nlmsg_seq != seq_) continue;
      torn = torn || (a->nlmsg_flags & NLM_F_DUMP_INTR);
      if (a->nlmsg_type == NLMSG_DONE) return torn ? -EAGAIN : 0;
      if (a->nlmsg_type == NLMSG_ERROR) {
        int error = static_cast<const nlmsgerr *>(NLMSG_DATA(a))->error;
        if (error < 0) read_message(a);
        return error;
      }
      each(a);
    }
  }
}

template <class Each>
int Netlink::dump(nlmsghdr *m, Each each) {
  int e = -EAGAIN;
  for (int i = 0; i < kDumpTries && e == -EAGAIN; i++) e = each(m);
  return e;
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

int Netlink::change_route(bool add, const Route &route) {
  Request<rtmsg> r(add ? RTM_NEWROUTE : RTM_DELROUTE,
                   static_cast<uint16_t>(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0)));
  r.head().rtm_family = static_cast<uint8_t>(route.family);
  r.head().rtm_dst_len = route.prefix;
  r.head().rtm_table = RT_TABLE_MAIN;
  r.head().rtm_protocol = add ? RTPROT_STATIC : RTPROT_UNSPEC;
  r.head().rtm_scope = !add ? RT_SCOPE_NOWHERE : route.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  r.head().rtm_type = add ? RTN_UNICAST : RTN_UNSPEC;
  r.put(RTA_DST, route.bytes, width(route.family));
  r.put_u32(RTA_OIF, static_cast<uint32_t>(route.index));
  return request(r.m(), [](const nlmsghdr *) {});
}

int Netlink::routes(int family, std::vector<Route> *out) {
  Request<rtmsg> r(RTM_GETROUTE, NLM_F_DUMP);
  r.head().rtm_family = static_cast<uint8_t>(family);
  return dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      if (answer->nlmsg_type != RTM_NEWROUTE) return;
      const rtmsg *head;
      Route route;
      uint32_t table = 0;
      body(answer, &head, [&](uint16_t type, const uint8_t *d, size_t n) {
        if (type == RTA_DST && n <= sizeof route.bytes) memcpy(route.bytes, d, n);
        if (type == RTA_OIF) route.index = static_cast<int>(u32(d, n));
        if (type == RTA_PRIORITY) route.metric = u32(d, n);
        if (type == RTA_TABLE) table = u32(d, n);
        if (type == RTA_MULTIPATH && n >= sizeof(rtnexthop) && route.index == 0) {
          route.index = reinterpret_cast<const rtnexthop *>(d)->rtnh_ifindex;
        }
      });
      route.family = head->rtm_family;
      route.prefix = head->rtm_dst_len;
      bool plain = head->rtm_type == RTN_UNICAST && (head->rtm_flags & RTM_F_CLONED) == 0;
      if (plain && (table ? table : head->rtm_table) == RT_TABLE_MAIN) out->push_back(route);
    });
  });
}

int Netlink::route_mtu(int index, uint32_t *out) {
  // Since Linux 4.20 the kernel leaves out what leaves by other links; before, we do.
  int on = 1;
  setsockopt(fd_.get(), SOL_NETLINK, kGetStrictCheck, &on, sizeof on);
  uint32_t least = 0;
  for (int family : {AF_INET, AF_INET6}) {
    Request<rtmsg> r(RTM_GETROUTE, NLM_F_DUMP);
    r.head().rtm_family = static_cast<uint8_t>(family);
    r.put_u32(RTA_OIF, static_cast<uint32_t>(index));
    int e = dump(r.m(), [&](nlmsghdr *m) {
      return request(m, [&](const nlmsghdr *answer) {
        if (answer->nlmsg_type != RTM_NEWROUTE) return;
        const rtmsg *head;
        int oif = 0;
        uint32_t mtu = 0;
        body(answer, &head, [&](uint16_t type, const uint8_t *d, size_t n) {
          if (type == RTA_OIF) oif = static_cast<int>(u32(d, n));
          if (type != RTA_METRICS) return;
          attributes(d, n, [&](uint16_t metric, const uint8_t *value, size_t size) {
            if (metric == RTAX_MTU) mtu = u32(value, size);
          });
        });
        // Cloned ones are what path MTU discovery has found for one destination.
        if (oif != index || (head->rtm_flags & RTM_F_CLONED) != 0 || mtu == 0) return;
        if (least == 0 || mtu < least) least = mtu;
      });
    });
    // A host without IPv6 has no such routes.
    if (e < 0 && family == AF_INET) return e;
  }
  *out = least;
  return 0;
}

int netlink_monitor(Watched what) {
  int protocol = what == Watched::kRoutes ? NETLINK_ROUTE : NETLINK_NETFILTER;
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) return -errno;
  sockaddr_nl a{};
  a.nl_family = AF_NETLINK;
  a.nl_groups =
      what == Watched::kRoutes
          ? RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
          : 1u << (NFNLGRP_NFTABLES - 1);
  // An overrun would be an error condition, and libuv stops a poll at its first one. What is lost does not
  // matter.
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

}  // namespace vtepd
