#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include <utility>

namespace vtepd {

NetnsGuard::NetnsGuard(const char *path) {
  if (path == nullptr || *path == '\0') return;
  UniqueFd there(open(path, O_RDONLY | O_CLOEXEC));
  if (!there) {
    error_ = -errno;
    return;
  }
  UniqueFd home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home || setns(there.get(), CLONE_NEWNET) < 0) {
    error_ = -errno;
    return;
  }
  home_ = std::move(home);
}

NetnsGuard::~NetnsGuard() {
  if (home_ && setns(home_.get(), CLONE_NEWNET) < 0) abort();
}

}  // namespace vtepd
