#pragma once

#include <basin/core/config.hpp>

#include <bit>
#include <concepts>
#include <cstdint>

namespace basin {
/// x^2.4 in multiplications, so that loops over it run in vectors.
///
///     x^2.4 = (x y)^3,   y = x^(-1/5): a guess from the bits of x, made better by 1 - x y^5
///
/// Cost      about 20 operations.
/// Accuracy  relative 8 eps for x >= 1e-15, in double for x >= 1e-30; 0 for 0.
/// Precondition: 0 <= x <= 1e12.
template <std::floating_point T>
[[nodiscard]] BASIN_ALWAYS_INLINE T power_2_4(T x) noexcept {
  // Bits are about a logarithm: those of y are 6/5 of those of 1 less a fifth of those of x.
  const auto bits = std::bit_cast<std::int32_t>(static_cast<float>(x));
  const auto guess = static_cast<std::int32_t>(1277900000.0f - 0.2f * static_cast<float>(bits));
  T y = static_cast<T>(std::bit_cast<float>(guess));
  const auto rest = [x](T root) {
    const T square = root * root;
    return T(1) - square * square * (root * x);
  };
  const T h = rest(y);
  y *= T(1) + h * (T(0.2) + h * (T(0.12) + h * T(0.088)));
  y += y * (T(0.2) * rest(y));
  if constexpr (!std::same_as<T, float>) y += y * (T(0.2) * rest(y));
  const T root = x * y;
  return root * root * root;
}

}  // namespace basin
