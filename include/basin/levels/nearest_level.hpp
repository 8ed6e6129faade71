#pragma once

#include <basin/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
/// Rounds to the nearest of 2 to 256 ascending levels: a value's code is the number of midpoints below it.
///
/// Ties      the lower level.
/// Cost      levels.size() - 1 comparisons a value, without branches.
template <std::floating_point T>
class NearestLevel {
 public:
  explicit NearestLevel(const std::vector<T>& levels) : levels_(levels) {
    BASIN_ASSERT(levels.size() >= 2 && levels.size() <= 256);
    for (std::size_t i = 1; i < levels.size(); ++i) {
      BASIN_ASSERT(levels[i - 1] < levels[i]);
      midpoints_.push_back((levels[i - 1] + levels[i]) / 2);
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return levels_.size(); }
  [[nodiscard]] T level(std::uint8_t code) const noexcept { return levels_[code]; }
  [[nodiscard]] std::uint8_t code(T x) const noexcept {
    unsigned below = 0;
    for (const T midpoint : midpoints_) below += midpoint < x;
    return static_cast<std::uint8_t>(below);
  }
  /// The code of the second nearest level, `nearest` being code(x); at a tie the lower one.
  [[nodiscard]] std::uint8_t second(T x, std::uint8_t nearest) const noexcept {
    if (nearest == 0) return 1;
    const auto below = static_cast<std::uint8_t>(nearest - 1), above = static_cast<std::uint8_t>(nearest + 1);
    if (nearest + 1u == size()) return below;
    return x - level(below) <= level(above) - x ? below : above;
  }
  /// code() of n values at once, as bytes or as numbers.
  template <class Code>
  void codes(const T* BASIN_RESTRICT x, std::ptrdiff_t n, Code* BASIN_RESTRICT out) const noexcept {
    for (std::ptrdiff_t i = 0; i < n; ++i) out[i] = Code(0);
    for (const T midpoint : midpoints_)
      for (std::ptrdiff_t i = 0; i < n; ++i) out[i] = static_cast<Code>(out[i] + (midpoint < x[i] ? Code(1) : Code(0)));
  }

 private:
  std::vector<T> levels_, midpoints_;
};

}  // namespace basin
