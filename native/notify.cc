#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fd.h"

namespace vtepd {

int notify(const char *path, const char *state, size_t size) {
  sockaddr_un a{};
  size_t length = strlen(path);
  if ((path[0] != '/' && path[0] != '@') || length < 2) return -EAFNOSUPPORT;
  if (length > sizeof a.sun_path) return -ENAMETOOLONG;
  a.sun_family = AF_UNIX;
  memcpy(a.sun_path, path, length);
  if (path[0] == '@') a.sun_path[0] = 0;
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ssize_t put;
  do {
    put = sendto(fd.get(), state, size, MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<sockaddr *>(&a), bytes);
  } while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : 0;
}

}  // namespace vtepd
