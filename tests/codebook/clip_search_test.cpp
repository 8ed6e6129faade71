#include <basin/codebook/clip_search.hpp>  // first: proves the header stands alone

#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/far_mirror_no_zero.hpp>
#include <basin/levels/gaussian.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stop_token>
#include <string_view>
#include <tuple>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using namespace basin;
using Catch::Matchers::WithinRel;

namespace {
/// Only negative levels: nothing to divide by above zero.
struct Below {
  static constexpr std::string_view name = "below";
  static constexpr std::array<float, 3> values{-3.0f, -1.0f, 0.0f};
};
using Sets = std::tuple<MirrorNoZero, PowerOfTwoMirrorNoZero, Ternary, SymmetricInteger<2>, SymmetricInteger<4>, AsymmetricInteger<2>,
                        AsymmetricInteger<4>, Below>;

struct Found {
  double scale, zero_point, error;
};
template <LevelSet L>
double reference_error(const Vector<double>& row, double scale, double zero_point, double exponent) {
  double error = 0;
  for (const double w : row) {
    double least = std::numeric_limits<double>::infinity();
    for (const float level : L::values)
      least = std::min(least, std::abs(w - scale * (static_cast<double>(level) - zero_point)));
    error += std::pow(least, exponent);
  }
  return error;
}
/// The definition, candidate by candidate.
template <LevelSet L>
Found reference(const Vector<double>& row, int grid, int candidates, double exponent) {
  const double low = std::min(0.0, row.minCoeff()), high = std::max(0.0, row.maxCoeff());
  const double reach = L::values.back() > 0 ? static_cast<double>(L::values.back()) : -static_cast<double>(L::values.front());
  const double largest = ShiftedLevelSet<L> ? (high - low) / reach : std::max(high, -low) / reach;
  const double zero_point = ShiftedLevelSet<L> ? std::nearbyint(-low / largest) : 0;
  Found best{0, zero_point, std::numeric_limits<double>::infinity()};
  for (int i = 0; i < candidates; ++i) {
    const double scale = (1 - static_cast<double>(i) / grid) * largest;
    const double error = reference_error<L>(row, scale, zero_point, exponent);
    if (error < best.error) best = {scale, zero_point, error};
  }
  return best;
}
template <LevelSet L>
double relative_error(const Matrix<float>& weight, ErrorPower power) {
  const auto found = ClipSearch{.power = power}.search<L, float>(weight);
  double error = 0;
  for (Index o = 0; o < weight.rows(); ++o)
    for (Index i = 0; i < weight.cols(); ++i) {
      double least = std::numeric_limits<double>::infinity();
      for (const float level : L::values) least = std::min(least, std::abs(static_cast<double>(weight(o, i) - found.scales(o) * level)));
      error += least * least;
    }
  return error / weight.cast<double>().squaredNorm();
}
}  // namespace

TEST_CASE("The scale search has its golden numbers", "[codebook][reference]") {
  const test::F7 f7;
  const auto squared = ClipSearch{.power = ErrorPower::squared}.search<MirrorNoZero, double>(f7.weight);
  CHECK_THAT(squared.errors(0), WithinRel(1.96966982932, 1e-9));
  CHECK_THAT(squared.scales(0), WithinRel(1.28827123811, 1e-9));
  CHECK_THAT(squared.scales(0), WithinRel((1 - 0.23) * f7.weight.row(0).cwiseAbs().maxCoeff() / 1.5, 1e-14));
  const auto other = ClipSearch{}.search<MirrorNoZero, double>(f7.weight);
  CHECK_THAT(other.errors(0), WithinRel(1.47050851498, 1e-9));
  CHECK_THAT(other.scales(0), WithinRel(1.28827123811, 1e-9));
  CHECK(other.zero_points.size() == 0);
}

TEMPLATE_LIST_TEST_CASE("The scale search finds what its definition says", "[codebook][reference]", Sets) {
  test::Rng rng(3);
  // Rows below, at and beyond a chunk.
  const Index n_in = GENERATE(1, 2, 15, 16, 33, 512, 700);
  const int grid = GENERATE(10, 100);
  CAPTURE(n_in, grid);
  const Matrix<double> weight = test::normal_matrix<double>(3, n_in, rng);
  for (const ErrorPower power : {ErrorPower::squared, ErrorPower::power_2_4}) {
    const auto found = ClipSearch{.grid = grid, .max_shrink = 0.6, .power = power}.template search<TestType, double>(weight);
    const auto single = ClipSearch{.grid = grid, .max_shrink = 0.6, .power = power}.template search<TestType, float>(weight.cast<float>());
    for (Index o = 0; o < weight.rows(); ++o) {
      const double exponent = power == ErrorPower::squared ? 2 : 2.4;
      const Vector<double> row = weight.row(o).transpose();
      const Found want = reference<TestType>(row, grid, grid * 6 / 10, exponent);
      const double rounding = 64 * 2.3e-16 * (want.error + row.cwiseAbs().sum());
      CHECK(std::abs(found.errors(o) - want.error) <= rounding);
      CHECK(reference_error<TestType>(row, found.scales(o), want.zero_point, exponent) <= want.error + rounding);
      if (ShiftedLevelSet<TestType>) CHECK(found.zero_points(o) == want.zero_point);
      // In float another candidate may win by rounding, but then it is as good.
      CHECK(std::abs(single.errors(o) - want.error) <= 64 * 1.2e-7 * (want.error + row.cwiseAbs().sum()));
    }
  }
}

