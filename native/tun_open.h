// Opens TUN and TAP devices. Cold. Documentation/networking/tuntap, linux/if_tun.h.
#pragma once
#include <cstdint>

namespace vtepd {

enum TunFlags : uint32_t {
  kTunEthernet = 1,  // TAP, else TUN
  kTunMultiQueue = 2,
  kTunPersist = 4,
  kTunVnetHdr = 8,
};

/// Opens or joins the device `name` (empty: the kernel chooses; written back, 16 bytes) in the namespace at
/// `netns` (nullptr: here), and sets its MAC at once when `mac` is given, before anybody else sees it up.
/// Non-blocking, close-on-exec. Returns the fd or -errno, then nothing is left behind; *step names the call
/// that failed.
int tun_open(char name[16], uint32_t flags, const uint8_t *mac, const char *netns, const char **step);

/// TUNSETOFFLOAD with TUN_F_* bits; 0 or -errno.
int tun_set_offload(int fd, uint32_t bits);

/// Attaches or detaches one queue of a multi-queue device (TUNSETQUEUE); 0 or -errno.
int tun_set_queue(int fd, bool attach);

}  // namespace vtepd
