#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/detail/matmul_blocks.hpp>

namespace basin::kernels::detail {
/// L: the largest integer of an activation.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr int activation_limit(const ActivationFormat& format) noexcept { return format.bits == 4 ? 7 : 127; }

/// The step of a group whose largest magnitude this is; NaN where that is not finite. Every path gets the same bits.
[[nodiscard]] BASIN_ALWAYS_INLINE float activation_step(const ActivationFormat& format, float largest) noexcept {
  if (!(largest < __builtin_inff())) return __builtin_nanf("");
  const float step = format.clip * largest / static_cast<float>(activation_limit(format));
  return step > 0 ? step : 1.0f;
}

}  // namespace basin::kernels::detail
