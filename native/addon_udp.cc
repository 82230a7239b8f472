// Opening sockets, and what the kernel knows of a path. Cold.
#include <string.h>

#include "addon_host.h"
#include "addon_value.h"
#include "layout.h"
#include "udp.h"
#include "udp_open.h"

namespace vtepd {

namespace {

Napi::Value udp_open_js(const Napi::CallbackInfo &info) {
  const uint8_t *addr = as_bytes(info[0], kAddrLen);
  if (addr == nullptr || !info[1].IsNumber() || !info[2].IsNumber()) {
    return misuse(info.Env(), "udpOpen(address, flags, bufferBytes)");
  }
  const char *step = "";
  int fd = udp_open(addr, info[1].As<Napi::Number>().Uint32Value(), as_int(info[2]), &step);
  return fd < 0 ? fail(info.Env(), fd, step) : Napi::Number::New(info.Env(), fd);
}

Napi::Value udp_has_gso_js(const Napi::CallbackInfo &info) {
  return Napi::Boolean::New(info.Env(), udp_has_gso(as_int(info[0])));
}

Napi::Value udp_mark_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || !info[1].IsNumber()) return misuse(info.Env(), "udpMark(fd, mark)");
  int status = udp_mark(as_int(info[0]), info[1].As<Napi::Number>().Uint32Value());
  return status < 0 ? fail(info.Env(), status, "setsockopt") : info.Env().Undefined();
}

Napi::Value udp_no_check_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || !info[1].IsBoolean()) return misuse(info.Env(), "udpNoCheck(fd, off)");
  int status = udp_no_check(as_int(info[0]), info[1].As<Napi::Boolean>().Value());
  return status < 0 ? fail(info.Env(), status, "setsockopt") : info.Env().Undefined();
}

Napi::Value udp_join_js(const Napi::CallbackInfo &info) {
  const uint8_t *addr = as_bytes(info[1], kAddrLen);
  if (!info[0].IsNumber() || addr == nullptr || sockaddr_len(addr) == 0 || !info[2].IsNumber()) {
    return misuse(info.Env(), "udpJoin(fd, group, interfaceIndex)");
  }
  int status = udp_join(as_int(info[0]), addr, as_int(info[2]));
  return status < 0 ? fail(info.Env(), status, "setsockopt") : info.Env().Undefined();
}

Napi::Value udp_multicast_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || !info[1].IsBoolean() || !info[2].IsNumber() || !info[3].IsNumber()) {
    return misuse(info.Env(), "udpMulticast(fd, v6, interfaceIndex, hops)");
  }
  bool v6 = info[1].As<Napi::Boolean>().Value();
  int status = udp_multicast(as_int(info[0]), v6, as_int(info[2]), as_int(info[3]));
  return status < 0 ? fail(info.Env(), status, "setsockopt") : info.Env().Undefined();
}

Napi::Value path_mtu_js(const Napi::CallbackInfo &info) {
  static const uint8_t anywhere[kAddrLen] = {};
  const uint8_t *addr = as_bytes(info[0], kAddrLen);
  const uint8_t *from = info[1].IsTypedArray() ? as_bytes(info[1], kAddrLen) : anywhere;
  if (addr == nullptr || from == nullptr) return misuse(info.Env(), "pathMtu(address, from?)");
  return Napi::Number::New(info.Env(), path_mtu(addr, from));
}

}  // namespace

void init_udp(Napi::Env env, Napi::Object exports) {
  exports.Set("udpOpen", Napi::Function::New(env, udp_open_js, "udpOpen"));
  exports.Set("udpHasGso", Napi::Function::New(env, udp_has_gso_js, "udpHasGso"));
  exports.Set("udpMark", Napi::Function::New(env, udp_mark_js, "udpMark"));
  exports.Set("udpNoCheck", Napi::Function::New(env, udp_no_check_js, "udpNoCheck"));
  exports.Set("udpJoin", Napi::Function::New(env, udp_join_js, "udpJoin"));
  exports.Set("udpMulticast", Napi::Function::New(env, udp_multicast_js, "udpMulticast"));
  exports.Set("pathMtu", Napi::Function::New(env, path_mtu_js, "pathMtu"));
}

}  // namespace vtepd
