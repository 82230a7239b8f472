// Opening TUN and TAP devices for TypeScript; src/host/netdev.ts has checked and explained everything before.
#include <net/if.h>

#include "addon_host.h"
#include "addon_value.h"
#include "tun_open.h"

namespace vtepd {

namespace {

// tunOpen's flags; src/host/addon.ts has the same list.
enum OpenFlags : int { kEthernet = 1, kVnetHdr = 2, kMultiQueue = 4, kPersist = 8 };

Napi::Value tun_open_js(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  OptionalText netns(info[0]);
  OptionalText name(info[1]);
  const uint8_t *mac = as_bytes(info[3], 6);
  if (!netns.ok() || !name.ok() || name.text().size() >= IFNAMSIZ || !is_int(info[2], 0, 15) ||
      (!mac && !info[3].IsNull()) || !is_int(info[4], -1, 65535) || !is_int(info[5], -1, 0x7fffffff) ||
      !is_int(info[6], 0, 2) || !is_int(info[7], 0, 2)) {
    return misuse(env, "tunOpen(netns, name, flags, mac, mtu, gsoMaxSize, tso, uso)");
  }
  int flags = as_int(info[2]);
  TunRequest r;
  r.netns = netns.c_str();
  r.name = name.text();
  r.ethernet = flags & kEthernet;
  r.vnet_hdr = flags & kVnetHdr;
  r.multi_queue = flags & kMultiQueue;
  r.persist = flags & kPersist;
  r.mac = mac;
  r.mtu = as_int(info[4]);
  r.gso_max_size = as_int(info[5]);
  r.tso = static_cast<Switch>(as_int(info[6]));
  r.uso = static_cast<Switch>(as_int(info[7]));

  TunDevice device;
  TunFault fault;
  int e = tun_open(r, &device, &fault);
  if (e < 0) return throw_errno(env, e, fault.syscall, fault.detail);
  Napi::Object o = Napi::Object::New(env);
  o.Set("fd", device.fd.release());
  o.Set("name", device.name);
  o.Set("index", device.index);
  o.Set("tcp", device.tcp);
  o.Set("udp", device.udp);
  o.Set("tsoError", device.tso_error);
  o.Set("usoError", device.uso_error);
  o.Set("mac", device.has_mac ? bytes(env, device.mac, sizeof device.mac) : env.Null());
  return o;
}

Napi::Value tun_attach_queue_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0]) || !info[1].IsBoolean()) return misuse(info.Env(), "tunAttachQueue(fd, attach)");
  int e = tun_attach_queue(as_int(info[0]), info[1].ToBoolean());
  return e < 0 ? throw_errno(info.Env(), e, "TUNSETQUEUE") : info.Env().Undefined();
}

Napi::Value tun_persist_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0]) || !info[1].IsBoolean()) return misuse(info.Env(), "tunPersist(fd, persist)");
  int e = tun_persist(as_int(info[0]), info[1].ToBoolean());
  return e < 0 ? throw_errno(info.Env(), e, "TUNSETPERSIST") : info.Env().Undefined();
}

Napi::Value tun_netns_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0])) return misuse(info.Env(), "tunNetns(fd)");
  int ns = tun_netns(as_int(info[0]));
  return ns < 0 ? throw_errno(info.Env(), ns, "TUNGETDEVNETNS") : Napi::Number::New(info.Env(), ns);
}

Napi::Value tun_name_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0])) return misuse(info.Env(), "tunName(fd)");
  char name[IFNAMSIZ] = {};
  int e = tun_name(as_int(info[0]), name);
  if (e < 0) return throw_errno(info.Env(), e, "TUNGETIFF");
  return Napi::String::New(info.Env(), std::string(name, strnlen(name, sizeof name)));
}

}  // namespace

void init_tun(Napi::Env env, Napi::Object exports) {
  exports.Set("tunOpen", Napi::Function::New(env, tun_open_js, "tunOpen"));
  exports.Set("tunAttachQueue", Napi::Function::New(env, tun_attach_queue_js, "tunAttachQueue"));
  exports.Set("tunName", Napi::Function::New(env, tun_name_js, "tunName"));
  exports.Set("tunNetns", Napi::Function::New(env, tun_netns_js, "tunNetns"));
  exports.Set("tunPersist", Napi::Function::New(env, tun_persist_js, "tunPersist"));
}

}  // namespace vtepd
