#include "poll.h"

#include <errno.h>
#include <sys/eventfd.h>

namespace vtepd {

int Poller::open() {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return -errno;
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return -errno;
  return add(wake_.get(), EPOLLIN, kWakeTag);
}

int Poller::add(int fd, uint32_t events, uint64_t tag) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

int Poller::modify(int fd, uint32_t events, uint64_t tag) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &e) == 0 ? 0 : -errno;
}

void Poller::remove(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

int Poller::wait(int timeout_ms) {
  int n = epoll_wait(epoll_.get(), events_, kMaxEvents, timeout_ms);
  if (n >= 0) return n;
  return errno == EINTR ? 0 : -errno;
}

void Poller::drain_wake() {
  uint64_t n;
  // One read empties an eventfd; EAGAIN means that somebody else did.
  if (read(wake_.get(), &n, sizeof n) < 0) return;
}

void wake(int wake_fd) {
  uint64_t one = 1;
  // EAGAIN means that the counter is full, so the sleeper is awake anyway.
  if (write(wake_fd, &one, sizeof one) < 0) return;
}

}  // namespace vtepd
