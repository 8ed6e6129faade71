#include <basin/metric/conditional_blocks.hpp>  // first: proves the header stands alone

#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/metric/tempered_blocks.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/LU>

#include <limits>
#include <tuple>

#include "laws/metric_policy_laws.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using basin::Index;
using Catch::Matchers::WithinRel;
using Dense = basin::Matrix<double>;

namespace {
using Policies = std::tuple<basin::DiagonalBlocks, basin::TemperedBlocks, basin::ConditionalBlocks,
                            basin::EuclideanBlocks>;

/// H_jj - H_jr H_rr^-1 H_rj, the other way to a Schur complement, by full-pivot LU.
Dense schur_complement(const Dense& h, Index begin, Index size) {
  const Index n = h.rows(), rest = n - size;
  Dense cross(size, rest), others(rest, rest);
  const auto index = [&](Index i) { return i < begin ? i : i + size; };
  for (Index i = 0; i < rest; ++i) {
    for (Index a = 0; a < size; ++a) cross(a, i) = h(begin + a, index(i));
    for (Index k = 0; k < rest; ++k) others(i, k) = h(index(i), index(k));
  }
  const Dense own = h.block(begin, begin, size, size);
  if (rest == 0) return own;
  return own - cross * others.fullPivLu().solve(cross.transpose());
}
}  // namespace

TEMPLATE_LIST_TEST_CASE("Metric policies obey their laws", "[metric][property]", Policies) {
  basin::test::check_metric_policy_laws(TestType{});
}

TEST_CASE("DiagonalBlocks damps by a hundredth of the mean diagonal", "[metric][reference]") {
  const basin::test::F7 f7;
  const auto blocks = basin::DiagonalBlocks{}.blocks(f7.hessian, 4);
  const double damping = blocks.block(1)(2, 2) - f7.hessian(6, 6);
  CHECK_THAT(damping, WithinRel(.112359550107, 1e-9));
  Dense want = f7.hessian.block(8, 8, 4, 4);
  want.diagonal().array() += basin::relative_damping(f7.hessian, 0.01);
  CHECK(blocks.block(2) == want);
  CHECK(basin::DiagonalBlocks{0}.blocks(f7.hessian, 4).block(3) == f7.hessian.bottomRightCorner(4, 4));
}

TEST_CASE("TemperedBlocks adds tau times one mean for the whole layer", "[metric][reference]") {
  const basin::test::F7 f7;
  const auto blocks = basin::TemperedBlocks{2.5}.blocks(f7.hessian, 4);
  for (Index j = 0; j < 4; ++j) {
    Dense want = f7.hessian.block(4 * j, 4 * j, 4, 4);
    want.diagonal().array() += 2.5 * f7.hessian.trace() / 16;
    CHECK((blocks.block(j) - want).norm() <= 1e-15 * want.norm());
  }
}

TEST_CASE("ConditionalBlocks are Schur complements of the damped Hessian", "[metric][reference]") {
  const Index n_in = GENERATE(5, 16, 300);
  const Index g = GENERATE(1, 3, 8);
  const double lambda = GENERATE(0.01, 0.1, 10.0);
  CAPTURE(n_in, g, lambda);
  basin::test::Rng rng(61);
  const Dense inputs = basin::test::normal_matrix<double>(n_in / 2 + 3, n_in, rng);
  const Dense hessian = inputs.transpose() * inputs / static_cast<double>(inputs.rows());
  const auto blocks = basin::ConditionalBlocks{lambda}.blocks(hessian, g);
  basin::test::Threads threads{2};
  const auto pooled = basin::ConditionalBlocks{lambda}.blocks(hessian, g, {.executor = threads});
  for (Index j = 0; j < blocks.num_groups(); ++j) CHECK(pooled.block(j) == blocks.block(j));
  Dense damped = hessian;
  damped.diagonal().array() += basin::relative_damping(hessian, lambda);
  for (const Index j : {Index{0}, (n_in / g) / 2, blocks.num_groups() - 1}) {
    const Index real = std::min(g, n_in - j * g);
    const Dense want = schur_complement(damped, j * g, real);
    CHECK((blocks.block(j).topLeftCorner(real, real) - want).norm() <= 1e-10 * want.norm());
    // Freedom of the others can only lower the cost.
    const Dense own = damped.block(j * g, j * g, real, real);
    const Eigen::SelfAdjointEigenSolver<Dense> gain(own - blocks.block(j).topLeftCorner(real, real));
    CHECK(gain.eigenvalues().minCoeff() >= -1e-10 * own.norm());
  }
}

