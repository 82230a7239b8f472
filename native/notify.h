// sd_notify(3) without libsystemd: one datagram to the service manager's socket. Cold.
#pragma once
#include <cstddef>

namespace vtepd {

/// `path` as in $NOTIFY_SOCKET: a file, or @name for the abstract namespace. 0 or -errno.
int notify(const char *path, const char *state, size_t size);

}  // namespace vtepd
