#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

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
    while (done_.load() != job) wait();
  }

 private:
  void serve() {
    for (int job = 1;; ++job) {
      while (asked_.load() != job) wait();
      if (closing_) return;
      (*part_)(1);
      done_ = job;
    }
  }
  static void wait() noexcept {
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
