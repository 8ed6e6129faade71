#pragma once

#include <basin/core/config.hpp>

#include <cstdint>

/// Always inlined and without std::, because kernels of every instruction set call these: a function that
/// two of them shared could be the one that was compiled for the other processor.
namespace basin {
/// IEEE binary16 bits to float; exact.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr float half_to_float(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1f) return __builtin_bit_cast(float, sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return __builtin_bit_cast(float, sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // zero or subnormal
  return sign ? -magnitude : magnitude;
}

/// Float to IEEE binary16 bits, to nearest, ties to even; beyond 65504 to infinity, NaN stays NaN.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::uint16_t float_to_half(float value) noexcept {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Adding 0.5 moves the subnormal's last kept bit to the float's last bit; the FPU rounds.
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (__builtin_bit_cast(std::uint32_t, shifted) - 0x3f000000u));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

/// The nearest value that fp16 holds.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr float round_to_half(float value) noexcept {
  return half_to_float(float_to_half(value));
}

/// Neither infinite nor NaN, by its fp16 bits.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr bool is_finite_half(std::uint16_t bits) noexcept {
  return (bits & 0x7c00u) != 0x7c00u;
}

/// bfloat16 bits to float; exact.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr float bfloat16_to_float(std::uint16_t bits) noexcept {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

/// Largest finite fp16 value.
inline constexpr float max_half = 65504.0f;

}  // namespace basin
