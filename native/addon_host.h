// The cold half of the addon: devices, netlink, namespaces, notifications. addon.cc calls init_host once per
// environment; each part below fills the exports that its file defines.
#pragma once
#include <napi.h>

namespace vtepd {

void init_host(Napi::Env env, Napi::Object exports);

void init_flow(Napi::Env env, Napi::Object exports);     // addon_flow.cc: connection tracking's flows
void init_link(Napi::Env env, Napi::Object exports);     // addon_link.cc: links, addresses, routes
void init_udp(Napi::Env env, Napi::Object exports);      // addon_udp.cc: opening sockets, path MTUs
void init_tun(Napi::Env env, Napi::Object exports);      // addon_tun.cc: opening devices
void init_poll(Napi::Env env, Napi::Object exports);     // addon_poll.cc: an fd on the event loop
void init_packets(Napi::Env env, Napi::Object exports);  // addon_packets.cc: packets of one device in batches

}  // namespace vtepd
