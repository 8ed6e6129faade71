#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace basin::bench {
/// Two threads that stay awake, so that a step of some microseconds can be shared out between them.
class TwoThreads {
 public:
  TwoThreads() : worker_([this] { serve(); }) {}
  TwoThreads(const TwoThreads&) = delete;
  TwoThreads& operator=(const TwoThreads&) = delete;
  ~TwoThreads() {
    closing_ = true;
    ++asked_;
    worker_.join();
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
    for (int job = 1;; ++job) {
      for (int spins = 0; asked_.load() != job; ++spins) wait(spins);
      if (closing_) return;
      (*part_)(1);
      done_ = job;
    }
  }
  /// Awake for some hundred microseconds; then whoever else wants the core may have it.
  static void wait(int spins) noexcept {
    if (spins > 5000) return std::this_thread::yield();
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  const std::function<void(int)>* part_ = nullptr;
  std::atomic<int> asked_{0}, done_{0};
  std::atomic<bool> closing_{false};
  std::thread worker_;
};

}  // namespace basin::bench
