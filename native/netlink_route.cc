// Routes of the main table: listed, and changed many at a time. Cold.
#include <net/if.h>

#include "netlink_message.h"

namespace vtepd {

namespace {

constexpr int kGetStrictCheck = 12;  // NETLINK_GET_STRICT_CHK

// Requests in one datagram. Each may be answered by an error, which must find room in our receive buffer.
constexpr size_t kTogether = 64;

int family_of(const Route &r) { return r.family == 4 ? AF_INET : AF_INET6; }

void write_change(RouteVerb verb, const Route &r, Request<rtmsg> *out) {
  bool v4 = r.family == 4;
  bool via = (r.flags & kRouteVia) != 0;
  rtmsg &head = out->head();
  head.rtm_family = static_cast<uint8_t>(family_of(r));
  head.rtm_dst_len = r.length;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = r.protocol;
  if (verb == RouteVerb::kDelete) {
    head.rtm_scope = RT_SCOPE_NOWHERE;
  } else {
    head.rtm_scope = v4 && !via ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    head.rtm_type = RTN_UNICAST;
    head.rtm_flags = (r.flags & kRouteOnlink) ? RTNH_F_ONLINK : 0;
  }
  out->put(RTA_DST, r.bytes, width(family_of(r)));
  if (r.index != 0) out->put_u32(RTA_OIF, static_cast<uint32_t>(r.index));
  if (via) out->put(RTA_GATEWAY, r.via, width(family_of(r)));
  if (r.metric != 0) out->put_u32(RTA_PRIORITY, r.metric);
  if (r.mtu != 0 && verb != RouteVerb::kDelete) {
    rtattr *metrics = out->nest(RTA_METRICS);
    out->put_u32(RTAX_MTU, r.mtu);
    out->end(metrics);
  }
}

uint16_t type_of(RouteVerb verb) { return verb == RouteVerb::kDelete ? RTM_DELROUTE : RTM_NEWROUTE; }

uint16_t flags_of(RouteVerb verb) {
  if (verb == RouteVerb::kAdd) return NLM_F_CREATE | NLM_F_EXCL;
  return verb == RouteVerb::kReplace ? NLM_F_CREATE | NLM_F_REPLACE : 0;
}

// False: it is in another table, or of no table at all.
bool read_route(const nlmsghdr *m, Route *out) {
  const rtmsg *head;
  uint32_t table = 0;
  *out = Route{};
  body(m, &head, [&](uint16_t type, const uint8_t *d, size_t n) {
    if (type == RTA_DST && n <= sizeof out->bytes) memcpy(out->bytes, d, n);
    if (type == RTA_OIF) out->index = static_cast<int32_t>(u32(d, n));
    if (type == RTA_PRIORITY) out->metric = u32(d, n);
    if (type == RTA_TABLE) table = u32(d, n);
    if (type == RTA_GATEWAY && n <= sizeof out->via) {
      memcpy(out->via, d, n);
      out->flags |= kRouteVia;
    }
    if (type == RTA_METRICS) {
      attributes(d, n, [out](uint16_t metric, const uint8_t *value, size_t size) {
        if (metric == RTAX_MTU) out->mtu = u32(value, size);
      });
    }
    if (type == RTA_MULTIPATH || type == RTA_VIA || type == RTA_NH_ID) out->flags |= kRouteMany;
    if (type == RTA_MULTIPATH && n >= sizeof(rtnexthop) && out->index == 0) {
      out->index = reinterpret_cast<const rtnexthop *>(d)->rtnh_ifindex;
    }
  });
  if (head->rtm_family != AF_INET && head->rtm_family != AF_INET6) return false;
  out->family = head->rtm_family == AF_INET ? 4 : 6;
  out->length = head->rtm_dst_len;
  out->protocol = head->rtm_protocol;
  if (head->rtm_type == RTN_LOCAL) {
    out->flags |= kRouteLocal;
  } else if (head->rtm_type != RTN_UNICAST) {
    out->flags |= kRouteNowhere;
  }
  if (head->rtm_flags & RTNH_F_ONLINK) out->flags |= kRouteOnlink;
  return (head->rtm_flags & RTM_F_CLONED) == 0 && (table ? table : head->rtm_table) == RT_TABLE_MAIN;
}

}  // namespace

int Netlink::change_routes(const RouteVerb *verbs, const Route *routes, size_t count, int32_t *errors) {
  std::vector<uint8_t> together;
  for (size_t from = 0; from < count; from += kTogether) {
    size_t end = from + kTogether < count ? from + kTogether : count;
    uint32_t before = seq_;
    together.clear();
    for (size_t i = from; i < end; i++) {
      errors[i] = 0;
      // Errors come unasked. The last one's acknowledgement says that all are done.
      uint16_t ack = i + 1 == end ? NLM_F_ACK : 0;
      Request<rtmsg> r(type_of(verbs[i]), static_cast<uint16_t>(flags_of(verbs[i]) | ack));
      write_change(verbs[i], routes[i], &r);
      r.m()->nlmsg_seq = ++seq_;
      together.insert(together.end(), r.bytes, r.bytes + NLMSG_ALIGN(r.m()->nlmsg_len));
    }
    int e = put(together.data(), together.size());
    while (e == 0) {
      ssize_t got = recv(fd_.get(), buffer_.get(), kBuffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -errno;
      auto left = static_cast<unsigned>(got);
      bool last = false;
      for (auto *a = reinterpret_cast<nlmsghdr *>(buffer_.get()); NLMSG_OK(a, left);
           a = NLMSG_NEXT(a, left)) {
        uint32_t nth = a->nlmsg_seq - before - 1;
        if (a->nlmsg_type != NLMSG_ERROR || nth >= end - from) continue;
        errors[from + nth] = static_cast<const nlmsgerr *>(NLMSG_DATA(a))->error;
        last = last || nth == end - from - 1;
      }
      if (last) break;
    }
    if (e < 0) return e;
  }
  return 0;
}

int Netlink::routes(int family, uint8_t protocol, std::vector<Route> *out) {
  // Since Linux 4.20 the kernel leaves out what is not asked for; before, we do.
  int on = 1;
  setsockopt(fd_.get(), SOL_NETLINK, kGetStrictCheck, &on, sizeof on);
  Request<rtmsg> r(RTM_GETROUTE, NLM_F_DUMP);
  r.head().rtm_family = static_cast<uint8_t>(family);
  r.head().rtm_table = RT_TABLE_MAIN;
  r.head().rtm_protocol = protocol;
  int e = dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      Route route;
      if (answer->nlmsg_type != RTM_NEWROUTE || !read_route(answer, &route)) return;
      if (family_of(route) != family || (protocol != RTPROT_UNSPEC && route.protocol != protocol)) return;
      out->push_back(route);
    });
  });
  // A table that nobody has written to yet, or a host without IPv6: no routes.
  return e == -ENOENT || e == -EAFNOSUPPORT || e == -EOPNOTSUPP ? 0 : e;
}

int Netlink::route_to(int family, const uint8_t *to, Route *out) {
  Request<rtmsg> r(RTM_GETROUTE, NLM_F_ACK);
  r.head().rtm_family = static_cast<uint8_t>(family);
  r.head().rtm_dst_len = static_cast<uint8_t>(width(family) * 8);
  r.head().rtm_flags = RTM_F_FIB_MATCH;
  r.put(RTA_DST, to, width(family));
  return request(r.m(), [out](const nlmsghdr *answer) {
    if (answer->nlmsg_type == RTM_NEWROUTE) read_route(answer, out);
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

}  // namespace vtepd
