#include <basin/metric/hessian_mahalanobis.hpp>  // first: proves the header stands alone
#include <basin/metric/euclidean.hpp>
#include <cmath>
#include <limits>
#include "support/catch.hpp"      // the one file that knows Catch2 v2 from v3
#include "support/random.hpp"     // seeded spd_matrix(g, cond, rng), normal_vector(g, rng)
#include "support/reference.hpp"  // quadratic_form(): two loops in long double

using Dense = basin::Matrix<double>;
using Metric = basin::HessianMahalanobis<double>;

TEMPLATE_TEST_CASE("HessianMahalanobis matches the long-double quadratic form",
                   "[metric][reference]", float, double) {
  using T = TestType;
  const int g = GENERATE(1, 2, 3, 7, 8, 16, 33);
  const T cond = GENERATE(T(1), T(1e2), T(1e4));
  CAPTURE(g, cond);
  basin::test::Rng rng(20260822);
  const auto h = basin::test::spd_matrix<T>(g, cond, rng);
  const auto w = basin::test::normal_vector<T>(g, rng);
  const auto c = basin::test::normal_vector<T>(g, rng);
  const T got = basin::HessianMahalanobis<T>(h).squared_distance(w, c);
  const long double want = basin::test::quadratic_form(h, w, c);
  const T bound = 8 * T(g) * std::numeric_limits<T>::epsilon() * cond;  // the card's Accuracy line
  CHECK(std::abs(got - want) <= bound * want);
}

TEST_CASE("Whitening turns Mahalanobis into Euclidean distance", "[metric][property]") {
  basin::test::Rng rng(GENERATE(range(0u, 20u)));
  const Metric metric(basin::test::spd_matrix<double>(8, 1e3, rng));
  const auto w = basin::test::normal_vector<double>(8, rng);
  const auto c = basin::test::normal_vector<double>(8, rng);
  const basin::Euclidean<double> euclidean(metric.dim());
  CHECK(euclidean.dim() == 8);
  CHECK_THAT(euclidean.squared_distance(metric.whiten(w), metric.whiten(c)),
             Catch::Matchers::WithinRel(metric.squared_distance(w, c), 1e-12));
}

TEST_CASE("HessianMahalanobis names what is wrong with a Hessian", "[metric][bad-input]") {
  using basin::test::contains_text;
  CHECK_THROWS_AS(Metric(Dense(0, 0)), basin::ShapeError);
  CHECK_THROWS_WITH(Metric(Dense(Dense::Ones(2, 3))), contains_text("[2, 3]"));
  CHECK_THROWS_AS(Metric(Dense(-Dense::Identity(4, 4))), basin::ValueError);
  for (const double bad : {double(NAN), double(INFINITY), 3.0}) {  // 3.0: finite, asymmetric
    Dense h = Dense::Identity(4, 4);
    h(1, 2) = bad;
    CHECK_THROWS_WITH(Metric(h), contains_text("finite and symmetric"));
  }
}
