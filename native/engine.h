// The data thread's native half: devices, sockets, pools and endpoints by number, and one call per crossing.
// One Engine belongs to one worker; only `wake` may be called from elsewhere. It borrows every fd.
#pragma once
#include <vector>

#include "poll.h"
#include "sender.h"
#include "tun.h"

namespace vtepd {

// Bits of Engine::wait's answer.
enum Ready : uint32_t {
  kReadyWake = 1,      // the mailbox has something
  kReadyDevices = 2,   // receive_devices
  kReadySockets = 4,   // receive_sockets
  kReadyWritable = 8,  // resume
  kReadyChanged = 16,  // next_changed: an ICMP error named an endpoint
  kReadyGone = 32,     // next_gone: a device went away
};

// Milliseconds since the host started, its sleep included: a session that a host has slept through is old.
double since_boot() noexcept;

// Positions in the statistics that native writes for TypeScript to read.
enum Stat : uint32_t {
  kStatNow,  // since_boot at the last wait's end
  kStatBadFrames,
  kStatOverflows,
  kStatIcmpErrors,
  kStatDeviceReads,
  kStatDeviceWrites,
  kStatUdpReceives,
  kStatUdpSends,
  kStatUdpMessages,
  kStatNativeCpu,    // nanoseconds of this thread's CPU inside native calls, while profiling
  kStatGsoBroke,     // 1 once UDP_SEGMENT was refused and switched off
  kStatTrainsBroke,  // 1 once a device refused a train and gets single frames
  kStatThreadCpu,    // nanoseconds of this thread's CPU, as of the last publish
  kStatFrames,       // slots that the last wait filled
  kStatMessages,
  kStatCount,
};

class Engine {
 public:
  /// `cipher`: one of cipher_names(); nullptr: the best.
  explicit Engine(const char *cipher = nullptr) : aead_(cipher) {}
  int open() { return poller_.open(); }
  void attach_stats(double *stats) { stats_ = stats; }
  int wake_fd() const { return poller_.wake_fd(); }

  int set_device(uint32_t id, const Device &device);
  void clear_device(uint32_t id);
  int set_socket(uint32_t id, int fd);
  void clear_socket(uint32_t id);
  int set_pool(uint32_t id, const Pool &pool);
  void clear_pool(uint32_t id);
  void set_endpoint(uint32_t id, const Endpoint &endpoint);
  void clear_endpoint(uint32_t id);
  int set_key(uint32_t slot, const uint8_t *key, uint32_t remote) { return aead_.set_key(slot, key, remote); }
  void clear_key(uint32_t slot) { aead_.clear_key(slot); }
  void set_helpers(uint32_t helpers) { aead_.set_helpers(helpers); }

  /// Sleeps until something is ready, at most timeout_ms, and receives it: frames into `frames`, datagrams
  /// into `messages`; kStatFrames and kStatMessages say how many. One crossing for all of it: at rest a
  /// packet costs two.
  uint32_t wait(int timeout_ms, Batch &frames, Batch &messages);
  /// Number of failed slots, or -1: a socket is full, resume when wait says kReadyWritable.
  int32_t send(Batch &b, uint32_t count);
  int32_t resume(Batch &b);
  uint32_t deliver(Batch &b, uint32_t count);
  /// Aead::open.
  uint32_t open(Batch &b, uint32_t count) { return aead_.open(b, count); }
  /// Aead::seal_slots.
  uint32_t seal(Batch &b, uint32_t count) { return aead_.seal_slots(b, count); }
  int32_t next_changed();
  int32_t next_gone();

  void publish();

  static constexpr uint32_t kMaxIds = 4096;

 private:
  uint32_t poll(int timeout_ms);
  void glance();
  uint32_t receive_devices(Batch &b);
  uint32_t receive_sockets(Batch &b);
  int32_t sent(bool done);
  void pause_devices(bool pause);
  void lose(Device &device, int error);
  void disarm(int fd);

  Poller poller_;
  Aead aead_;
  Sender sender_{&aead_};
  Emitter emitter_;
  std::vector<Device> devices_;
  std::vector<Socket> sockets_;
  std::vector<Pool> pools_;
  std::vector<Endpoint> endpoints_;
  std::vector<uint32_t> ready_devices_;
  std::vector<uint32_t> ready_sockets_;
  // What spoke last.
  uint32_t last_device_ = 0;
  uint32_t last_socket_ = 0;
  bool changed_ = false;
  bool gone_ = false;
  bool rested_ = false;    // nothing came for a while before this
  double carried_ = 0;     // when something came, ms
  bool paused_ = false;    // a socket is full, devices are not read
  bool writable_ = false;  // the socket that a blocked send waits for went away
  int armed_fd_ = -1;      // pool socket that waits for EPOLLOUT
  uint64_t armed_tag_ = 0;
  uint64_t drained_ = 0;
  UdpStats udp_;
  TunStats tun_;
  double *stats_ = nullptr;
};

}  // namespace vtepd
