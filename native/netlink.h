// Route netlink as bytes: requests and their answers, and sockets that hear of changes. src/host/rtnetlink.ts
// knows what the bytes mean. Cold. netlink(7), rtnetlink(7).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vtepd {

/// Sends one request (a whole nlmsghdr message) in the namespace at `netns` (nullptr: here) and collects the
/// answer's messages up to the acknowledgement or the end of the dump. Returns 0 or -errno, the kernel's own
/// refusal included.
int netlink_request(const char *netns, const uint8_t *request, size_t size,
                    std::vector<std::vector<uint8_t>> *answer);

/// A socket that hears the multicast groups (RTMGRP_* bits) of a namespace; non-blocking. The fd or -errno.
int netlink_listen(const char *netns, uint32_t groups);

/// Reads and forgets all that waits on a socket. True when there was something.
bool netlink_drain(int fd);

}  // namespace vtepd
