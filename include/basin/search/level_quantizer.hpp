#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>
#include <basin/search/concepts.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
namespace detail {
/// Ascending levels and the midpoints between them.
template <std::floating_point T>
class LevelGrid {
 public:
  explicit LevelGrid(const std::vector<T>& levels) : levels_(levels) {
    BASIN_ASSERT(!levels.empty() && levels.size() <= 256 && std::is_sorted(levels.begin(), levels.end()));
    for (std::size_t i = 1; i < levels.size(); ++i) midpoints_.push_back((levels[i - 1] + levels[i]) / 2);
  }

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(levels_.size()); }
  [[nodiscard]] T operator[](Index code) const noexcept { return levels_[static_cast<std::size_t>(code)]; }
  /// The code of the level nearest to u; at a midpoint the lower one.
  [[nodiscard]] Index nearest(T u) const noexcept {
    Index code = 0;
    for (const T midpoint : midpoints_) code += u > midpoint;
    return code;
  }
  /// The code of the second nearest level, `nearest` being the first; at a midpoint the lower one.
  /// Precondition: there are two levels.
  [[nodiscard]] Index second(T u, Index nearest) const noexcept {
    if (nearest == 0) return 1;
    if (nearest + 1 == size()) return nearest - 1;
    return u - (*this)[nearest - 1] <= (*this)[nearest + 1] - u ? nearest - 1 : nearest + 1;
  }
  /// nearest() of n values at once; the codes as numbers.
  void nearest(const T* BASIN_RESTRICT u, Index n, T* BASIN_RESTRICT codes) const noexcept {
    std::fill_n(codes, n, T(0));
    for (const T midpoint : midpoints_)
      for (Index i = 0; i < n; ++i) codes[i] += u[i] > midpoint ? T(1) : T(0);
  }

 private:
  std::vector<T> levels_, midpoints_;
};
}  // namespace detail

/// The nearest level of every target, under the scales and zero points that a weight has; its codes are
/// written into that weight.
///
///     z[o, i] = argmin_k | target / s[o] + zero_points[o] - levels[k] |
///
/// Ties      the lower level. Rows with s = 0 keep their codes and decode to 0.
/// Cost      levels.size() - 1 comparisons a weight.
template <std::floating_point T>
class LevelQuantizer {
 public:
  /// The weight must outlive the quantizer.
  explicit LevelQuantizer(LevelWeight<T>& weight) : weight_(&weight), grid_(weight.levels) {}

  void operator()(Index first_row, Index first_input, ConstColumnsRef<T> target, ColumnsRef<T> quantized) const {
    constexpr Index chunk = 64;
    T scaled[chunk], codes[chunk];
    for (Index c = 0; c < target.cols(); ++c)
      for (Index begin = 0; begin < target.rows(); begin += chunk) {
        const Index rows = std::min(chunk, target.rows() - begin), o = first_row + begin;
        const T* in = &target.coeffRef(begin, c);
        T* out = &quantized.coeffRef(begin, c);
        const T* scales = weight_->scales.data() + o;
        for (Index r = 0; r < rows; ++r) scaled[r] = in[r] / scales[r];
        if (weight_->zero_points.size() != 0)
          for (Index r = 0; r < rows; ++r) scaled[r] += weight_->zero_points(o + r);
        grid_.nearest(scaled, rows, codes);
        for (Index r = 0; r < rows; ++r) {
          if (scales[r] != T(0)) weight_->codes(o + r, first_input + c) = static_cast<std::uint8_t>(codes[r]);
          out[r] = weight_->value(o + r, static_cast<std::uint8_t>(codes[r]));
        }
      }
  }

 private:
  LevelWeight<T>* weight_;
  detail::LevelGrid<T> grid_;
};
static_assert(ColumnQuantizer<LevelQuantizer<float>>);

}  // namespace basin
