#pragma once

#include <bit>
#include <cstdint>

/// The standard normal distribution at compile time, where `<cmath>` is not.
namespace basin {
namespace detail {
/// e^x for -700 <= x <= 700: 2^k times a Taylor series of the rest, |rest| <= ln(2) / 2.
[[nodiscard]] constexpr double exponential(double x) noexcept {
  constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  const auto k = static_cast<std::int64_t>(x / (ln2_high + ln2_low) + (x < 0 ? -0.5 : 0.5));
  const double rest = (x - static_cast<double>(k) * ln2_high) - static_cast<double>(k) * ln2_low;
  double sum = 1;
  for (int n = 17; n > 0; --n) sum = 1 + sum * rest / n;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}
}  // namespace detail

/// e^(-x^2 / 2) / sqrt(2 pi).
///
/// Accuracy  relative 1e-14 for |x| <= 8; 0 beyond 37.
[[nodiscard]] constexpr double normal_density(double x) noexcept {
  constexpr double inverse_root_two_pi = 0.39894228040143267794;
  if (!(x * x < 1369)) return 0;
  // x^2 in two parts: the exponential would feel the rounding of one.
  const double high = static_cast<double>(static_cast<float>(x));
  const double low = x - high;
  return inverse_root_two_pi * detail::exponential(-0.5 * high * high) * detail::exponential(-0.5 * low * (x + high));
}

/// The probability of values above x.
///
/// Accuracy  relative 1e-14 for x <= 8: a series near zero, a continued fraction in the tail.
[[nodiscard]] constexpr double normal_tail(double x) noexcept {
  if (x < 0) return 1 - normal_tail(-x);
  if (x < 1.5) {
    // Phi(x) - 1/2 = phi(x) (x + x^3 / 3 + x^5 / (3 * 5) + ..)
    double term = x, sum = x;
    for (int n = 3; term > sum * 1e-18; n += 2) sum += term *= x * x / n;
    return 0.5 - normal_density(x) * sum;
  }
  double fraction = x;
  for (int n = 150; n > 0; --n) fraction = x + n / fraction;
  return normal_density(x) / fraction;
}

/// The probability of values below x.
[[nodiscard]] constexpr double normal_probability(double x) noexcept { return normal_tail(-x); }

namespace detail {
/// The x >= start >= 0 with normal_tail(x) = tail, for a start that is not above it. The tail is convex there,
/// so Newton's steps come from below and never pass x.
[[nodiscard]] constexpr double upper_quantile(double tail, double start) noexcept {
  double x = start;
  for (;;) {
    const double step = (normal_tail(x) - tail) / normal_density(x);
    if (!(step > 1e-15 * (1 + x))) return x;
    x += step;
  }
}
}  // namespace detail

/// The x with normal_probability(x) = p.
///
/// Cost      x^2 / 2 Newton steps or so.
/// Accuracy  1e-14 (1 + |x|) for 1e-15 <= p <= 0.5, and mirrored: above it p itself is coarser.
/// Precondition: 0 < p < 1.
[[nodiscard]] constexpr double normal_quantile(double p) noexcept {
  return p < 0.5 ? -detail::upper_quantile(p, 0) : detail::upper_quantile(1 - p, 0);
}

}  // namespace basin
