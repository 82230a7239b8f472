// A network namespace of this process's own, with loopback up and IPv6 silent: nothing here touches the
// machine, and all of it goes with the process.
#pragma once
#include <string>

#include "../../native/fd.h"

namespace test {

/// Moves into the namespace once; false (and the case skipped) when the kernel does not allow it.
bool enter_world();

/// A TAP with a virtio header and the offloads given (TUN_F_*), up, not blocking.
vtepd::UniqueFd open_tap(const std::string &name, unsigned offloads);

/// Joins devices by a bridge of that name.
bool bridge(const std::string &name, const std::string &one, const std::string &other);

bool delete_device(const std::string &name);

bool set_mtu(const std::string &device, int mtu);

}  // namespace test
