// Sends a batch: trains are cut into equal datagrams, equal-size datagrams to one far end share a UDP_SEGMENT
// message, and every socket of the pool gets its messages by sendmmsg. What is cut is copied once, datagram
// behind datagram, in the pass that sums it: one long run costs the kernel less than two short ones a
// datagram (docs/performance.md). What has a key is sealed where the copy lies. The slab keeps the plain
// bytes, which copies for others share, and what has to be sealed a second time comes out the same.
// Invariants: datagrams that share a source port leave in slot order; a counter never meets a key that came
// after `send`. Temperature: hot; allocates at construction only.
#pragma once
#include "aead.h"
#include "udp.h"

namespace vtepd {

constexpr uint32_t kMaxPools = 64;

class Sender {
 public:
  /// Borrows `aead`.
  explicit Sender(Aead *aead);
  ~Sender();

  /// Sends slots [0, count) of b. err[i] becomes 0 or -errno. Returns true when done, false when a socket is
  /// full: call `resume` once `blocked_fd` takes more, and leave the batch alone until then.
  bool send(Batch &b, uint32_t count, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints,
            UdpStats &stats);
  bool resume(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints, UdpStats &stats);

  /// Slots of the batch whose err is set.
  uint32_t failed() const { return failed_; }
  int blocked_fd() const { return blocked_fd_; }
  /// A pool's UDP_SEGMENT was refused by the device below (EIO, EINVAL) and has been switched off.
  bool gso_broke() const { return gso_broke_; }

 private:
  struct Workspace;
  struct Slot;
  struct Lane;
  struct Piece;
  struct Message;
  struct SealJob;

  void gather(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints);
  int measure(const Batch &b, Slot *s) const;
  uint32_t add(const Slot &s, uint32_t from);
  bool flush(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints, UdpStats &stats);
  int send_some(Batch &b, Lane &lane, int fd, std::vector<Endpoint> &endpoints, UdpStats &stats);
  void begin_singly(Pool &pool, uint32_t message, int error);
  bool send_singly(Batch &b, Pool &pool, uint32_t port, std::vector<Endpoint> &endpoints, UdpStats &stats);
  void refuse_gso(Pool &pool);
  bool is_built(int32_t message);
  void build_call(Batch &b, int32_t message);
  void build(const Batch &b, const Message &m, msghdr &h);
  void lay(const Batch &b, const Piece &piece, uint16_t pad);
  void seal_jobs(Batch &b);
  void seal(const Batch &b, SealJob &job, uint32_t thread);
  void address(Batch &b, std::vector<Endpoint> &endpoints, uint32_t at);
  bool has_key(const Message &m) const;
  void fail(Batch &b, uint32_t message, int error);
  void fail_slot(Batch &b, uint32_t slot, int error);

  Aead *aead_;
  std::unique_ptr<Workspace> w_;
  uint64_t key_changes_ = 0;  // the key table's, when the batch was handed over
  uint32_t count_ = 0;
  uint32_t cursor_ = 0;   // next slot to gather
  uint32_t segment_ = 0;  // first segment of the cursor's train that is not gathered yet
  uint32_t failed_ = 0;
  int blocked_fd_ = -1;
  bool gso_broke_ = false;
};

}  // namespace vtepd
