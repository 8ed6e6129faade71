#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_workspace.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// The steps of int8 and int16 tables. Table (j, m) has the step k s0 with the smallest integer k that
/// fits its entries; s0 is such that the largest product that any input group and any codeword could
/// have still fits with the largest k. Integer sums then carry k as a factor and need no rescaling.
///
/// Every path makes the same steps from the same bits, so int8 and int16 results agree between paths.
template <class Arch, class Precision>
struct LutQuantizer {
  static constexpr float limit = entry_bytes<Precision> == 1 ? 127.0f : 32767.0f;
  float step = 0;  ///< s0; 0 where inputs are (nearly) zero, NaN where one is not finite

  BASIN_ALWAYS_INLINE LutQuantizer(const PackedLayer& layer, const float* x) noexcept : most_(max_multiplier(layer)) {
    if constexpr (entry_bytes<Precision> == 4) return;
    const std::ptrdiff_t g = layer.scheme.in_group_size;
    float largest = 0;
    for (std::ptrdiff_t j = 0; j < layer.num_in_groups; ++j) {
      float sum = 0;
      for (std::ptrdiff_t i = j * g; i < layer.n_in && i < (j + 1) * g; ++i) sum = __builtin_fmaf(x[i], x[i], sum);
      if (sum > largest || sum != sum) largest = sum;  // a NaN stays
    }
    const float bound = __builtin_sqrtf(largest) * layer.max_codeword_norm * 1.0001f;
    if (!(bound < __builtin_inff())) step = __builtin_nanf("");
    else if (bound >= 1e-30f) step = bound / (static_cast<float>(most_) * limit);
    usable_ = step > 0;
    inverse_ = usable_ ? 1 / step : 0;
  }

  /// k for a table whose largest entry has this magnitude.
  [[nodiscard]] BASIN_ALWAYS_INLINE std::int32_t multiplier(float largest) const noexcept {
    // Selections, not branches, which no processor could guess; a NaN becomes 1.
    const float wanted = largest * (inverse_ / limit), most = static_cast<float>(most_);
    const float above = wanted > 1 ? wanted : 1, needed = above < most ? above : most;
    const auto whole = static_cast<std::int32_t>(needed);
    return whole + static_cast<std::int32_t>(static_cast<float>(whole) < needed);
  }
  [[nodiscard]] BASIN_ALWAYS_INLINE float inverse_step(std::int32_t multiplier) const noexcept {
    return usable_ ? 1 / (static_cast<float>(multiplier) * step) : 0;
  }

 private:
  std::int32_t most_;
  bool usable_ = false;
  float inverse_ = 0;
};

}  // namespace basin::kernels::detail
