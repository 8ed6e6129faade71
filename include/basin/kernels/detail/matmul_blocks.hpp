#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// Inputs that meet in one integer sum: 512 products of 2047 and 2047 fit 32 bits.
inline constexpr std::ptrdiff_t matmul_block = 512;

[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t num_matmul_blocks(const PackedLayer& layer) noexcept {
  return (layer.n_in + matmul_block - 1) / matmul_block;
}

/// How weights and inputs become integers. Entries of a codebook are rounded to multiples of a step u such
/// that sums of M of them fit 16 bits; the sum's upper 12 or 8 bits, rounded, are the weight:
///
///     w = (sum_m round(C_m / u) + 2^(shift-1)) >> shift,   in units of 2^shift u
template <class Precision>
struct MatmulLevels;
template <>
struct MatmulLevels<int16> {
  static constexpr int shift = 4, limit = 2047;
};
template <>
struct MatmulLevels<int8> {
  static constexpr int shift = 8, limit = 127;
};

/// A step and its inverse: 0 and 0 for values that count as zero, NaN and 0 where one is not finite.
struct MatmulStep {
  float step, inverse;
};

/// The step that makes `largest` the integer `limit`. Every path gets the same bits from the same values.
[[nodiscard]] BASIN_ALWAYS_INLINE MatmulStep matmul_step(float largest, float limit) noexcept {
  if (!(largest < __builtin_inff())) return {__builtin_nanf(""), 0};
  if (largest < 1e-30f) return {0, 0};
  return {largest / limit, limit / largest};
}

/// The largest magnitude; not finite where a value is not.
[[nodiscard]] BASIN_ALWAYS_INLINE float largest_magnitude(const float* values, std::ptrdiff_t count) noexcept {
  std::uint32_t largest = 0;  // magnitudes are ordered as their bits are, NaN above infinity
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    bits &= 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  float value;
  __builtin_memcpy(&value, &largest, sizeof value);
  return value;
}

/// u for a layer of family `planes`: rounding M entries up leaves sums below 127.5 * 256.
[[nodiscard]] BASIN_ALWAYS_INLINE MatmulStep codebook_step(const PackedLayer& layer) noexcept {
  const std::ptrdiff_t values = std::ptrdiff_t{layer.scheme.in_group_size} << layer.scheme.bits_per_code;
  float sum = 0;
  for (std::ptrdiff_t m = 0; m < layer.scheme.num_codebooks; ++m) sum += largest_magnitude(layer.codebooks + m * values, values);
  return matmul_step(sum, 32500.0f);
}

}  // namespace basin::kernels::detail
