#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "fd.h"

namespace vtepd {

int lock_file(const char *path) {
  UniqueFd fd(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return -errno;
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) return -errno;
  // The one who had it may have removed the file between our two calls: then nobody else will see this lock.
  struct stat held, there;
  if (fstat(fd.get(), &held) < 0 || stat(path, &there) < 0) return errno == ENOENT ? -EAGAIN : -errno;
  if (held.st_ino != there.st_ino || held.st_dev != there.st_dev) return -EAGAIN;
  return fd.release();
}

}  // namespace vtepd
