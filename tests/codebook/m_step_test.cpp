#include <basin/codebook/m_step.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <numbers>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::ClusterStatistics;
using basin::Index;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using Dense = basin::Matrix<double>;

namespace {
/// Statistics of `size` codewords in use, of cond(A) = 100.
ClusterStatistics random_statistics(Index size, Index g, Index g_out, basin::test::Rng& rng) {
  ClusterStatistics statistics(size, g * g_out, g);
  for (Index k = 0; k < size; ++k) {
    const Dense a = basin::test::spd_matrix<double>(g, 100, rng);
    statistics.a.row(k) = a.reshaped<Eigen::RowMajor>().transpose();
    statistics.y.row(k) = basin::test::normal_matrix<double>(1, g * g_out, rng);
    statistics.count[static_cast<std::size_t>(k)] = 1;
  }
  return statistics;
}
}  // namespace

TEST_CASE("dead codewords: exact_m_step solves the normal equations of codewords in use", "[codebook][reference][pitfall]") {
  const Index g = GENERATE(1, 3, 8), g_out = GENERATE(1, 2);
  basin::test::Rng rng(82);
  ClusterStatistics statistics = random_statistics(70, g, g_out, rng);
  statistics.count[65] = 0;
  const Dense before = basin::test::normal_matrix<double>(70, g * g_out, rng);
  Dense codewords = before;
  basin::exact_m_step(statistics, codewords);
  for (Index k = 0; k < 70; ++k) {
    if (k == 65) {
      CHECK(codewords.row(k) == before.row(k));
      continue;
    }
    const Dense a = statistics.normal_matrix(k), y = statistics.right_side(k);
    const Dense c = basin::ConstMatrixMap<double>(codewords.row(k).data(), g_out, g);
    CHECK((c * a - y).norm() <= 1e-10 * (a.norm() * c.norm() + y.norm()));
  }
  Dense shared = before;
  basin::test::Threads threads{2};
  basin::exact_m_step(statistics, shared, {.executor = threads});
  CHECK(shared == codewords);
}

TEST_CASE("exact_m_step stays put where the metric sees nothing", "[codebook][property]") {
  ClusterStatistics statistics(1, 3, 3);
  statistics.a(0, 0) = 4;  // the second and third coordinate cost nothing
  statistics.y(0, 0) = 8;
  statistics.count[0] = 2;
  Dense codewords = Dense::Constant(1, 3, -5.0);
  basin::exact_m_step(statistics, codewords);
  CHECK_THAT(codewords(0, 0), WithinRel(2.0, 1e-9));
  CHECK_THAT(codewords(0, 1), WithinAbs(-5.0, 1e-9));
  CHECK_THAT(codewords(0, 2), WithinAbs(-5.0, 1e-9));
}

TEST_CASE("extreme condition numbers: exact_m_step keeps its residual up to cond(A) = 1e14", "[codebook][property][pitfall]") {
  const double cond = GENERATE(1e6, 1e10, 1e14);
  CAPTURE(cond);
  basin::test::Rng rng(85);
  ClusterStatistics statistics(20, 8, 8);
  for (Index k = 0; k < 20; ++k) {
    statistics.a.row(k) = basin::test::spd_matrix<double>(8, cond, rng).reshaped<Eigen::RowMajor>().transpose();
    statistics.y.row(k) = basin::test::normal_matrix<double>(1, 8, rng);
    statistics.count[static_cast<std::size_t>(k)] = 1;
  }
  Dense codewords = Dense::Zero(20, 8);
  basin::exact_m_step(statistics, codewords);
  REQUIRE(codewords.allFinite());
  for (Index k = 0; k < 20; ++k) {
    const Dense a = statistics.normal_matrix(k), y = statistics.right_side(k), c = codewords.row(k);
    CHECK((c * a - y).norm() <= 1e-8 * (a.norm() * c.norm() + y.norm()));
  }
}

TEST_CASE("adam_m_step walks as the formula says", "[codebook][reference]") {
  ClusterStatistics statistics(1, 1, 1);
  statistics.a(0, 0) = 3;
  statistics.y(0, 0) = 6;
  statistics.count[0] = 5;
  const basin::AdamSteps adam{.steps = 7, .learning_rate = 0.05};
  double c = 1, first = 0, second = 0;
  for (int t = 0; t < 7; ++t) {
    const double gradient = 2 * (3 * c - 6) / 5;
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient * gradient;
    const double rate = 0.05 * (0.1 + 0.9 * (1 + std::cos(std::numbers::pi * t / 7)) / 2);
    c -= rate * (first / (1 - std::pow(0.9, t + 1))) / (std::sqrt(second / (1 - std::pow(0.999, t + 1))) + 1e-8);
  }
  Dense codewords = Dense::Constant(1, 1, 1.0);
  basin::adam_m_step(statistics, adam, 5, codewords);
  CHECK_THAT(codewords(0, 0), WithinRel(c, 1e-12));
}
