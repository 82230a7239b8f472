#include "faults.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

namespace test {

std::function<int(const iovec *, int)> on_writev;
std::function<int(const msghdr &)> on_message;

unsigned segment_of(const msghdr &message) {
  msghdr m = message;
  for (cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != 103) continue;  // UDP_SEGMENT
    uint16_t size;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    return size;
  }
  return 0;
}

}  // namespace test

extern "C" {

ssize_t __real_writev(int fd, const iovec *iov, int n);
int __real_sendmmsg(int fd, mmsghdr *messages, unsigned n, int flags);

ssize_t __wrap_writev(int fd, const iovec *iov, int n) {
  int error = test::on_writev ? test::on_writev(iov, n) : 0;
  if (error == 0) return __real_writev(fd, iov, n);
  errno = error;
  return -1;
}

// Like the kernel: an error at the first message is the answer, a later one ends the call.
int __wrap_sendmmsg(int fd, mmsghdr *messages, unsigned n, int flags) {
  unsigned good = 0;
  int error = 0;
  while (test::on_message && good < n && (error = test::on_message(messages[good].msg_hdr)) == 0) good++;
  if (error == 0) good = n;
  if (good > 0) return __real_sendmmsg(fd, messages, good, flags);
  errno = error;
  return -1;
}

}  // extern "C"
