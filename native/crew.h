// Threads that share the work of one large batch with the thread that has it, which works along and goes on
// when all of it is done: nothing is ever in flight between calls. They are started when first wanted, sleep
// when there is nothing to do, and are joined by the destructor. Invariant: `run` is called by one thread at
// a time.
#pragma once
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace vtepd {

/// Does job `job`; `thread` is 0 for the caller of run, 1.. for the crew.
using CrewWork = void(void *context, uint32_t job, uint32_t thread);

class Crew {
 public:
  Crew() = default;
  Crew(const Crew &) = delete;
  Crew &operator=(const Crew &) = delete;
  ~Crew() { set_size(0); }

  /// Cold: at most this many threads from now on, never more than kMost. None are started yet.
  void set_size(uint32_t size);
  uint32_t size() const { return size_; }

  /// Calls work once for every job in [0, jobs), in no order, and returns when all are done.
  void run(uint32_t jobs, CrewWork *work, void *context);

  static constexpr uint32_t kMost = 3;

  /// Cores that this process may use, without the one that calls.
  static uint32_t spare_cores();

 private:
  struct Member {
    Crew *crew = nullptr;
    uint32_t number = 0;
    pthread_t thread{};
  };

  static void *enter(void *member);
  void start();
  void serve(uint32_t number);
  void take(uint32_t thread);
  void wait_for_others();

  Member members_[kMost];
  uint32_t size_ = 0;
  uint32_t started_ = 0;

  std::mutex lock_;
  std::condition_variable wanted_;
  std::condition_variable done_;
  // Under the lock: which run is on, and whether one may still join it.
  uint64_t turn_ = 0;
  bool open_ = false;
  bool stop_ = false;
  std::atomic<uint32_t> inside_{0};  // written under the lock

  // Of the run that is on; read by those inside.
  CrewWork *work_ = nullptr;
  void *context_ = nullptr;
  uint32_t jobs_ = 0;
  std::atomic<uint32_t> next_{0};
};

}  // namespace vtepd
