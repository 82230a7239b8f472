// The cold half's small calls, and the list of its parts.
#include "addon_host.h"

#include "addon_value.h"
#include "lock.h"
#include "netlink.h"
#include "netns.h"
#include "notify.h"

namespace vtepd {

namespace {

Napi::Value notify_js(const Napi::CallbackInfo &info) {
  OptionalText path(info[0]);
  OptionalText state(info[1]);
  if (!path.ok() || !path.given() || !state.ok() || !state.given()) {
    return misuse(info.Env(), "notify(path, state)");
  }
  int e = notify(path.c_str(), state.c_str(), state.text().size());
  return e < 0 ? throw_errno(info.Env(), e, "sendto") : info.Env().Undefined();
}

Napi::Value netlink_monitor_js(const Napi::CallbackInfo &info) {
  OptionalText netns(info[0]);
  bool rules = info[1].IsBoolean() && info[1].As<Napi::Boolean>();
  if (!netns.ok() || !(info[1].IsBoolean() || info[1].IsUndefined()))
    return misuse(info.Env(), "netlinkMonitor(netns, rules?)");
  int fd;
  {
    NetnsScope scope;
    int e = scope.enter(netns.c_str());
    if (e < 0) return throw_errno(info.Env(), e, "setns");
    fd = netlink_monitor(rules ? Watched::kRules : Watched::kRoutes);
  }
  return fd < 0 ? throw_errno(info.Env(), fd, "bind") : Napi::Number::New(info.Env(), fd);
}

Napi::Value lock_file_js(const Napi::CallbackInfo &info) {
  OptionalText path(info[0]);
  if (!path.ok() || !path.given()) return misuse(info.Env(), "lockFile(path)");
  int fd = lock_file(path.c_str());
  if (fd == -EAGAIN) return info.Env().Null();
  return fd < 0 ? throw_errno(info.Env(), fd, "flock") : Napi::Number::New(info.Env(), fd);
}

Napi::Value netlink_drain_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0])) return misuse(info.Env(), "netlinkDrain(fd)");
  return Napi::Boolean::New(info.Env(), netlink_drain(as_int(info[0])));
}

Napi::Value netlink_lost_js(const Napi::CallbackInfo &info) {
  if (!is_fd(info[0])) return misuse(info.Env(), "netlinkLost(fd)");
  return Napi::Number::New(info.Env(), netlink_lost(as_int(info[0])));
}

}  // namespace

void init_host(Napi::Env env, Napi::Object exports) {
  exports.Set("notify", Napi::Function::New(env, notify_js, "notify"));
  exports.Set("netlinkMonitor", Napi::Function::New(env, netlink_monitor_js, "netlinkMonitor"));
  exports.Set("lockFile", Napi::Function::New(env, lock_file_js, "lockFile"));
  exports.Set("netlinkDrain", Napi::Function::New(env, netlink_drain_js, "netlinkDrain"));
  exports.Set("netlinkLost", Napi::Function::New(env, netlink_lost_js, "netlinkLost"));
  init_flow(env, exports);
  init_link(env, exports);
  init_udp(env, exports);
  init_tun(env, exports);
  init_poll(env, exports);
  init_packets(env, exports);
}

}  // namespace vtepd