TEST_CASE("ConditionalBlocks are the least cost over what the other groups do", "[metric][property]") {
  basin::test::Rng rng(62);
  const Dense hessian = basin::test::spd_matrix<double>(9, 100.0, rng);
  const auto blocks = basin::ConditionalBlocks{0}.blocks(hessian, 3);
  const Dense own = basin::test::normal_matrix<double>(1, 3, rng);
  const double least = (own * blocks.block(1) * own.transpose())(0, 0);
  const auto cost = [&](const Dense& r) { return (r * hessian * r.transpose())(0, 0); };
  for (int repeat = 0; repeat < 50; ++repeat) {
    Dense error = basin::test::normal_matrix<double>(1, 9, rng);
    error.middleCols(3, 3) = own;
    CHECK(cost(error) >= least * (1 - 1e-12));
  }
}

TEST_CASE("ConditionalBlocks tend to the identity and take singular Hessians", "[metric][property]") {
  basin::test::Rng rng(63);
  const Dense token = basin::test::normal_matrix<double>(1, 12, rng);
  const Dense rank1 = token.transpose() * token;
  const double mean = basin::mean_diagonal(rank1);
  const auto flat = basin::ConditionalBlocks{1e8}.blocks(rank1, 4);
  CHECK((flat.block(1) / (1e8 * mean) - Dense::Identity(4, 4)).norm() <= 1e-7);
  const auto sharp = basin::ConditionalBlocks{0}.blocks(rank1, 4);  // needs damping, and finds it
  CHECK(sharp.block(2).allFinite());
  CHECK(sharp.block(2).diagonal().minCoeff() > 0);
}

TEST_CASE("H only PSD: damped_cholesky raises the damping tenfold until it works", "[metric][reference][pitfall]") {
  basin::test::Rng rng(64);
  const Dense spd = basin::test::spd_matrix<double>(6, 10.0, rng);
  const auto plain = basin::damped_cholesky(spd, 0);
  CHECK(plain.damping == 0);
  CHECK((plain.lower * plain.lower.transpose() - spd).norm() <= 1e-14 * spd.norm());
  CHECK(plain.lower(0, 5) == 0);

  Dense indefinite = Dense::Identity(4, 4);
  indefinite(3, 3) = -0.005;
  const auto lifted = basin::damped_cholesky(indefinite, 0.001);
  CHECK_THAT(lifted.damping, WithinRel(0.01, 1e-12));
  Dense shifted = indefinite;
  shifted.diagonal().array() += lifted.damping;
  CHECK((lifted.lower * lifted.lower.transpose() - shifted).norm() <= 1e-14);
  CHECK(basin::damped_cholesky(Dense::Ones(5, 5), 0).damping <= 1e-9);
}

TEST_CASE("Metric policies name what is wrong with a Hessian or a damping", "[metric][bad-input]") {
  CHECK_THROWS_WITH(basin::damped_cholesky(-Dense::Identity(3, 3), 0.01),
                    basin::test::contains_text("not positive definite"));
  CHECK_THROWS_AS(basin::damped_cholesky(Dense::Zero(3, 3), 0), basin::ValueError);
  CHECK_THROWS_AS(basin::damped_cholesky(Dense::Ones(2, 3), 0), basin::ShapeError);
  CHECK_THROWS_WITH(basin::DiagonalBlocks{}.blocks(Dense::Ones(2, 3), 2),
                    basin::test::contains_text("[2, 3]"));
  CHECK_THROWS_AS(basin::ConditionalBlocks{}.blocks(Dense::Ones(2, 3), 2), basin::ShapeError);
  CHECK_THROWS_AS(basin::TemperedBlocks{}.blocks(Dense::Identity(4, 4), 0), basin::ShapeError);
  CHECK_THROWS_AS(basin::EuclideanBlocks::identity(0, 4), basin::ShapeError);
  for (const double bad :
       {-0.1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(basin::DiagonalBlocks{bad}.blocks(Dense::Identity(4, 4), 2), basin::ValueError);
    CHECK_THROWS_AS(basin::ConditionalBlocks{bad}.blocks(Dense::Identity(4, 4), 2), basin::ValueError);
  }
}
