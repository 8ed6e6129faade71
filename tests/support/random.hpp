#pragma once

#include <basin/core/random.hpp>
#include <basin/core/types.hpp>

#include <concepts>
#include <cstdint>

namespace basin::test {
/// The library's portable stream, so that a failing case is the same case on every machine.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) noexcept : bits_(seed) {}
  double uniform() noexcept { return bits_.uniform(); }
  double normal() noexcept { return bits_.normal(); }
  /// Uniform in [0, bound).
  Index below(Index bound) noexcept { return static_cast<Index>(bits_.below(static_cast<std::uint64_t>(bound))); }
  std::uint64_t operator()() noexcept { return bits_(); }

 private:
  SplitMix64 bits_;
};

/// Standard normals, filled row by row.
template <class T>
[[nodiscard]] Matrix<T> normal_matrix(Index rows, Index cols, Rng& rng) {
  Matrix<T> m(rows, cols);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) m(r, c) = static_cast<T>(rng.normal());
  return m;
}

template <class T>
[[nodiscard]] Vector<T> normal_vector(Index n, Rng& rng) {
  return normal_matrix<T>(n, 1, rng);
}

/// A random rotation of n dimensions.
[[nodiscard]] Matrix<double> orthogonal_matrix(Index n, Rng& rng);

/// [g, g], symmetric positive definite, eigenvalues spaced evenly in the logarithm from 1/cond to 1. Of floats and doubles.
template <std::floating_point T>
[[nodiscard]] Matrix<T> spd_matrix(Index g, T cond, Rng& rng);

}  // namespace basin::test
