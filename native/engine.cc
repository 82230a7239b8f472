#include "engine.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

namespace vtepd {

namespace {

enum Kind : uint64_t { kDevice = 1, kSocket = 2, kPool = 3 };

uint64_t tag(Kind kind, uint32_t low) { return static_cast<uint64_t>(kind) << 32 | low; }

// What a socket of the pool, or a receiving one that serves as a pool of one, waits for while it is not full.
uint32_t idle_events(uint64_t tag) { return tag >> 32 == kSocket ? static_cast<uint32_t>(EPOLLIN) : 0u; }

// More frames per crossing would only wait for each other; fewer cost system calls.
constexpr uint32_t kFramesPerDevice = 256;

// After so many milliseconds without a packet a frame is likely to be alone: it goes on its way before
// anybody asks whether another has come.
constexpr double kRest = 2;

template <class T>
T &at(std::vector<T> &v, uint32_t id) {
  if (v.size() <= id) v.resize(id + 1);
  return v[id];
}

}  // namespace

double since_boot() noexcept {
  timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec / 1000000);
}

int Engine::set_device(uint32_t id, const Device &device) {
  clear_device(id);
  at(devices_, id) = device;
  ready_devices_.reserve(devices_.size());
  return poller_.add(device.fd, paused_ ? 0u : static_cast<uint32_t>(EPOLLIN), tag(kDevice, id));
}

void Engine::clear_device(uint32_t id) {
  if (id >= devices_.size() || devices_[id].fd < 0) return;
  if (!devices_[id].gone) poller_.remove(devices_[id].fd);
  devices_[id] = Device{};
}

int Engine::set_socket(uint32_t id, int fd) {
  clear_socket(id);
  at(sockets_, id).fd = fd;
  ready_sockets_.reserve(sockets_.size());
  int e = poller_.add(fd, EPOLLIN, tag(kSocket, id));
  if (e != -EEXIST) return e;
  // It sends for a pool already, and may be waited for.
  disarm(fd);
  return poller_.modify(fd, EPOLLIN, tag(kSocket, id));
}

void Engine::clear_socket(uint32_t id) {
  if (id >= sockets_.size() || sockets_[id].fd < 0) return;
  poller_.remove(sockets_[id].fd);
  disarm(sockets_[id].fd);
  sockets_[id] = Socket{};
}

int Engine::set_pool(uint32_t id, const Pool &pool) {
  if (id >= kMaxPools) return -ERANGE;
  clear_pool(id);
  at(pools_, id) = pool;
  for (uint32_t k = 0; k < pool.count; k++) {
    // Errors are always reported; there is nothing else to hear. A receiving socket may serve as a pool of
    // one.
    int e = poller_.add(pool.fds[k], 0, tag(kPool, static_cast<uint32_t>(pool.fds[k])));
    if (e < 0 && e != -EEXIST) return e;
  }
  return 0;
}

void Engine::clear_pool(uint32_t id) {
  if (id >= pools_.size()) return;
  for (uint32_t k = 0; k < pools_[id].count; k++) {
    bool shared = false;
    for (const Socket &s : sockets_) shared = shared || s.fd == pools_[id].fds[k];
    if (!shared) poller_.remove(pools_[id].fds[k]);
    disarm(pools_[id].fds[k]);
  }
  pools_[id] = Pool{};
}

// A socket that a blocked send waits for goes away: nothing would ever say that it takes more, so the send
// goes on at once and finds out.
void Engine::disarm(int fd) {
  if (fd != armed_fd_) return;
  armed_fd_ = -1;
  writable_ = true;
}

void Engine::set_endpoint(uint32_t id, const Endpoint &endpoint) { at(endpoints_, id) = endpoint; }

void Engine::clear_endpoint(uint32_t id) {
  if (id < endpoints_.size()) endpoints_[id] = Endpoint{};
}

