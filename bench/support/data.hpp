#pragma once

#include <basin/core/random.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/buffer.hpp"

namespace basin::bench {
/// Standard normal values, the same on every machine for one seed.
[[nodiscard]] inline Buffer<float> normal_floats(std::size_t size, std::uint64_t seed) {
  Buffer<float> values(size);
  SplitMix64 random(seed);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

/// Values in (-1, 1), made quickly: for matrices of which only the size matters.
[[nodiscard]] inline Buffer<float> uniform_floats(std::size_t size, std::uint64_t seed) {
  Buffer<float> values(size);
  SplitMix64 random(seed);
  for (std::size_t i = 0; i < size; i += 2) {
    const std::uint64_t bits = random();
    values[i] = static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-31f;
    if (i + 1 < size) values[i + 1] = static_cast<float>(static_cast<std::int32_t>(bits >> 32)) * 0x1p-31f;
  }
  return values;
}

/// |y - reference| / |reference| over `size` values, summed in double; 0 where both vanish.
template <class T>
[[nodiscard]] double relative_l2_error(const T* y, const double* reference, std::size_t size) noexcept {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const double difference = static_cast<double>(y[i]) - reference[i];
    error += difference * difference;
    norm += reference[i] * reference[i];
  }
  if (error == 0) return 0;
  return std::sqrt(error / norm);
}

}  // namespace basin::bench
