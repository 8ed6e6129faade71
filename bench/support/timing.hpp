#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <vector>

namespace basin::bench {
using Clock = std::chrono::steady_clock;

/// What the compiler must not see: everything in memory may have been read and written.
inline void clobber_memory() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// The middle value, 0 of none.
[[nodiscard]] inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Nanoseconds of each call. Counters are made of their median, which a pause of the machine does not
/// move; Google Benchmark itself prints the mean.
class CallTimes {
 public:
  template <class Call>
  void measure(Call&& call) {
    const Clock::time_point begin = Clock::now();
    call();
    clobber_memory();
    nanoseconds_.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
  }
  [[nodiscard]] double median() const { return bench::median(nanoseconds_); }

 private:
  std::vector<double> nanoseconds_;
};

/// Median nanoseconds of a call, after one that nobody times: at least `calls` of them and `seconds` in all.
template <class Call>
[[nodiscard]] double median_call(Call&& call, int calls = 5, double seconds = 0.15) {
  call();
  CallTimes times;
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (int i = 0; i < calls || Clock::now() < end; ++i) times.measure(call);
  return times.median();
}

}  // namespace basin::bench