uint32_t Engine::wait(int timeout_ms, Batch &frames, Batch &messages) {
  uint32_t ready = poll(timeout_ms);
  stats_[kStatMessages] = receive_sockets(messages);
  stats_[kStatFrames] = receive_devices(frames);
  // What a glance has found.
  if (stats_[kStatMessages] > 0) ready |= kReadySockets;
  if (stats_[kStatFrames] > 0) ready |= kReadyDevices;
  if (gone_) ready |= kReadyGone;
  return ready;
}

uint32_t Engine::poll(int timeout_ms) {
  ready_devices_.clear();
  ready_sockets_.clear();
  uint32_t ready = 0;
  int n = poller_.wait(changed_ || gone_ || writable_ ? 0 : timeout_ms);
  for (int k = 0; k < n; k++) {
    const epoll_event &e = poller_.event(k);
    if (e.data.u64 == Poller::kWakeTag) {
      poller_.drain_wake();
      ready |= kReadyWake;
      continue;
    }
    uint32_t low = static_cast<uint32_t>(e.data.u64);
    switch (e.data.u64 >> 32) {
      case kDevice:
        if (paused_) {
          // Nothing but EPOLLERR comes now, and that a device reports only when it goes away.
          lose(devices_[low], -EBADFD);
          break;
        }
        ready_devices_.push_back(last_device_ = low);
        ready |= kReadyDevices;
        break;
      case kSocket:
        if (e.events & EPOLLERR) changed_ |= drain_errors(sockets_[low].fd, endpoints_, udp_) > 0;
        if (e.events & EPOLLIN) {
          ready_sockets_.push_back(last_socket_ = low);
          ready |= kReadySockets;
        }
        if (e.events & EPOLLOUT) ready |= kReadyWritable;
        break;
      case kPool:
        if (e.events & EPOLLERR) changed_ |= drain_errors(static_cast<int>(low), endpoints_, udp_) > 0;
        if (e.events & EPOLLOUT) ready |= kReadyWritable;
        break;
    }
  }
  if (writable_) ready |= kReadyWritable;
  writable_ = false;
  if (changed_) ready |= kReadyChanged;
  if (gone_) ready |= kReadyGone;
  if (n == 0) glance();
  double now = since_boot();
  if (ready & (kReadyDevices | kReadySockets)) {
    rested_ = now - carried_ >= kRest;
    carried_ = now;
  }
  stats_[kStatNow] = now;
  return ready;
}

// Nothing has come in time: what spoke last is asked all the same, so that the way there is in the caches
// when it speaks again.
void Engine::glance() {
  if (!paused_ && last_device_ < devices_.size()) ready_devices_.push_back(last_device_);
  if (last_socket_ < sockets_.size()) ready_sockets_.push_back(last_socket_);
}

void Engine::lose(Device &device, int error) {
  device.gone = error;
  poller_.remove(device.fd);
  gone_ = true;
}

uint32_t Engine::receive_devices(Batch &b) {
  uint32_t n = 0;
  size_t at = 0;
  for (uint32_t id : ready_devices_) {
    Device &d = devices_[id];
    if (d.fd < 0 || d.gone || at >= kCrossingBytes) continue;
    uint32_t most = rested_ ? 1 : kFramesPerDevice;
    uint32_t cap = n + most < b.slots ? n + most : b.slots;
    n = receive_frames(d, static_cast<int32_t>(id), b, n, cap, &at, tun_);
    if (d.gone) lose(d, d.gone);
  }
  return n;
}

uint32_t Engine::receive_sockets(Batch &b) {
  uint32_t n = 0;
  for (uint32_t id : ready_sockets_) {
    if (sockets_[id].fd < 0) continue;
    n = receive_datagrams(sockets_[id], static_cast<int32_t>(id), b, n, udp_);
  }
  return n;
}

int32_t Engine::send(Batch &b, uint32_t count) {
  return sent(sender_.send(b, count, pools_, endpoints_, udp_));
}

int32_t Engine::resume(Batch &b) { return sent(sender_.resume(b, pools_, endpoints_, udp_)); }

