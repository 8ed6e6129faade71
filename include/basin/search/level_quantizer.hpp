#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/nearest_level.hpp>
#include <basin/search/concepts.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
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
  explicit LevelQuantizer(LevelWeight<T>& weight) : weight_(&weight), nearest_(weight.levels) {}

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
        nearest_.codes(scaled, rows, codes);
        for (Index r = 0; r < rows; ++r) {
          if (scales[r] != T(0)) weight_->codes(o + r, first_input + c) = static_cast<std::uint8_t>(codes[r]);
          out[r] = weight_->value(o + r, static_cast<std::uint8_t>(codes[r]));
        }
      }
  }

 private:
  LevelWeight<T>* weight_;
  NearestLevel<T> nearest_;
};
static_assert(ColumnQuantizer<LevelQuantizer<float>>);

}  // namespace basin
