#include <basin/metric/cholesky.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>
#include <optional>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::shifted_cholesky;
using Dense = basin::Matrix<double>;

namespace {
/// L L^T = H + shift I by three loops in long double.
Dense plain_cholesky(const Dense& h, double shift) {
  const Index n = h.rows();
  Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> lower = decltype(lower)::Zero(n, n);
  for (Index j = 0; j < n; ++j)
    for (Index i = j; i < n; ++i) {
      long double sum = static_cast<long double>(h(i, j)) + (i == j ? static_cast<long double>(shift) : 0);
      for (Index k = 0; k < j; ++k) sum -= lower(i, k) * lower(j, k);
      lower(i, j) = i == j ? std::sqrt(sum) : sum / lower(j, j);
    }
  return lower.cast<double>();
}
}  // namespace

TEST_CASE("shifted_cholesky is the factorization by three loops", "[metric][reference]") {
  const Index n = GENERATE(0, 1, 7, 127, 128, 129, 300);
  const double shift = GENERATE(0.0, 0.25);
  CAPTURE(n, shift);
  basin::test::Rng rng(71);
  Dense h = basin::test::spd_matrix<double>(n, 100, rng);
  const std::optional<Dense> lower = shifted_cholesky(h, shift);
  REQUIRE(lower);
  Dense shifted = h;
  shifted.diagonal().array() += shift;
  const double bound = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * shifted.trace();
  CHECK((*lower * lower->transpose() - shifted).norm() <= bound);
  CHECK((*lower - plain_cholesky(h, shift)).norm() <= 100 * bound);  // cond(H) times that
  CHECK(Dense(lower->triangularView<Eigen::StrictlyUpper>()).isZero(0));
  h.triangularView<Eigen::StrictlyUpper>().setConstant(std::numeric_limits<double>::quiet_NaN());
  CHECK(*shifted_cholesky(h, shift) == *lower);  // only the lower triangle is read
}

TEST_CASE("shifted_cholesky gives the same bits on any number of threads", "[metric][property]") {
  basin::test::Rng rng(72);
  const Index n = GENERATE(40, 400);
  const Dense h = basin::test::spd_matrix<double>(n, 1e3, rng);
  const Dense want = *shifted_cholesky(h, 0.01);
  for (const Index count : {2, 3, 7}) {
    basin::test::Threads threads{count};
    CHECK(*shifted_cholesky(h, 0.01, {.executor = threads}) == want);
  }
}

TEST_CASE("shifted_cholesky finds a negative eigenvalue in any tile", "[metric][bad-input]") {
  Dense h = Dense::Identity(300, 300);
  const Index place = GENERATE(0, 127, 128, 299);
  h(place, place) = -0.5;
  CHECK_FALSE(shifted_cholesky(h, 0));
  CHECK_FALSE(shifted_cholesky(h, 0.5));  // singular
  CHECK(shifted_cholesky(h, 0.75));
}