// Keeps exactly the socket that is full in the set for writability.
int32_t Engine::sent(bool done) {
  if (udp_.drained != drained_) {
    drained_ = udp_.drained;
    changed_ = true;
  }
  if (armed_fd_ >= 0) {
    poller_.modify(armed_fd_, idle_events(armed_tag_), armed_tag_);
    armed_fd_ = -1;
  }
  if (done == paused_) pause_devices(!done);
  if (done) return static_cast<int32_t>(sender_.failed());
  armed_fd_ = sender_.blocked_fd();
  armed_tag_ = tag(kPool, static_cast<uint32_t>(armed_fd_));
  for (uint32_t id = 0; id < sockets_.size(); id++) {
    if (sockets_[id].fd == armed_fd_) armed_tag_ = tag(kSocket, id);
  }
  poller_.modify(armed_fd_, idle_events(armed_tag_) | EPOLLOUT, armed_tag_);
  return -1;
}

// No queue of ours: while UDP is full the devices' own queues wait.
void Engine::pause_devices(bool pause) {
  paused_ = pause;
  for (uint32_t id = 0; id < devices_.size(); id++) {
    if (devices_[id].fd < 0 || devices_[id].gone) continue;
    poller_.modify(devices_[id].fd, pause ? 0u : static_cast<uint32_t>(EPOLLIN), tag(kDevice, id));
  }
}

uint32_t Engine::deliver(Batch &b, uint32_t count) {
  uint32_t failed = 0;
  if (count > b.slots) count = b.slots;
  for (uint32_t from = 0; from < count;) {
    uint32_t to = from + 1;
    while (to < count && b.c.link[to] == b.c.link[from] && to - from < kMaxFrames) to++;
    int32_t id = b.c.link[from];
    if (id < 0 || static_cast<size_t>(id) >= devices_.size() || devices_[id].fd < 0 || devices_[id].gone) {
      for (uint32_t i = from; i < to; i++) {
        b.c.err[i] = b.c.len[i] ? -ENODEV : 0;
        failed += b.c.len[i] != 0;
      }
    } else {
      Device &d = devices_[id];
      bool tcp = d.tcp;
      bool udp = d.udp;
      failed += emitter_.emit(d, b, from, to, tun_);
      if (d.gone) lose(d, d.gone);
      if ((tcp != d.tcp || udp != d.udp) && stats_) stats_[kStatTrainsBroke] = 1;
    }
    from = to;
  }
  return failed;
}

int32_t Engine::next_changed() {
  for (uint32_t id = 0; id < endpoints_.size(); id++) {
    if (!endpoints_[id].changed) continue;
    endpoints_[id].changed = false;
    return static_cast<int32_t>(id);
  }
  changed_ = false;
  return kNone;
}

int32_t Engine::next_gone() {
  for (uint32_t id = 0; id < devices_.size(); id++) {
    if (!devices_[id].gone || devices_[id].fd < 0) continue;
    devices_[id].fd = -1;
    return static_cast<int32_t>(id);
  }
  gone_ = false;
  return kNone;
}

void Engine::publish() {
  if (!stats_) return;
  stats_[kStatBadFrames] = static_cast<double>(tun_.bad_frames);
  stats_[kStatDeviceReads] = static_cast<double>(tun_.reads);
  stats_[kStatDeviceWrites] = static_cast<double>(tun_.writes);
  stats_[kStatOverflows] = static_cast<double>(udp_.overflows);
  stats_[kStatIcmpErrors] = static_cast<double>(udp_.icmp_errors);
  stats_[kStatUdpReceives] = static_cast<double>(udp_.receives);
  stats_[kStatUdpSends] = static_cast<double>(udp_.sends);
  stats_[kStatUdpMessages] = static_cast<double>(udp_.messages);
  if (sender_.gso_broke()) stats_[kStatGsoBroke] = 1;
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  stats_[kStatThreadCpu] = static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

}  // namespace vtepd
