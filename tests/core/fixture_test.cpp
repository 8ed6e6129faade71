#include "support/fixture.hpp"

#include <algorithm>
#include <cmath>

#include "support/catch.hpp"
#include "support/reference.hpp"

using Catch::Matchers::WithinRel;

TEST_CASE("The standard fixture has its golden numbers", "[core][reference]") {
  const basin::test::F7 f;
  CHECK_THAT(f.weight(0, 0), WithinRel(0.988474332319, 1e-9));
  CHECK_THAT(f.weight(0, 1), WithinRel(-1.86425580673, 1e-9));
  CHECK_THAT(f.weight(0, 2), WithinRel(0.00392020721519, 1e-9));
  CHECK_THAT(f.weight(0, 3), WithinRel(-0.529270700474, 1e-9));
  CHECK_THAT(f.weight.sum(), WithinRel(8.66886207781, 1e-9));
  CHECK_THAT(f.hessian.trace(), WithinRel(179.77528017, 1e-9));
  CHECK_THAT(f.hessian(0, 1), WithinRel(0.665462227441, 1e-9));
  CHECK_THAT(0.01 * f.hessian.trace() / 16, WithinRel(0.112359550107, 1e-9));
  const auto zero = basin::Matrix<double>::Zero(8, 16);
  CHECK_THAT(static_cast<double>(basin::test::layer_loss(f.weight, zero, f.hessian)),
             WithinRel(1749.90732243, 1e-9));
}

TEST_CASE("spd_matrix has the condition number asked for", "[core][property]") {
  basin::test::Rng rng(3);
  const int n = GENERATE(1, 2, 5, 16);
  const auto h = basin::test::spd_matrix<double>(n, 100.0, rng);
  CHECK(h == h.transpose());
  // Eigenvalues run from 1 to 0.01: the trace and the Frobenius norm name them.
  double trace = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double eigenvalue = n == 1 ? 1 : std::pow(100.0, -double(i) / (n - 1));
    trace += eigenvalue;
    squares += eigenvalue * eigenvalue;
  }
  CHECK_THAT(h.trace(), WithinRel(trace, 1e-12));
  CHECK_THAT(h.squaredNorm(), WithinRel(squares, 1e-12));
}

TEST_CASE("A synthetic layer has correlated inputs of unequal scale", "[core][property]") {
  basin::test::Rng rng(5);
  const auto layer = basin::test::synthetic_layer(64, 64, rng);
  CHECK(layer.hessian == layer.hessian.transpose());
  const auto diagonal = layer.hessian.diagonal();
  CHECK(diagonal.maxCoeff() > 20 * diagonal.minCoeff());
  double largest = 0;
  for (basin::Index i = 0; i < 64; ++i)
    for (basin::Index j = 0; j < i; ++j)
      largest = std::max(largest, std::abs(layer.hessian(i, j)) / std::sqrt(diagonal(i) * diagonal(j)));
  CHECK(largest > 0.3);
  CHECK(largest < 1);
}
