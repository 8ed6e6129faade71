#include <basin/transform/gaussianity.hpp>  // first: proves the header stands alone

#include <cmath>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using namespace basin;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("Gaussian rows look Gaussian, whatever their mean and scale", "[transform][property]") {
  test::Rng rng(1);
  Matrix<double> weight = test::normal_matrix<double>(32, 2048, rng);
  const auto plain = gaussianity<double>(weight);
  const double n = 32 * 2048;
  CHECK(std::abs(plain.skewness) < 4 * std::sqrt(6 / n));
  CHECK(std::abs(plain.excess_kurtosis + 6 / 2049.0) < 4 * std::sqrt(24 / n));
  CHECK(plain.quantile_error < 0.03);
  CHECK(plain.largest_mean_ratio < 4 / std::sqrt(2048.0));
  CHECK(plain.median_mean_ratio < plain.largest_mean_ratio);
  for (Index o = 0; o < 32; ++o) weight.row(o) = weight.row(o).array() * std::exp2(o - 16);
  const auto scaled = gaussianity<double>(weight);
  CHECK(scaled.skewness == plain.skewness);
  CHECK(scaled.quantile_error == plain.quantile_error);
  weight.array() += 1e3;
  CHECK(gaussianity<double>(weight).largest_mean_ratio > 1e7);
}

TEST_CASE("Two values have the moments of a coin", "[transform][reference]") {
  Matrix<float> weight(2, 4);
  weight << 1, 2, 1, 2, -3, 5, 5, -3;
  const auto coin = gaussianity<float>(weight);
  CHECK_THAT(coin.skewness, WithinAbs(0, 1e-12));
  CHECK_THAT(coin.excess_kurtosis, WithinRel(-2.0, 1e-12));
  CHECK_THAT(coin.largest_mean_ratio, WithinRel(3.0, 1e-12));
  CHECK_THAT(coin.median_mean_ratio, WithinRel(3.0, 1e-12));
  // z = -1 and 1 four times each, against Phi^-1((i + 1/2) / 8).
  const double quantiles[] = {0.15731068461017, 0.48877641111467, 0.88714655901888, 1.5341205443525};
  double sum = 0;
  for (const double q : quantiles) sum += (1 - q) * (1 - q);
  CHECK_THAT(coin.quantile_error, WithinRel(std::sqrt(sum / 4), 1e-9));
  Matrix<double> three(1, 3);
  three << 0, 0, 3;  // z = -1, -1, 2 over sqrt(2)
  const double outer = 0.96742156610170, half = std::sqrt(0.5);
  const double squares = (outer - half) * (outer - half) + half * half + (2 * half - outer) * (2 * half - outer);
  CHECK_THAT(gaussianity<double>(three).quantile_error, WithinRel(std::sqrt(squares / 3), 1e-6));
  weight << 0, 0, 0, 4, 0, 0, 0, 4;
  CHECK(gaussianity<float>(weight).skewness > 1);
}

TEST_CASE("Heavy tails show", "[transform][property]") {
  test::Rng rng(2);
  Matrix<double> weight = test::normal_matrix<double>(4, 4096, rng);
  weight = weight.array().cube();
  const auto heavy = gaussianity<double>(weight);
  CHECK(heavy.excess_kurtosis > 10);
  CHECK(heavy.quantile_error > 0.3);
}

TEST_CASE("An odd number of entries and more than there are places are compared too", "[transform][property]") {
  test::Rng rng(3);
  CHECK(gaussianity<double>(test::normal_matrix<double>(1, 9999, rng)).quantile_error < 0.05);
  const Matrix<float> large = test::normal_matrix<float>(30, 5001, rng);
  const auto found = gaussianity<float>(large);
  CHECK(found.quantile_error < 0.02);
  test::Threads threads{3};
  CHECK(gaussianity<float>(large, {.executor = threads}).quantile_error == found.quantile_error);
  CHECK(gaussianity<float>(large, {.executor = threads}).excess_kurtosis == found.excess_kurtosis);
}

TEST_CASE("Constant rows are left out", "[transform][property]") {
  test::Rng rng(4);
  Matrix<double> weight = test::normal_matrix<double>(3, 100, rng);
  const Matrix<double> alone = weight.row(1);
  weight.row(0).setZero();
  weight.row(2).setConstant(0.1);
  CHECK(gaussianity<double>(weight).excess_kurtosis == gaussianity<double>(alone).excess_kurtosis);
  CHECK(gaussianity<double>(Matrix<double>::Ones(2, 5)).quantile_error == 0);
  CHECK(gaussianity<double>(Matrix<double>(0, 5)).excess_kurtosis == 0);
}
