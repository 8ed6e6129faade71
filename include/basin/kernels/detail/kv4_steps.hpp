#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/kv4.hpp>

#include <cstdint>

namespace basin::kernels::detail {
struct Kv4Step {
  float scale;  ///< NaN where a value is not finite
  int zero;
};

/// The step of a group whose values, and zero, span [smallest, largest]. Every path gets the same bits.
[[nodiscard]] BASIN_ALWAYS_INLINE Kv4Step kv4_step(const Kv4Format& format, float smallest, float largest, float magnitude) noexcept {
  if (!(magnitude < __builtin_inff())) return {__builtin_nanf(""), 0};
  // Volatile: no compiler may fuse the product with the subtraction.
  const volatile float low = format.clip * smallest, high = format.clip * largest;
  const float scale = (high - low) / 15;
  if (!(scale < __builtin_inff())) return {__builtin_nanf(""), 0};
  if (scale == 0) return {2.0f / 15, 8};
  const auto zero = static_cast<int>(__builtin_nearbyintf(-low / scale));
  return {scale, zero < 15 ? zero : 15};  // a scale of few bits can be too small
}

/// One group more of a score.
[[nodiscard]] BASIN_ALWAYS_INLINE float kv4_add(float total, std::int32_t sum, float step, float scale) noexcept {
  return __builtin_fmaf(static_cast<float>(sum), step * scale, total);
}

}  // namespace basin::kernels::detail
