#include <basin/core/half.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::float_to_half;
using basin::half_to_float;
using basin::round_to_half;

namespace {
/// The definition of binary16, in double.
double half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  const double sign = (bits & 0x8000) ? -1 : 1;
  if (exponent == 0x1f) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

/// Nearest half by its definition: the spacing at |x|, and a double that rounds ties to even.
double nearest_half(float x) {
  if (!std::isfinite(x)) return x;
  const double magnitude = std::abs(static_cast<double>(x));
  const int exponent = std::max(magnitude > 0 ? std::ilogb(magnitude) : -14, -14);
  const double spacing = std::ldexp(1.0, exponent - 10);
  const double rounded = std::nearbyint(magnitude / spacing) * spacing;
  return std::copysign(rounded > 65504 ? std::numeric_limits<double>::infinity() : rounded, x);
}
}  // namespace

TEST_CASE("All 65536 half patterns decode to their value and come back", "[core][reference]") {
  int wrong_value = 0, wrong_bits = 0, lost_nan = 0;
  for (std::uint32_t pattern = 0; pattern < 65536; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const float value = half_to_float(bits);
    if (std::isnan(half_value(bits))) {
      lost_nan += !std::isnan(value) || !std::isnan(half_to_float(float_to_half(value)));
      continue;
    }
    wrong_value += static_cast<double>(value) != half_value(bits) || std::signbit(value) != ((bits >> 15) != 0);
    wrong_bits += float_to_half(value) != bits;
  }
  CHECK(wrong_value == 0);
  CHECK(wrong_bits == 0);
  CHECK(lost_nan == 0);
}

TEST_CASE("Rounding to half is to nearest, ties to even", "[core][reference]") {
  basin::test::Rng rng(4);
  int wrong = 0;
  const auto check = [&](float x) {
    const auto got = static_cast<double>(round_to_half(x));
    wrong += got != nearest_half(x) || std::signbit(got) != std::signbit(x);
  };
  for (int i = 0; i < 300'000; ++i) {  // every exponent, and around the range of half
    const auto bits = static_cast<std::uint32_t>(rng());
    if (const auto any = std::bit_cast<float>(bits); !std::isnan(any)) check(any);
    check(static_cast<float>(std::ldexp(rng.normal(), static_cast<int>(rng.below(46)) - 28)));
  }
  CHECK(wrong == 0);
  for (std::uint32_t pattern = 0; pattern < 0x7bff; ++pattern) {  // the middle of every two neighbours
    const float low = half_to_float(static_cast<std::uint16_t>(pattern));
    const float high = half_to_float(static_cast<std::uint16_t>(pattern + 1));
    const float middle = 0.5f * (low + high);
    for (const float x : {middle, std::nextafter(middle, low), std::nextafter(middle, high)}) {
      check(x);
      check(-x);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("Half overflows to infinity at 65520 and keeps NaN", "[core][reference]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(round_to_half(65504.0f) == basin::max_half);
  CHECK(round_to_half(65519.996f) == basin::max_half);
  CHECK(round_to_half(65520.0f) == infinity);
  CHECK(round_to_half(-1e30f) == -infinity);
  CHECK(round_to_half(infinity) == infinity);
  CHECK(std::isnan(round_to_half(std::numeric_limits<float>::quiet_NaN())));
  CHECK(round_to_half(0x1p-25f) == 0.0f);  // a tie between 0 and the smallest half
  CHECK(round_to_half(0x1.8p-25f) == 0x1p-24f);
  CHECK(std::signbit(round_to_half(-0.0f)));
}

TEST_CASE("Half is exact to 2^-11 relative in its normal range", "[core][property]") {
  basin::test::Rng rng(6);
  for (int i = 0; i < 10'000; ++i) {
    const auto x = static_cast<float>(std::ldexp(1 + rng.uniform(), static_cast<int>(rng.below(29)) - 14));
    REQUIRE(std::abs(round_to_half(x) - x) <= 0x1p-11f * x);
  }
}

TEST_CASE("Half conversions run at compile time", "[core][reference]") {
  STATIC_REQUIRE(float_to_half(1.0f) == 0x3c00);
  STATIC_REQUIRE(half_to_float(0x0001) == 0x1p-24f);
  STATIC_REQUIRE(float_to_half(0x1p-24f) == 0x0001);
}

TEST_CASE("bfloat16 is the upper half of a float", "[core][reference]") {
  CHECK(basin::bfloat16_to_float(0x3f80) == 1.0f);
  CHECK(basin::bfloat16_to_float(0xc049) == -3.140625f);
  CHECK(std::isinf(basin::bfloat16_to_float(0x7f80)));
}
