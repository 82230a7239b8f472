// Readiness and wake-up: one epoll set, one eventfd that any thread may write.
#pragma once
#include <sys/epoll.h>

#include <cstdint>

#include "fd.h"

namespace vtepd {

class Poller {
 public:
  /// 0 or -errno.
  int open();
  /// `tag` comes back with the event. 0 or -errno.
  int add(int fd, uint32_t events, uint64_t tag);
  int modify(int fd, uint32_t events, uint64_t tag);
  void remove(int fd);

  /// Blocks up to timeout_ms (-1: for ever). Returns the number of events, 0 on timeout or signal, or -errno.
  int wait(int timeout_ms);
  const epoll_event &event(int i) const { return events_[i]; }

  int wake_fd() const { return wake_.get(); }
  void drain_wake();

  static constexpr uint64_t kWakeTag = ~0ull;

 private:
  static constexpr int kMaxEvents = 256;
  UniqueFd epoll_;
  UniqueFd wake_;
  epoll_event events_[kMaxEvents];
};

/// Ends a blocking wait of the poller that owns wake_fd; callable from any thread.
void wake(int wake_fd);

}  // namespace vtepd
