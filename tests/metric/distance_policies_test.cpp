#include <basin/metric/euclidean.hpp>  // first: proves the header stands alone

#include <basin/metric/hessian_mahalanobis.hpp>

#include <limits>
#include <tuple>

#include "laws/distance_policy_laws.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace {
template <class M>
M make(basin::Index dim) {
  using T = typename M::value_type;
  if constexpr (std::is_same_v<M, basin::Euclidean<T>>) {
    return M(dim);
  } else {
    basin::test::Rng rng(70);
    return M(basin::test::spd_matrix<T>(dim, T(50), rng));
  }
}
using Distances = std::tuple<basin::Euclidean<float>, basin::Euclidean<double>, basin::HessianMahalanobis<float>,
                             basin::HessianMahalanobis<double>>;
}  // namespace

TEMPLATE_LIST_TEST_CASE("Distances obey their laws", "[metric][property]", Distances) {
  for (const basin::Index dim : {1, 2, 7, 8, 17}) basin::test::check_distance_policy_laws(make<TestType>(dim));
}

TEMPLATE_TEST_CASE("Euclidean is the sum of squares", "[metric][reference]", float, double) {
  using T = TestType;
  const basin::Index dim = GENERATE(1, 3, 8, 33);
  basin::test::Rng rng(74);
  const auto w = basin::test::normal_vector<T>(dim, rng), c = basin::test::normal_vector<T>(dim, rng);
  long double want = 0;
  for (basin::Index i = 0; i < dim; ++i) {
    const long double difference = static_cast<long double>(w(i)) - static_cast<long double>(c(i));
    want += difference * difference;
  }
  const long double bound = static_cast<long double>(dim + 2) * std::numeric_limits<T>::epsilon();
  CHECK(std::abs(basin::Euclidean<T>(dim).squared_distance(w, c) - want) <= bound * want);
  CHECK(basin::Euclidean<T>(dim).whiten(w) == w);
}

TEST_CASE("Euclidean needs a dimension", "[metric][bad-input]") {
  CHECK_THROWS_WITH(basin::Euclidean<float>(0), basin::test::contains_text("got 0"));
}
