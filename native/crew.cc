#include "crew.h"

#include <sched.h>
#include <signal.h>

namespace vtepd {

namespace {

// About as long as a job takes: whoever is still at one is most likely done by then.
constexpr int kSpins = 2000;

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

uint32_t Crew::spare_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return 0;
  int cores = CPU_COUNT(&set);
  return cores > 1 ? static_cast<uint32_t>(cores - 1) : 0;
}

void Crew::set_size(uint32_t size) {
  size_ = size < kMost ? size : kMost;
  if (started_ <= size_) return;
  {
    std::lock_guard<std::mutex> hold(lock_);
    stop_ = true;
  }
  wanted_.notify_all();
  for (uint32_t i = 0; i < started_; i++) pthread_join(members_[i].thread, nullptr);
  started_ = 0;
  stop_ = false;
}

// What the kernel does not grant is done without.
void Crew::start() {
  sigset_t all, before;
  sigfillset(&all);
  // Signals are for the threads that Node has for them.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (; started_ < size_; started_++) {
    Member &m = members_[started_];
    m.crew = this;
    m.number = started_ + 1;
    if (pthread_create(&m.thread, nullptr, enter, &m) != 0) {
      size_ = started_;
      break;
    }
    pthread_setname_np(m.thread, "vtepd-seal");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Crew::run(uint32_t jobs, CrewWork *work, void *context) {
  if (started_ < size_ && jobs > 1) start();
  if (started_ == 0 || jobs <= 1) {
    for (uint32_t j = 0; j < jobs; j++) work(context, j, 0);
    return;
  }
  {
    std::lock_guard<std::mutex> hold(lock_);
    work_ = work;
    context_ = context;
    jobs_ = jobs;
    next_.store(0, std::memory_order_relaxed);
    turn_++;
    open_ = true;
  }
  for (uint32_t i = 0; i < started_ && i + 1 < jobs; i++) wanted_.notify_one();
  take(0);
  wait_for_others();
}

// Every job is taken; those inside are at their last one.
void Crew::wait_for_others() {
  std::unique_lock<std::mutex> hold(lock_);
  open_ = false;
  if (inside_ == 0) return;
  hold.unlock();
  for (int i = 0; i < kSpins && inside_.load(std::memory_order_relaxed) != 0; i++) pause_cpu();
  hold.lock();
  done_.wait(hold, [this] { return inside_ == 0; });
}

void Crew::take(uint32_t thread) {
  for (;;) {
    uint32_t job = next_.fetch_add(1, std::memory_order_relaxed);
    if (job >= jobs_) return;
    work_(context_, job, thread);
  }
}

void *Crew::enter(void *member) {
  auto *m = static_cast<Member *>(member);
  m->crew->serve(m->number);
  return nullptr;
}

void Crew::serve(uint32_t number) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> hold(lock_);
  for (;;) {
    wanted_.wait(hold, [&] { return stop_ || (open_ && turn_ != seen); });
    if (stop_) return;
    seen = turn_;
    inside_++;
    hold.unlock();
    take(number);
    hold.lock();
    inside_--;
    if (inside_ == 0) done_.notify_one();
  }
}

}  // namespace vtepd
