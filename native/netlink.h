// rtnetlink requests with acknowledgements: links, addresses, routes. One object is one socket in the
// namespace that the calling thread was in at `open`; every call is one request and its answer. rtnetlink(7).
// Cold. All calls return 0 or -errno; `message()` then has the kernel's own sentence, if it sent one.
#pragma once
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fd.h"

namespace vtepd {

struct LinkInfo {
  int index = 0;
  std::string name;
  std::string kind;  // IFLA_INFO_KIND; TUN devices are "tun" or "tap"; empty: a physical one
  uint8_t mac[6] = {};
  bool has_mac = false;
  uint32_t flags = 0;  // IFF_*
  uint32_t mtu = 0;
  uint32_t gso_max_size = 0;
  int master = 0;
  int peer = 0;             // IFLA_LINK: of a veth its other end, of a VLAN what it is on; 0: none
  int peer_netns = -1;      // nsid of the namespace that the peer is in; -1: this one
  bool persistent = false;  // TUN and TAP
  bool multi_queue = false;
  uint32_t queues = 0;  // attached and detached
};

/// What set_link is to change; negative or null: as it is.
struct LinkChange {
  int mtu = -1;
  int up = -1;  // 0 or 1
  int master = -1;
  int gso_max_size = -1;
  int addr_gen_mode = -1;  // IN6_ADDR_GEN_MODE_*
  int netns = -1;          // fd of the namespace that it moves to
  const char *name = nullptr;
  const uint8_t *mac = nullptr;
};

struct Address {
  int index = 0;
  int family = AF_INET;
  uint8_t bytes[16] = {};
  uint8_t prefix = 0;
  uint8_t scope = 0;
  uint32_t flags = 0;  // IFA_F_*
};

/// A route of the main table. TypeScript reads and writes rows of these: src/host/routes.ts.
struct Route {
  uint8_t family = 4;  // or 6
  uint8_t length = 0;  // of the prefix
  uint8_t protocol = 0;
  uint8_t flags = 0;       // kRoute*
  int32_t index = 0;       // of the device; of the first hop when there are several
  uint32_t metric = 0;     // 0 in a request: the family's usual one
  uint32_t mtu = 0;        // 0: none named
  uint8_t bytes[16] = {};  // the prefix; IPv4 in the first four
  uint8_t via[16] = {};
};
static_assert(sizeof(Route) == 48);

constexpr uint8_t kRouteVia = 1;      // by a gateway
constexpr uint8_t kRouteOnlink = 2;   // which is taken to be on the link
constexpr uint8_t kRouteMany = 4;     // several next hops, of which the first is named
constexpr uint8_t kRouteNowhere = 8;  // blackhole, unreachable and the like
constexpr uint8_t kRouteLocal = 16;   // to an address of this host

enum class RouteVerb : uint8_t {
  kAdd,      // -EEXIST: the prefix has a route of this metric
  kReplace,  // whatever the prefix has of this metric, whoever's
  kDelete,   // the one of this protocol, device and gateway, if named. -ESRCH: there is none
};

/// What the host knows of a station: of an IP neighbour its address, of one behind a bridge the port.
struct Neighbour {
  int index = 0;         // of the device; behind a bridge: of the port
  int family = AF_INET;  // or AF_INET6, AF_BRIDGE
  uint8_t bytes[16] = {};
  uint8_t mac[6] = {};
  bool has_mac = false;
  uint16_t state = 0;  // NUD_*
  int master = 0;      // the bridge
};

/// A flow as connection tracking knows it.
struct Flow {
  uint8_t destination[16] = {};  // of the first packet, as it came; IPv4 in the first four
  uint8_t answerer[16] = {};     // who its answers come from
  uint16_t answerer_port = 0;
  uint16_t port = 0;            // that its first packet was for
  bool is_mapped = false;       // its destination was changed
  std::vector<uint8_t> handle;  // attributes that name it
};

class Netlink {
 public:
  int open(int protocol = NETLINK_ROUTE);

  /// By name, or by index when name is nullptr. -ENODEV when there is none.
  int link(int index, const char *name, LinkInfo *out);
  int links(std::vector<LinkInfo> *out);
  int set_link(int index, const LinkChange &change);
  int delete_link(int index);

  /// Adding what is there already succeeds. IPv6 without duplicate address detection.
  int change_address(bool add, const Address &address);
  /// Of one link, or of all when index is 0.
  int addresses(int index, std::vector<Address> *out);

  /// One after the other, in few system calls. Each has its own outcome in `errors`; what is returned is the
  /// socket's.
  int change_routes(const RouteVerb *verbs, const Route *routes, size_t count, int32_t *errors);
  /// Of the main table. protocol 0: of every protocol.
  int routes(int family, uint8_t protocol, std::vector<Route> *out);
  /// The route that a packet to `to` takes, of whatever table. -ENETUNREACH: none.
  int route_to(int family, const uint8_t *to, Route *out);
  /// IP neighbours, or with AF_BRIDGE stations behind bridges.
  int neighbours(int family, std::vector<Neighbour> *out);
  /// What this namespace calls another, by an fd of it; -1: nothing yet.
  int netns_id(int fd, int *out);
  /// The smallest MTU that a route out of a link names, of either family; 0: none does.
  int route_mtu(int index, uint32_t *out);

  /// Of a protocol, to any of these ports; on a NETLINK_NETFILTER socket, as the next one.
  int flows(int family, int protocol, const uint16_t *ports, size_t count, std::vector<Flow> *out);
  /// One that is gone already is none.
  int forget_flow(int family, const uint8_t *handle, size_t size);

  const std::string &message() const { return message_; }

 private:
  template <class Each>
  int request(nlmsghdr *m, Each each);
  template <class Each>
  int dump(nlmsghdr *m, Each each);
  int send(nlmsghdr *m);
  int put(const void *bytes, size_t size);
  void read_message(const nlmsghdr *m);

  static constexpr size_t kBuffer = 65536;
  UniqueFd fd_;
  uint32_t seq_ = 0;
  std::unique_ptr<uint8_t[]> buffer_;
  std::string message_;
};

enum class Watched { kRoutes, kRules };

/// A socket that becomes readable when links, addresses or routes, or when the rules of nf_tables change in
/// the calling thread's namespace. fd or -errno.
int netlink_monitor(Watched what);

/// Empties the monitor. True if something was there.
bool netlink_drain(int fd);
/// How many events a monitor has lost so far, since nobody read fast enough.
uint32_t netlink_lost(int fd);

}  // namespace vtepd
