#include <basin/levels/gaussian.hpp>  // first: proves the header stands alone

#include <basin/levels/far_mirror_no_zero.hpp>
#include <basin/levels/lloyd_max.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/normal_float.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace basin;

namespace {
// Published digits are rounded.
auto digits(double value, int places) { return Catch::Matchers::WithinAbs(value, 0.51 * std::pow(10, -places)); }

template <LevelSet L>
void check_row(double scale, double error, double decibels, const std::vector<double>& probabilities = {}) {
  const auto fit = gaussian_fit<L>();
  CAPTURE(L::name);
  CHECK_THAT(gaussian_scale<L>(), digits(scale, 6));
  CHECK_THAT(fit.mean_squared_error(), digits(error, 6));
  CHECK_THAT(signal_to_noise_db(fit.mean_squared_error()), digits(decibels, 3));
  for (std::size_t i = 0; i < probabilities.size(); ++i) CHECK_THAT(fit.probabilities[i], digits(probabilities[i], 3));
}

/// Probability and squared error of each level by the midpoint rule.
template <std::size_t N>
void integrate(const std::array<double, N>& levels, std::array<double, N>& probabilities, std::array<double, N>& errors) {
  const double step = 1e-4;
  for (double x = -10 + step / 2; x < 10; x += step) {
    const double weight = step * std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846);
    std::size_t nearest = 0;
    for (std::size_t i = 1; i < N; ++i)
      if (std::abs(x - levels[i]) < std::abs(x - levels[nearest])) nearest = i;
    probabilities[nearest] += weight;
    errors[nearest] += weight * (x - levels[nearest]) * (x - levels[nearest]);
  }
}

/// The least error over the outer level, and where it is.
std::array<double, 2> best_outer(double ratio) {
  double low = 0.1, high = 4;
  while (high - low > 1e-9) {
    const double third = (high - low) / 3;
    if (mirror_no_zero_error(low + third, ratio) < mirror_no_zero_error(high - third, ratio)) high -= third;
    else low += third;
  }
  return {mirror_no_zero_error(low, ratio), low};
}
}  // namespace

TEST_CASE("Every set has the Gaussian scale and error of the table", "[levels][reference]") {
  check_row<SymmetricInteger<2>>(1.048385, 0.149431, 8.256, {0.058, 0.242, 0.400, 0.300});
  check_row<MirrorNoZero>(0.995687, 0.118846, 9.250, {0.160, 0.340, 0.340, 0.160});
  check_row<PowerOfTwoMirrorNoZero>(0.376931, 0.120490, 9.191, {0.173, 0.327, 0.327, 0.173});
  check_row<FarMirrorNoZero>(0.651014, 0.158118, 8.010, {0.164, 0.336, 0.336, 0.164});
  check_row<LloydMax>(1, 0.117482, 9.300, {0.163, 0.337, 0.337, 0.163});
  check_row<NormalFloat2>(1.315750, 0.118117, 9.277, {0.167, 0.333, 0.333, 0.167});
  check_row<Ternary>(1.224006, 0.190174, 7.208);
  check_row<SymmetricInteger<3>>(0.601824, 0.040638, 13.911);
  check_row<SymmetricInteger<4>>(0.338608, 0.011864, 19.258);
}

TEST_CASE("Shares of the error: the one level above zero carries most of the integers'", "[levels][reference]") {
  const auto shares = [](const auto& cells) {
    std::vector<double> percent;
    for (const double error : cells.errors) percent.push_back(100 * error / cells.mean_squared_error());
    return percent;
  };
  const auto integers = shares(gaussian_fit<SymmetricInteger<2>>()), mirrored = shares(gaussian_fit<MirrorNoZero>());
  const std::vector<double> want_integers{5.9, 14.9, 23.6, 55.6}, want_mirrored{26.9, 23.1, 23.1, 26.9};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK_THAT(integers[i], digits(want_integers[i], 1));
    CHECK_THAT(mirrored[i], digits(want_mirrored[i], 1));
  }
}

TEST_CASE("The error without zero depends on the ratio as tabled", "[levels][reference]") {
  const double table[][3] = {{0, .190174, 1.2240},      {0.10, .157022, 1.3481}, {0.20, .129063, 1.4716},
                             {0.25, .120490, 1.5077},   {0.277, .118117, 1.5136}, {0.29977142, .117482, 1.5104},
                             {1.0 / 3, .118846, 1.4935}, {0.35, .120507, 1.4806}, {0.40, .129009, 1.4294},
                             {0.45, .141922, 1.3674},   {0.50, .158118, 1.3020}, {0.60, .196643, 1.1745},
                             {1, .363380, 0.7979}};
  for (const auto& [ratio, error, outer] : table) {
    CAPTURE(ratio);
    const auto best = best_outer(ratio);
    CHECK_THAT(best[0], digits(error, 6));
    CHECK_THAT(best[1], digits(outer, 4));
  }
}

