#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <vector>

#if defined(__unix__)
#include <ctime>
#endif

namespace basin::bench {
/// Nanoseconds that this thread has run: what other programs do meanwhile does not count. Threads that
/// work together are timed by the wall clock instead.
[[nodiscard]] inline double thread_nanoseconds() noexcept {
#if defined(__unix__)
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
#else
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}
[[nodiscard]] inline double wall_nanoseconds() noexcept {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What the compiler must not see: everything in memory may have been read and written.
inline void clobber_memory() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// The value below which this fraction of all lie, 0 of none.
[[nodiscard]] inline double quantile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(fraction * static_cast<double>(values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Nanoseconds of each call. Counters are made of their median, which a pause of the machine does not
/// move; Google Benchmark itself prints the mean.
class CallTimes {
 public:
  template <class Call>
  void measure(Call&& call) {
    add(call, thread_nanoseconds);
  }
  /// For calls that other threads take part in.
  template <class Call>
  void measure_wall(Call&& call) {
    add(call, wall_nanoseconds);
  }
  [[nodiscard]] double median() const { return quantile(nanoseconds_, 0.5); }
  /// For measure_wall: by that clock a busy machine makes many calls wait, and the quickest ones tell.
  [[nodiscard]] double quickest() const { return quantile(nanoseconds_, 0.1); }

 private:
  template <class Call>
  void add(Call& call, double (*now)() noexcept) {
    const double begin = now();
    call();
    clobber_memory();
    nanoseconds_.push_back(now() - begin);
  }

  std::vector<double> nanoseconds_;
};

/// Median nanoseconds of a call, after one that nobody times: at least `calls` of them and `seconds` in all.
template <class Call>
[[nodiscard]] double median_call(Call&& call, int calls = 5, double seconds = 0.15) {
  call();
  CallTimes times;
  const double end = wall_nanoseconds() + seconds * 1e9;
  for (int i = 0; i < calls || wall_nanoseconds() < end; ++i) times.measure(call);
  return times.median();
}

}  // namespace basin::bench
