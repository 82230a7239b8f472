#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

namespace vtepd {

int NetnsScope::enter(const char *path) {
  if (!path) return 0;
  UniqueFd there(open(path, O_RDONLY | O_CLOEXEC));
  if (!there) return -errno;
  // thread-self, not self: the main thread may be elsewhere.
  UniqueFd here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!here) return -errno;
  struct stat a;
  struct stat b;
  if (fstat(there.get(), &a) < 0 || fstat(here.get(), &b) < 0) return -errno;
  // Entering costs CAP_SYS_ADMIN even when nothing changes.
  if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) return 0;
  if (setns(there.get(), CLONE_NEWNET) < 0) return -errno;
  home_ = static_cast<UniqueFd &&>(here);
  return 0;
}

NetnsScope::~NetnsScope() {
  if (!home_ || setns(home_.get(), CLONE_NEWNET) == 0) return;
  fprintf(stderr, "vtepd: cannot come back from a network namespace: %s\n", strerror(errno));
  abort();
}

}  // namespace vtepd
