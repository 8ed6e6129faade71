#pragma once

#include <atomic>
#include <functional>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif

namespace basin::bench {
#if defined(__linux__)
/// Keeps the calling thread on the n-th of the CPUs in `allowed`, if there are that many.
inline void stay_on_cpu(const cpu_set_t& allowed, int n) noexcept {
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || n-- > 0) continue;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    (void)::sched_setaffinity(0, sizeof(only), &only);
    return;
  }
}
#endif

/// Two threads on CPUs of their own that stay awake, so that a step of some microseconds can be shared
/// out between them.
class TwoThreads {
 public:
  TwoThreads() {
#if defined(__linux__)
    CPU_ZERO(&allowed_);
    (void)::sched_getaffinity(0, sizeof(allowed_), &allowed_);
    stay_on_cpu(allowed_, 0);
#endif
    worker_ = std::thread([this] { serve(); });
  }
  TwoThreads(const TwoThreads&) = delete;
  TwoThreads& operator=(const TwoThreads&) = delete;
  ~TwoThreads() {
    closing_ = true;
    ++asked_;
    worker_.join();
#if defined(__linux__)
    (void)::sched_setaffinity(0, sizeof(allowed_), &allowed_);
#endif
  }

  /// part(0) here and part(1) in the other thread; returns when both have.
  void run(const std::function<void(int)>& part) {
    part_ = &part;
    const int job = ++asked_;
    part(0);
    for (int spins = 0; done_.load() != job; ++spins) wait(spins);
  }

 private:
  void serve() {
#if defined(__linux__)
    stay_on_cpu(allowed_, 1);
#endif
    for (int job = 1;; ++job) {
      for (int spins = 0; asked_.load() != job; ++spins) wait(spins);
      if (closing_) return;
      (*part_)(1);
      done_ = job;
    }
  }
  /// Awake for some hundred microseconds; then whoever else wants the CPU may have it.
  static void wait(int spins) noexcept {
    if (spins > 5000) return std::this_thread::yield();
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  const std::function<void(int)>* part_ = nullptr;
  std::atomic<int> asked_{0}, done_{0};
  std::atomic<bool> closing_{false};
#if defined(__linux__)
  cpu_set_t allowed_;
#endif
  std::thread worker_;
};

}  // namespace basin::bench
