#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

namespace basin {
/// SplitMix64: one 64-bit state, portable streams. Distributions are spelled out because those of
/// the standard library differ between implementations.
class SplitMix64 {
 public:
  constexpr explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t operator()() noexcept {
    state_ += 0x9E3779B97F4A7C15u;
    return scramble(state_);
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }
  /// Standard normal by Box-Muller; the sine partner is discarded.
  double normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Uniform in [0, bound) without bias. Precondition: bound > 0.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    const std::uint64_t unfair = (0 - bound) % bound;  // 2^64 mod bound values would be drawn twice
    for (;;) {
      const std::uint64_t draw = (*this)();
      if (draw >= unfair) return draw % bound;
    }
  }

  [[nodiscard]] static constexpr std::uint64_t scramble(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// A stream named by what it is for, so that no result depends on threads or call order:
/// keyed_random(seed, {layer, codebook, pass}).
[[nodiscard]] constexpr SplitMix64 keyed_random(std::uint64_t seed,
                                                std::initializer_list<std::uint64_t> key) noexcept {
  std::uint64_t state = SplitMix64::scramble(seed + 0x9E3779B97F4A7C15u);
  for (const std::uint64_t part : key) state = SplitMix64::scramble(state ^ (part + 0x9E3779B97F4A7C15u));
  return SplitMix64(state);
}

}  // namespace basin
