#include <basin/metric/check_hessian.hpp>  // first: proves the header stands alone

#include <limits>
#include <utility>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using basin::checked_hessian;
using basin::Index;
using Dense = basin::Matrix<double>;

TEST_CASE("checked_hessian averages rounding asymmetry away", "[metric][reference]") {
  const basin::test::F7 f7;
  Dense h = f7.hessian;
  h(2, 5) *= 1 + 1e-8;
  const Dense got = checked_hessian(h);
  CHECK(got == got.transpose());
  CHECK((got - f7.hessian).cwiseAbs().maxCoeff() <= 1e-7);
  CHECK(checked_hessian(Dense::Zero(3, 3)) == Dense::Zero(3, 3));
  CHECK(checked_hessian(got) == got);
}

TEST_CASE("checked_hessian sees every tile of a large H", "[metric][reference]") {
  basin::test::Rng rng(58);
  const Index n = 150;  // two tiles and a part
  const Dense h = basin::test::spd_matrix<double>(n, 10, rng);
  const double largest = h.cwiseAbs().maxCoeff();
  for (const auto& [row, column] : {std::pair<Index, Index>{3, 5}, {70, 2}, {10, 149}, {149, 90}, {140, 141}}) {
    CAPTURE(row, column);
    Dense rounded = h;
    rounded(row, column) += 1e-7 * largest;
    const Dense want = 0.5 * (rounded + rounded.transpose());
    CHECK(checked_hessian(rounded) == want);
    rounded(row, column) += 1e-5 * largest;
    CHECK_THROWS_WITH(checked_hessian(rounded), basin::test::contains_text("must be symmetric"));
  }
}

TEST_CASE("checked_hessian accepts what float files hold of a singular Hessian", "[metric][property]") {
  basin::test::Rng rng(57);
  const Index tokens = GENERATE(1, 5, 30);
  const Dense inputs = basin::test::normal_matrix<double>(tokens, 24, rng);
  const Dense rounded = (inputs.transpose() * inputs / static_cast<double>(tokens)).cast<float>().cast<double>();
  CHECK_NOTHROW(checked_hessian(rounded));
  CHECK_NOTHROW(checked_hessian(1e-30 * rounded));
}

TEST_CASE("checked_hessian gives the same bits and the same complaint on any number of threads", "[metric][property]") {
  basin::test::Rng rng(59);
  Dense h = basin::test::spd_matrix<double>(150, 10, rng);
  h(20, 140) *= 1 + 1e-9;
  basin::test::Threads threads{3};
  CHECK(checked_hessian(h, {.executor = threads}) == checked_hessian(h));
  h(149, 2) = h(70, 3) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(checked_hessian(h, {.executor = threads}), basin::test::contains_text("H[70, 3] is not finite"));
}

TEST_CASE("checked_hessian says what is wrong and where", "[metric][bad-input]") {
  CHECK_THROWS_WITH(checked_hessian(Dense::Ones(2, 3)), basin::test::contains_text("[2, 3]"));
  Dense h = Dense::Identity(4, 4);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    h(3, 1) = bad;
    CHECK_THROWS_AS(checked_hessian(h), basin::ValueError);
    CHECK_THROWS_WITH(checked_hessian(h), basin::test::contains_text("H[3, 1] is not finite"));
  }
  h(3, 1) = 0.5;
  CHECK_THROWS_WITH(checked_hessian(h), basin::test::contains_text("symmetric"));
  h(1, 3) = 0.5;
  CHECK_NOTHROW(checked_hessian(h));
  h(0, 0) = -1;
  CHECK_THROWS_WITH(checked_hessian(h), basin::test::contains_text("positive semidefinite"));
  basin::Matrix<float> w = basin::Matrix<float>::Zero(3, 2);
  CHECK_NOTHROW(basin::check_finite_weight<float>(w));
  w(1, 1) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(basin::check_finite_weight<float>(w), basin::test::contains_text("W[1, 1] is not finite"));
}
