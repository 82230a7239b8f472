// Lets a test refuse system calls in the kernel's name (linked with --wrap). Without a hook calls go through.
#pragma once
#include <sys/socket.h>
#include <sys/uio.h>

#include <functional>

namespace test {

/// Asked before every writev; an errno refuses it, 0 lets it through.
extern std::function<int(const iovec *, int)> on_writev;

/// Asked before every message of a sendmmsg; an errno refuses it.
extern std::function<int(const msghdr &)> on_message;

/// Segment size of a message's UDP_SEGMENT, 0 without.
unsigned segment_of(const msghdr &message);

}  // namespace test