TEMPLATE_TEST_CASE("The closed form agrees with the sum over cells", "[levels][property]", MirrorNoZero, PowerOfTwoMirrorNoZero,
                   FarMirrorNoZero, LloydMax, NormalFloat2) {
  for (const double scale : {0.01, 0.3, 1.0, 2.5}) {
    const double outer = scale * static_cast<double>(TestType::values[3]);
    const double cells = gaussian_cells(scaled_levels<TestType>(scale)).mean_squared_error();
    CHECK(std::abs(cells - mirror_no_zero_error(outer, inner_to_outer<TestType>())) <= 1e-14 * std::max(1.0, outer * outer) * 4);
  }
}

TEMPLATE_TEST_CASE("A million Gaussian numbers have the error of the table", "[levels][reference]", SymmetricInteger<2>, MirrorNoZero,
                   PowerOfTwoMirrorNoZero, FarMirrorNoZero, LloydMax, NormalFloat2, Ternary) {
  const auto levels = scaled_levels<TestType>(gaussian_scale<TestType>());
  test::Rng rng(31);
  const Index samples = 1'000'000;
  const Vector<double> x = test::normal_vector<double>(samples, rng);
  double error = 0;
  for (const double value : x) {
    double nearest = std::abs(value - levels[0]);
    for (const double level : levels) nearest = std::min(nearest, std::abs(value - level));
    error += nearest * nearest;
  }
  // The standard error of the mean is at most .002 of it: a square varies by less than twice its mean.
  CHECK_THAT(error / static_cast<double>(samples), Catch::Matchers::WithinRel(gaussian_fit<TestType>().mean_squared_error(), 0.005));
}

TEST_CASE("Cells match the midpoint rule", "[levels][reference]") {
  const std::array<double, 4> crooked{-1.7, -0.2, 0.1, 2.2};
  std::array<double, 4> probabilities{}, errors{};
  integrate(crooked, probabilities, errors);
  const auto cells = gaussian_cells(crooked);
  double pull = 0, energy = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    // An edge between two points of the rule may be off by half a step.
    CHECK_THAT(cells.probabilities[i], Catch::Matchers::WithinAbs(probabilities[i], 1e-4 * 0.4));
    CHECK_THAT(cells.errors[i], Catch::Matchers::WithinAbs(errors[i], 1e-4 * 0.4));
    energy += crooked[i] * crooked[i] * cells.probabilities[i];
  }
  CHECK_THAT(cells.energy, Catch::Matchers::WithinRel(energy, 1e-14));
  pull = (1 + cells.energy - cells.mean_squared_error()) / 2;
  CHECK_THAT(cells.pull, Catch::Matchers::WithinRel(pull, 1e-13));
  double sum = 0;
  for (const double p : cells.probabilities) sum += p;
  CHECK_THAT(sum, Catch::Matchers::WithinRel(1.0, 1e-15));
}

TEST_CASE("The best scale is a minimum, and the analysis runs at compile time", "[levels][property]") {
  constexpr double scale = gaussian_scale<MirrorNoZero>();
  constexpr double error = gaussian_fit<MirrorNoZero>().mean_squared_error();
  STATIC_REQUIRE(error < 0.11885);
  STATIC_REQUIRE(scale > 0.9956);
  for (const double factor : {0.999, 1.001})
    CHECK(gaussian_cells(scaled_levels<MirrorNoZero>(factor * scale)).mean_squared_error() > error);
  const auto cells = gaussian_fit<SymmetricInteger<4>>();
  CHECK_THAT(cells.energy, Catch::Matchers::WithinRel(cells.pull, 1e-12));
}

TEST_CASE("Lloyd-Max levels are the means of their cells", "[levels][property]") {
  const auto cells = gaussian_cells(scaled_levels<LloydMax>(1));
  const double edge = (static_cast<double>(LloydMax::values[2]) + static_cast<double>(LloydMax::values[3])) / 2;
  CHECK_THAT(normal_density(edge) / cells.probabilities[3], Catch::Matchers::WithinAbs(static_cast<double>(LloydMax::values[3]), 1e-7));
  CHECK_THAT((normal_density(0) - normal_density(edge)) / cells.probabilities[2],
             Catch::Matchers::WithinAbs(static_cast<double>(LloydMax::values[2]), 1e-7));
}
