// flowList(family, protocol, ports) and flowForget(family, handle): what connection tracking knows, in our
// own namespace. Cold.
#include "addon_host.h"
#include "addon_value.h"
#include "netlink.h"

namespace vtepd {

namespace {

bool is_family(const Napi::Value &v) { return is_int(v, 4, 6) && as_int(v) != 5; }

int family_of(const Napi::Value &v) { return as_int(v) == 4 ? AF_INET : AF_INET6; }

Napi::Value flow_list(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool are_ports =
      info[2].IsTypedArray() && info[2].As<Napi::TypedArray>().TypedArrayType() == napi_uint16_array;
  if (!is_family(info[0]) || !is_int(info[1], 0, 255) || !are_ports) {
    return misuse(env, "flowList(4 or 6, protocol, ports)");
  }
  auto ports = info[2].As<Napi::Uint16Array>();
  int family = family_of(info[0]);
  Netlink netlink;
  std::vector<Flow> found;
  int e = netlink.open(NETLINK_NETFILTER);
  if (e == 0) e = netlink.flows(family, as_int(info[1]), ports.Data(), ports.ElementLength(), &found);
  if (e < 0) return throw_errno(env, e, "IPCTNL_MSG_CT_GET", netlink.message());
  size_t size = family == AF_INET ? 4 : 16;
  Napi::Array list = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) {
    const Flow &f = found[i];
    Napi::Object o = Napi::Object::New(env);
    o.Set("destination", bytes(env, f.destination, size));
    o.Set("answerer", bytes(env, f.answerer, size));
    o.Set("answererPort", f.answerer_port);
    o.Set("port", f.port);
    o.Set("isMapped", f.is_mapped);
    o.Set("handle", bytes(env, f.handle.data(), f.handle.size()));
    list.Set(i, o);
  }
  return list;
}

Napi::Value flow_forget(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool is_handle =
      info[1].IsTypedArray() && info[1].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!is_family(info[0]) || !is_handle) return misuse(env, "flowForget(4 or 6, handle)");
  auto handle = info[1].As<Napi::Uint8Array>();
  Netlink netlink;
  int e = netlink.open(NETLINK_NETFILTER);
  if (e == 0) e = netlink.forget_flow(family_of(info[0]), handle.Data(), handle.ByteLength());
  return e < 0 ? throw_errno(env, e, "IPCTNL_MSG_CT_DELETE", netlink.message()) : env.Undefined();
}

}  // namespace

void init_flow(Napi::Env env, Napi::Object exports) {
  exports.Set("flowList", Napi::Function::New(env, flow_list, "flowList"));
  exports.Set("flowForget", Napi::Function::New(env, flow_forget, "flowForget"));
}

}  // namespace vtepd
