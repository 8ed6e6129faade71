#include <basin/metric/block_ldl.hpp>  // first: proves the header stands alone

#include <Eigen/LU>

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::block_ldl;
using basin::BlockLdl;
using basin::Index;
using Dense = basin::Matrix<double>;

namespace {
/// blockdiag(D), [n, n].
Dense whole_diagonal(const BlockLdl& factors) {
  const Index n = factors.diagonal.rows(), b = factors.diagonal.cols();
  Dense whole = Dense::Zero(n, n);
  for (Index i = 0; i < n; i += b) whole.block(i, i, b, b) = factors.diagonal.middleRows(i, b);
  return whole;
}
}  // namespace

TEST_CASE("block_ldl factors a damped H into T blockdiag(D) T^T", "[metric][reference]") {
  const Index b = GENERATE(1, 2, 8), blocks = GENERATE(1, 2, 5, 17);
  const Index n = b * blocks;
  CAPTURE(b, n);
  basin::test::Rng rng(91);
  const Dense h = basin::test::spd_matrix<double>(n, 100, rng);
  const BlockLdl factors = block_ldl(h, 0.05, b);
  CHECK(std::abs(factors.damping - 0.05 * h.trace() / static_cast<double>(n)) <= 1e-15);
  const Dense upper = factors.upper();
  const Dense want = h + factors.damping * Dense::Identity(n, n);
  // The Cholesky factor is n eps tr(H) away; dividing by its diagonal blocks costs their condition number.
  CHECK((upper * whole_diagonal(factors) * upper.transpose() - want).norm() <=
        100 * static_cast<double>(n) * std::numeric_limits<double>::epsilon() * want.trace());
  for (Index i = 0; i < n; i += b) {
    CHECK(upper.block(i, i, b, b) == Dense::Identity(b, b));
    CHECK(upper.block(i, 0, b, i).isZero(0));
  }
}

TEST_CASE("block_ldl has what GPTQ takes from the inverse of H", "[metric][reference]") {
  basin::test::Rng rng(92);
  const Index n = 40;
  const Dense h = basin::test::spd_matrix<double>(n, 50, rng);
  const BlockLdl factors = block_ldl(h, 0.01);
  const Dense damped = h + factors.damping * Dense::Identity(n, n);
  const Dense u = damped.inverse().llt().matrixU();  // H^-1 = U^T U
  const double bound = 100 * 50 * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  for (Index k = 0; k < n; ++k) CHECK(std::abs(factors.diagonal(k, 0) * u(k, k) * u(k, k) - 1) <= bound);
  const Dense from_inverse = u.diagonal().cwiseInverse().asDiagonal() * u;
  CHECK((Dense(factors.upper()) * from_inverse - Dense::Identity(n, n)).norm() <= bound);
}

TEST_CASE("block_ldl places inputs in the order asked for", "[metric][property]") {
  basin::test::Rng rng(93);
  const Dense h = basin::test::spd_matrix<double>(6, 10, rng);
  const std::vector<Index> order{4, 1, 5, 0, 2, 3};
  Dense moved(6, 6);
  for (Index i = 0; i < 6; ++i)
    for (Index j = 0; j < 6; ++j) moved(i, j) = h(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  const BlockLdl placed = block_ldl(h, 0, 2, order), natural = block_ldl(moved, 0, 2);
  CHECK(placed.backwards == natural.backwards);
  CHECK(placed.diagonal == natural.diagonal);
}

TEST_CASE("block_ldl gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(94);
  const Dense h = basin::test::spd_matrix<double>(200, 1e3, rng);
  const Index b = GENERATE(1, 8);
  const BlockLdl serial = block_ldl(h, 0.01, b);
  basin::test::Threads threads{3};
  const BlockLdl pooled = block_ldl(h, 0.01, b, {}, {.executor = threads});
  CHECK(pooled.backwards == serial.backwards);
  CHECK(pooled.diagonal == serial.diagonal);
}

TEST_CASE("H only PSD: block_ldl finds the damping that a singular H needs", "[metric][property][pitfall]") {
  Dense ones = Dense::Ones(12, 12);  // rank 1
  const BlockLdl factors = block_ldl(ones, 0);
  CHECK(factors.damping > 0);
  CHECK(factors.damping <= 1e-9);
  CHECK(factors.backwards.allFinite());
  const BlockLdl none = block_ldl(Dense::Zero(12, 12), 0.01, 4);
  CHECK(none.damping == 0);
  CHECK(Dense(none.upper()) == Dense::Identity(12, 12));
  CHECK(none.diagonal.isZero(0));
}

TEST_CASE("block_ldl names what is wrong with a Hessian", "[metric][bad-input]") {
  using basin::test::contains_text;
  CHECK_THROWS_AS(block_ldl(Dense::Ones(2, 3), 0.01), basin::ShapeError);
  CHECK_THROWS_WITH(block_ldl(Dense::Identity(6, 6), 0.01, 4), contains_text("blocks of 4 inputs do not divide the 6"));
  CHECK_THROWS_AS(block_ldl(Dense::Identity(6, 6), 0.01, 0), basin::ShapeError);
  CHECK_THROWS_WITH(block_ldl(Dense::Identity(6, 6), -0.01), contains_text("damping"));
  CHECK_THROWS_WITH(block_ldl(-Dense::Identity(6, 6), 0.01), contains_text("not positive definite"));
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 3.0}) {
    Dense h = Dense::Identity(6, 6);
    h(1, 4) = bad;
    CHECK_THROWS_WITH(block_ldl(h, 0.01), contains_text(std::isfinite(bad) ? "symmetric" : "H[1, 4] is not finite"));
  }
}
