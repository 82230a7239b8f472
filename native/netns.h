// Work done inside another network namespace (setns(2), network_namespaces(7)) on the calling thread.
#pragma once
#include "fd.h"

namespace vtepd {

/// Enters the namespace at `path` for the guard's life; nullptr or "": stays. The way back must not fail: a
/// thread in a foreign namespace would open the wrong devices and sockets, so then the process aborts.
class NetnsGuard {
 public:
  explicit NetnsGuard(const char *path);
  ~NetnsGuard();
  NetnsGuard(const NetnsGuard &) = delete;
  NetnsGuard &operator=(const NetnsGuard &) = delete;

  /// 0, or -errno of open or setns: then the thread is where it was.
  int error() const { return error_; }

 private:
  UniqueFd home_;
  int error_ = 0;
};

}  // namespace vtepd
