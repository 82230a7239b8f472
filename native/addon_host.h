// The cold half of the addon: devices, netlink, namespaces, notifications. addon.cc calls this once per
// environment.
#pragma once
#include <napi.h>

namespace vtepd {

void init_host(Napi::Env env, Napi::Object exports);

}  // namespace vtepd
