// Opens TUN and TAP devices. Cold. tuntap.rst in the kernel's Documentation/networking; drivers/net/tun.c.
#pragma once
#include <cstdint>
#include <string>

#include "fd.h"

namespace vtepd {

enum class Switch : uint32_t { kAuto = 0, kOn = 1, kOff = 2 };

struct TunRequest {
  std::string name;  // empty: the kernel's choice; may hold %d
  bool ethernet = true;
  const char *netns = nullptr;
  const uint8_t *mac = nullptr;  // TAP only; set before anything else can see the device up
  int mtu = -1;
  int gso_max_size = -1;
  bool vnet_hdr = true;
  bool multi_queue = false;
  bool persist = false;
  Switch tso = Switch::kAuto;
  Switch uso = Switch::kAuto;
};

struct TunDevice {
  UniqueFd fd;
  std::string name;
  int index = 0;
  uint8_t mac[6] = {};
  bool has_mac = false;
  bool tcp = false;
  bool udp = false;
  int tso_error = 0;  // -errno: why a switch at `auto` came out off
  int uso_error = 0;
};

/// What failed, for the error that the caller builds.
struct TunFault {
  const char *syscall = "";
  std::string detail;
};

/// Makes the device, or takes a persistent one that is free. 0 or -errno: -EBUSY when the name is taken by
/// another process or by a device of another kind. After a failure the host is as it was.
int tun_open(const TunRequest &request, TunDevice *out, TunFault *fault);

/// TUNSETQUEUE: a detached queue of a multi-queue device neither hears nor speaks. 0 or -errno.
int tun_attach_queue(int fd, bool attach);

/// TUNSETPERSIST: whether the device outlives its last fd. 0 or -errno.
int tun_persist(int fd, bool persist);

/// An fd of the network namespace that the device is in by now (Linux 5.8), or -errno; -EBADFD: it is gone.
int tun_netns(int fd);

/// The device's name by now, IFNAMSIZ bytes. 0 or -errno; -EBADFD: it is gone.
int tun_name(int fd, char *out);

}  // namespace vtepd