TEST_CASE("On Gaussian rows every set reaches the error of its closed form", "[codebook][reference]") {
  test::Rng rng(11);
  const Matrix<float> weight = test::normal_matrix<float>(256, 4096, rng);
  const auto check = [&](auto set, double squared, double power_2_4) {
    using Set = decltype(set);
    CAPTURE(Set::name);
    CHECK_THAT(relative_error<Set>(weight, ErrorPower::squared), WithinRel(squared, 0.006));
    CHECK_THAT(relative_error<Set>(weight, ErrorPower::squared), WithinRel(gaussian_fit<Set>().mean_squared_error(), 0.006));
    CHECK_THAT(relative_error<Set>(weight, ErrorPower::power_2_4), WithinRel(power_2_4, 0.006));
  };
  check(SymmetricInteger<2>{}, 0.1492, 0.1509);
  check(MirrorNoZero{}, 0.1188, 0.1200);
  check(PowerOfTwoMirrorNoZero{}, 0.1204, 0.1215);
  check(FarMirrorNoZero{}, 0.1579, 0.1591);
}

TEST_CASE("The scale search is row by row, follows the scale of W, and is the same on any threads", "[codebook][property]") {
  test::Rng rng(5);
  const Matrix<float> weight = test::normal_matrix<float>(20, 100, rng);
  const ClipSearch search;
  const auto found = search.search<MirrorNoZero, float>(weight);
  for (const Index count : {Index{2}, Index{7}}) {
    test::Threads threads{count};
    const auto again = search.search<MirrorNoZero, float>(weight, {.executor = threads});
    CHECK(again.scales == found.scales);
    CHECK(again.errors == found.errors);
  }
  const Matrix<float> alone = weight.row(13);
  CHECK(search.search<MirrorNoZero, float>(alone).scales(0) == found.scales(13));
  for (const float factor : {0x1p-100f, 0x1p60f}) {
    const Matrix<float> scaled = factor * weight;
    CHECK(search.search<MirrorNoZero, float>(scaled).scales == factor * found.scales);
  }
  const Matrix<float> mirrored = -weight;
  CHECK(search.search<MirrorNoZero, float>(mirrored).scales == found.scales);
}

TEST_CASE("Of equally good scales the largest wins", "[codebook][property]") {
  Matrix<double> weight(1, 2);
  weight << 1.5, -0.5;
  CHECK(ClipSearch{}.search<MirrorNoZero, double>(weight).scales(0) == 1);
  // Both -1 * 2 and -2 * 1 are exact.
  weight << -2, -2;
  CHECK(ClipSearch{}.search<SymmetricInteger<2>, double>(weight).scales(0) == 2);
}

TEST_CASE("scale eps and zero rows: levels without zero get scale zero, subnormal rows a finite one", "[codebook][property][pitfall]") {
  Matrix<float> weight = Matrix<float>::Zero(3, 5);
  weight(1, 2) = 1e-42f;
  weight(2, 0) = std::numeric_limits<float>::denorm_min();
  const auto found = ClipSearch{}.search<MirrorNoZero, float>(weight);
  CHECK(found.scales(0) == 0);
  CHECK(found.errors(0) == 0);
  CHECK(found.scales.allFinite());
  CHECK(found.scales(1) > 0);
  const auto shifted = ClipSearch{}.search<AsymmetricInteger<2>, float>(weight);
  CHECK(shifted.scales(0) == 0);
  CHECK(shifted.zero_points(0) == 0);
  CHECK(shifted.scales.allFinite());
}

TEST_CASE("Zero points are those of GPTQ", "[codebook][reference]") {
  Matrix<double> weight(3, 4);
  weight << -1, 0.2, 1.9, 0.5,  // (1.9 + 1) / 3 and round(1 / 0.9667)
      1, 2, 3, 4,               // zero stays reachable
      -4, -3, -2, -1;
  const auto found = ClipSearch{.max_shrink = 0.01}.search<AsymmetricInteger<2>, double>(weight);
  CHECK_THAT(found.scales(0), WithinRel(2.9 / 3, 1e-15));
  CHECK(found.zero_points(0) == 1);
  CHECK_THAT(found.scales(1), WithinRel(4.0 / 3, 1e-15));
  CHECK(found.zero_points(1) == 0);
  CHECK_THAT(found.scales(2), WithinRel(4.0 / 3, 1e-15));
  CHECK(found.zero_points(2) == 3);
}

TEST_CASE("The scale search refuses what it cannot search", "[codebook][bad-input]") {
  Matrix<float> weight = Matrix<float>::Ones(2, 3);
  CHECK_THROWS_AS((ClipSearch{.grid = 0}.search<MirrorNoZero, float>(weight)), ValueError);
  CHECK_THROWS_WITH((ClipSearch{.max_shrink = 0.001}.search<MirrorNoZero, float>(weight)), test::contains_text("got 100 and 0.001"));
  CHECK_THROWS_AS((ClipSearch{.max_shrink = 1.5}.search<MirrorNoZero, float>(weight)), ValueError);
  CHECK_THROWS_AS((ClipSearch{.max_shrink = NAN}.search<MirrorNoZero, float>(weight)), ValueError);
  CHECK_NOTHROW(ClipSearch{.max_shrink = 1}.search<MirrorNoZero, float>(weight));
  for (const float bad : {NAN, INFINITY}) {
    weight(1, 2) = bad;
    CHECK_THROWS_WITH((ClipSearch{}.search<MirrorNoZero, float>(weight)), test::contains_text("W[1, 2] is not finite"));
  }
  std::stop_source stopped;
  stopped.request_stop();
  CHECK_THROWS_AS((ClipSearch{}.search<MirrorNoZero, float>(Matrix<float>::Ones(1, 1), {.stop = stopped.get_token()})), Cancelled);
}
