{
  "targets": [
    {
      "target_name": "vtepd",
      "sources": [
        "native/addon.cc",
        "native/addon_aead.cc",
        "native/addon_flow.cc",
        "native/addon_host.cc",
        "native/addon_link.cc",
        "native/addon_packets.cc",
        "native/addon_poll.cc",
        "native/addon_tun.cc",
        "native/addon_udp.cc",
        "native/aead.cc",
        "native/checksum.cc",
        "native/cipher.cc",
        "native/cipher_direct.cc",
        "native/cipher_evp.cc",
        "native/coalescer.cc",
        "native/crew.cc",
        "native/engine.cc",
        "native/headers.cc",
        "native/keys.cc",
        "native/lock.cc",
        "native/netlink.cc",
        "native/netlink_flow.cc",
        "native/netlink_route.cc",
        "native/netns.cc",
        "native/notify.cc",
        "native/offload.cc",
        "native/packets.cc",
        "native/poll.cc",
        "native/sender.cc",
        "native/sender_flush.cc",
        "native/tun.cc",
        "native/tun_open.cc",
        "native/udp.cc",
        "native/udp_open.cc"
      ],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "_GNU_SOURCE"
      ],
      "cflags": ["-Wall", "-Wextra", "-Werror", "-O3", "-fvisibility=hidden"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "ldflags": ["-pthread", "-static-libstdc++", "-static-libgcc"]
    }
  ]
}
