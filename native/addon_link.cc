// Netlink calls for TypeScript. Every function takes the namespace first: a path, or null for the thread's
// own.
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>

#include "addon_host.h"
#include "addon_value.h"
#include "netlink.h"
#include "netns.h"

namespace vtepd {

namespace {

constexpr double kMaxIndex = 0x7fffffff;

// A netlink socket in the namespace that argument 0 names; false: an exception is pending.
bool open_netlink(const Napi::CallbackInfo &info, Netlink *netlink) {
  OptionalText netns(info[0]);
  if (!netns.ok()) {
    misuse(info.Env(), "a namespace as path or null");
    return false;
  }
  NetnsScope scope;
  int e = scope.enter(netns.c_str());
  if (e < 0) {
    throw_errno(info.Env(), e, "setns");
    return false;
  }
  e = netlink->open();
  if (e < 0) throw_errno(info.Env(), e, "socket");
  return e == 0;
}

Napi::Value answer(Napi::Env env, int e, const char *syscall, const Netlink &netlink) {
  return e < 0 ? throw_errno(env, e, syscall, netlink.message()) : env.Undefined();
}

Napi::Object link_object(Napi::Env env, const LinkInfo &link) {
  Napi::Object o = Napi::Object::New(env);
  o.Set("index", link.index);
  o.Set("name", link.name);
  o.Set("kind", link.kind);
  o.Set("mac", link.has_mac ? bytes(env, link.mac, sizeof link.mac) : env.Null());
  o.Set("mtu", link.mtu);
  o.Set("flags", link.flags);
  o.Set("master", link.master);
  o.Set("peer", link.peer);
  o.Set("peerNetns", link.peer_netns);
  o.Set("gsoMaxSize", link.gso_max_size);
  o.Set("persistent", link.persistent);
  o.Set("multiQueue", link.multi_queue);
  o.Set("queues", link.queues);
  return o;
}

Napi::Value link_get(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool by_name = info[1].IsString();
  OptionalText name(by_name ? info[1] : env.Null());
  if (!by_name ? !is_int(info[1], 1, kMaxIndex)
               : !name.ok() || name.text().empty() || name.text().size() >= IFNAMSIZ) {
    return misuse(env, "linkGet(netns, name or index)");
  }
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  LinkInfo link;
  int e = netlink.link(by_name ? 0 : as_int(info[1]), name.c_str(), &link);
  if (e == -ENODEV) return env.Null();
  if (e < 0) return answer(env, e, "RTM_GETLINK", netlink);
  return link_object(env, link);
}

Napi::Value link_list(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  std::vector<LinkInfo> found;
  int e = netlink.links(&found);
  if (e < 0) return answer(env, e, "RTM_GETLINK", netlink);
  Napi::Array list = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) list.Set(i, link_object(env, found[i]));
  return list;
}

Napi::Value link_set(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  // mtu, up, master, gsoMaxSize, addrGenMode: -1 leaves them alone.
  bool ok = is_int(info[1], 1, kMaxIndex);
  for (size_t i = 2; i < 7; i++) ok = ok && is_int(info[i], -1, kMaxIndex);
  const uint8_t *mac = as_bytes(info[7], 6);
  if (!ok || (!mac && !info[7].IsNull())) {
    return misuse(env, "linkSet(netns, index, mtu, up, master, gsoMaxSize, addrGenMode, mac)");
  }
  LinkChange change;
  change.mtu = as_int(info[2]);
  change.up = as_int(info[3]);
  change.master = as_int(info[4]);
  change.gso_max_size = as_int(info[5]);
  change.addr_gen_mode = as_int(info[6]);
  change.mac = mac;
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  return answer(env, netlink.set_link(as_int(info[1]), change), "RTM_SETLINK", netlink);
}

Napi::Value link_move(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  OptionalText name(info[2]);
  bool named = name.ok() && (!name.given() || (!name.text().empty() && name.text().size() < IFNAMSIZ));
  if (!is_int(info[1], 1, kMaxIndex) || !named || !is_int(info[3], -1, kMaxIndex)) {
    return misuse(env, "linkMove(netns, index, name, fd of a namespace or -1)");
  }
  LinkChange change;
  change.name = name.c_str();
  change.netns = as_int(info[3]);
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  return answer(env, netlink.set_link(as_int(info[1]), change), "RTM_SETLINK", netlink);
}

Napi::Value link_delete(const Napi::CallbackInfo &info) {
  if (!is_int(info[1], 1, kMaxIndex)) return misuse(info.Env(), "linkDelete(netns, index)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return info.Env().Undefined();
  return answer(info.Env(), netlink.delete_link(as_int(info[1])), "RTM_DELLINK", netlink);
}

// Bytes and prefix length at arguments `i` and `i + 1`.
bool read_prefix(const Napi::CallbackInfo &info, size_t i, Address *out) {
  const uint8_t *v4 = as_bytes(info[i], 4);
  const uint8_t *v6 = as_bytes(info[i], 16);
  if ((!v4 && !v6) || !is_int(info[i + 1], 0, v4 ? 32 : 128)) return false;
  out->family = v4 ? AF_INET : AF_INET6;
  memcpy(out->bytes, v4 ? v4 : v6, v4 ? 4 : 16);
  out->prefix = static_cast<uint8_t>(as_int(info[i + 1]));
  return true;
}

Napi::Value address_change(const Napi::CallbackInfo &info) {
  Address a;
  if (!info[1].IsBoolean() || !is_int(info[2], 1, kMaxIndex) || !read_prefix(info, 3, &a)) {
    return misuse(info.Env(), "addressChange(netns, add, index, bytes, prefix)");
  }
  a.index = as_int(info[2]);
  bool add = info[1].ToBoolean();
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return info.Env().Undefined();
  return answer(info.Env(), netlink.change_address(add, a), add ? "RTM_NEWADDR" : "RTM_DELADDR", netlink);
}

Napi::Value address_list(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (!is_int(info[1], 0, kMaxIndex)) return misuse(env, "addressList(netns, index)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  std::vector<Address> found;
  int e = netlink.addresses(as_int(info[1]), &found);
  if (e < 0) return answer(env, e, "RTM_GETADDR", netlink);
  Napi::Array list = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) {
    const Address &a = found[i];
    Napi::Object o = Napi::Object::New(env);
    o.Set("index", a.index);
    o.Set("bytes", bytes(env, a.bytes, a.family == AF_INET ? 4 : 16));
    o.Set("prefix", a.prefix);
    o.Set("scope", a.scope);
    o.Set("flags", a.flags);
    list.Set(i, o);
  }
  return list;
}

Napi::Value route_change(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  size_t count = info[1].IsTypedArray() ? info[1].As<Napi::TypedArray>().ByteLength() : 0;
  const uint8_t *verbs = as_bytes(info[1], count);
  const uint8_t *rows = as_bytes(info[2], count * sizeof(Route));
  bool ok = verbs != nullptr && rows != nullptr && reinterpret_cast<uintptr_t>(rows) % alignof(Route) == 0;
  auto *routes = reinterpret_cast<const Route *>(rows);
  for (size_t i = 0; ok && i < count; i++) {
    ok = verbs[i] <= static_cast<uint8_t>(RouteVerb::kDelete) && routes[i].index >= 0 &&
         (routes[i].family == 4 ? routes[i].length <= 32 : routes[i].family == 6 && routes[i].length <= 128);
  }
  if (!ok) return misuse(env, "routeChange(netns, verbs, rows)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  Napi::Int32Array errors = Napi::Int32Array::New(env, count);
  int e = netlink.change_routes(reinterpret_cast<const RouteVerb *>(verbs), routes, count, errors.Data());
  return e < 0 ? answer(env, e, "RTM_NEWROUTE", netlink) : errors;
}

Napi::Value route_list(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (!is_int(info[1], 4, 6) || !is_int(info[2], 0, UINT8_MAX)) {
    return misuse(env, "routeList(netns, 4 or 6, protocol)");
  }
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  std::vector<Route> found;
  int family = as_int(info[1]) == 4 ? AF_INET : AF_INET6;
  int e = netlink.routes(family, static_cast<uint8_t>(as_int(info[2])), &found);
  if (e < 0) return answer(env, e, "RTM_GETROUTE", netlink);
  return bytes(env, reinterpret_cast<const uint8_t *>(found.data()), found.size() * sizeof(Route));
}

Napi::Value route_to(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const uint8_t *v4 = as_bytes(info[1], 4);
  const uint8_t *v6 = as_bytes(info[1], 16);
  if (!v4 && !v6) return misuse(env, "routeTo(netns, address)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  Route route;
  int e = netlink.route_to(v4 ? AF_INET : AF_INET6, v4 ? v4 : v6, &route);
  if (e == -ENETUNREACH || e == -EHOSTUNREACH || e == -EAFNOSUPPORT) return env.Null();
  if (e < 0) return answer(env, e, "RTM_GETROUTE", netlink);
  return bytes(env, reinterpret_cast<const uint8_t *>(&route), sizeof route);
}

Napi::Value neighbour_list(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (!is_int(info[1], 4, 7)) return misuse(env, "neighbourList(netns, 4, 6, or 7 for bridges)");
  int which = as_int(info[1]);
  int family = which == 4 ? AF_INET : which == 6 ? AF_INET6 : AF_BRIDGE;
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  std::vector<Neighbour> found;
  int e = netlink.neighbours(family, &found);
  if (e < 0) return answer(env, e, "RTM_GETNEIGH", netlink);
  Napi::Array list = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) {
    const Neighbour &n = found[i];
    Napi::Object o = Napi::Object::New(env);
    o.Set("index", n.index);
    o.Set("bytes", bytes(env, n.bytes, family == AF_INET ? 4 : 16));
    o.Set("mac", n.has_mac ? bytes(env, n.mac, sizeof n.mac) : env.Null());
    o.Set("state", n.state);
    o.Set("master", n.master);
    list.Set(i, o);
  }
  return list;
}

Napi::Value netns_id(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (!is_fd(info[1])) return misuse(env, "netnsId(netns, fd of another)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  int id = -1;
  int e = netlink.netns_id(as_int(info[1]), &id);
  return e < 0 ? answer(env, e, "RTM_GETNSID", netlink) : Napi::Number::New(env, id);
}

Napi::Value route_mtu(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (!is_int(info[1], 1, kMaxIndex)) return misuse(env, "routeMtu(netns, index)");
  Netlink netlink;
  if (!open_netlink(info, &netlink)) return env.Undefined();
  uint32_t mtu = 0;
  int e = netlink.route_mtu(as_int(info[1]), &mtu);
  if (e < 0) return answer(env, e, "RTM_GETROUTE", netlink);
  return Napi::Number::New(env, mtu);
}

}  // namespace

void init_link(Napi::Env env, Napi::Object exports) {
  exports.Set("linkGet", Napi::Function::New(env, link_get, "linkGet"));
  exports.Set("linkSet", Napi::Function::New(env, link_set, "linkSet"));
  exports.Set("linkMove", Napi::Function::New(env, link_move, "linkMove"));
  exports.Set("linkDelete", Napi::Function::New(env, link_delete, "linkDelete"));
  exports.Set("addressChange", Napi::Function::New(env, address_change, "addressChange"));
  exports.Set("addressList", Napi::Function::New(env, address_list, "addressList"));
  exports.Set("routeChange", Napi::Function::New(env, route_change, "routeChange"));
  exports.Set("routeList", Napi::Function::New(env, route_list, "routeList"));
  exports.Set("linkList", Napi::Function::New(env, link_list, "linkList"));
  exports.Set("neighbourList", Napi::Function::New(env, neighbour_list, "neighbourList"));
  exports.Set("netnsId", Napi::Function::New(env, netns_id, "netnsId"));
  exports.Set("routeTo", Napi::Function::New(env, route_to, "routeTo"));
  exports.Set("routeMtu", Napi::Function::New(env, route_mtu, "routeMtu"));
}

}  // namespace vtepd
