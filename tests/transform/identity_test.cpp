#include <basin/transform/identity.hpp>  // first: proves the header stands alone

#include "laws/transform_laws.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;
using basin::test::Rng;

TEMPLATE_TEST_CASE("Identity obeys the laws of transforms", "[transform][property]", float, double) {
  Rng rng(1);
  for (const Index n : {Index{1}, Index{7}, Index{64}}) basin::test::check_transform_laws<TestType>(basin::Identity{}, n, rng);
}

TEMPLATE_TEST_CASE("Identity changes no bit", "[transform][reference]", float, double) {
  Rng rng(2);
  const auto x = basin::test::normal_matrix<TestType>(3, 9, rng);
  auto y = x;
  basin::Identity{}.apply(y);
  CHECK(y == x);
  basin::Identity{}.invert(y);
  CHECK(y == x);
}
