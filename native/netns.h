// Work done inside another network namespace, on the calling thread and for a moment only: sockets and
// devices made there stay there, the thread comes back. setns(2), network_namespaces(7). Cold.
#pragma once
#include "fd.h"

namespace vtepd {

class NetnsScope {
 public:
  /// Enters the namespace that the file `path` stands for; nullptr or the own one: stays. 0 or -errno.
  int enter(const char *path);
  NetnsScope() = default;
  NetnsScope(const NetnsScope &) = delete;
  NetnsScope &operator=(const NetnsScope &) = delete;
  /// Comes back. A thread that cannot would go on in the wrong namespace, so the process ends instead.
  ~NetnsScope();

 private:
  UniqueFd home_;
};

}  // namespace vtepd
