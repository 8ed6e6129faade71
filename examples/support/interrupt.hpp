#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <stop_token>
#include <thread>

namespace support {
/// Turns the first Ctrl-C or SIGTERM into a request to stop; the second one ends the program at once.
/// Make it before any other thread: those made later leave the signals to it.
class Interrupt {
 public:
  Interrupt() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    watcher_ = std::jthread([this](const std::stop_token& done) { watch(done); });
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt() {
    watcher_.request_stop();
    watcher_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

 private:
  void watch(const std::stop_token& done) {
    constexpr timespec tenth{.tv_sec = 0, .tv_nsec = 100'000'000};
    while (!done.stop_requested()) {
      const int signal = sigtimedwait(&signals_, nullptr, &tenth);
      if (signal <= 0) continue;
      if (source_.stop_requested()) ::_exit(128 + signal);
      std::fputs("\nstopping; once more to end at once\n", stderr);
      source_.request_stop();
    }
  }

  std::stop_source source_;
  sigset_t signals_{}, before_{};
  std::jthread watcher_;
};

}  // namespace support
