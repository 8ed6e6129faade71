#include <basin/core/normal_distribution.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace basin;
using Catch::Matchers::WithinRel;

TEST_CASE("The normal distribution matches libm in long double", "[core][reference]") {
  for (double x = -8; x <= 8; x += 0.0137) {
    CAPTURE(x);
    const long double wide = x;
    const auto density = static_cast<double>(std::exp(-wide * wide / 2) / std::sqrt(2 * 3.14159265358979323846264338328L));
    const auto tail = static_cast<double>(std::erfc(wide / std::sqrt(2.0L)) / 2);
    CHECK_THAT(normal_density(x), WithinRel(density, 1e-14));
    CHECK_THAT(normal_tail(x), WithinRel(tail, 1e-14));
    CHECK(normal_probability(x) == normal_tail(-x));
  }
  CHECK(normal_tail(0) == 0.5);
}

TEST_CASE("Far out the normal distribution vanishes and stays finite", "[core][property]") {
  for (const double x : {37.5, 1e3, 1e300, std::numeric_limits<double>::infinity()}) {
    CHECK(normal_density(x) == 0);
    CHECK(normal_tail(x) == 0);
    CHECK(normal_tail(-x) == 1);
  }
  CHECK(normal_tail(30) > 0);
}

TEST_CASE("Quantiles undo probabilities", "[core][property]") {
  for (const double p : {1e-15, 1e-9, 0.001, 0.1, 0.25, 0.4999, 0.5}) {
    CAPTURE(p);
    const double x = normal_quantile(p);
    // An error of dx in x is one of phi(x) dx in p.
    CHECK(std::abs(normal_probability(x) - p) <= 2e-14 * (1 + std::abs(x)) * normal_density(x));
    CHECK(normal_quantile(1 - p) <= -x + 1e-15 / normal_density(x));
    CHECK(normal_quantile(1 - p) >= -x - 1e-15 / normal_density(x));
  }
  CHECK(normal_quantile(0.5) == 0);
  STATIC_REQUIRE(normal_quantile(0.875) > 1.1503493);
  STATIC_REQUIRE(normal_quantile(0.875) < 1.1503494);
}
