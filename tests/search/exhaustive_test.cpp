#include <basin/search/exhaustive.hpp>  // first: proves the header stands alone

#include <array>
#include <cstddef>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/reference.hpp"

using basin::ExhaustiveSearch;
using basin::Index;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Catch::Matchers::WithinRel;

TEST_CASE("ExhaustiveSearch finds the golden optima of the 8 x 16 layer", "[search][reference]") {
  const basin::test::F7 f7;
  const Layer layer(f7.weight, f7.hessian, 4);
  const Weight start = basin::test::f7_start(layer);
  const std::array<double, 3> optimum{64.1607044266, 18.4898757562, 41.8711523262};
  for (Index o = 0; o < 3; ++o) {
    const Layer row = basin::test::some_groups(layer, start.scheme(), o, 1);
    Weight weight = basin::test::some_groups(start, o, 1);
    ExhaustiveSearch{}.search(row, weight);
    CHECK_THAT(basin::test::total_loss(row, weight), WithinRel(optimum[static_cast<std::size_t>(o)], 1e-9));
  }
}

TEST_CASE("ExhaustiveSearch beats every other tuple", "[search][reference]") {
  Rng rng(GENERATE(range(0u, 5u)));
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 2, .in_group_size = 2};
  const Layer layer = basin::test::random_layer<double>(1, 4, 2, rng);
  Weight weight = basin::test::random_weight<double>(1, 4, scheme, rng);
  ExhaustiveSearch{}.search(layer, weight);
  const long double best = basin::test::layer_loss(layer.weight(), weight.decode(), layer.hessian());
  for (int tuple = 0; tuple < 256; ++tuple) {
    Weight other = weight;
    for (int i = 0; i < 4; ++i) other.codes.values()[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(tuple >> (2 * i) & 3);
    REQUIRE(basin::test::layer_loss(layer.weight(), other.decode(), layer.hessian()) >= best * (1 - 1e-13L));
  }
}

TEST_CASE("ExhaustiveSearch resolves ties for the codes already there, then the first tuple", "[search][property]") {
  Rng rng(2);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 2, .in_group_size = 2};
  const Layer layer = basin::test::random_layer<double>(1, 4, 2, rng);
  Weight weight = basin::test::random_weight<double>(1, 4, scheme, rng);
  weight.codebooks.values().rowwise() = weight.codebooks.values().row(0).eval();  // every tuple decodes alike
  weight.codes(0, 0, 0) = 3;
  weight.codes(0, 1, 0) = 2;
  ExhaustiveSearch{}.search(layer, weight);
  CHECK(weight.codes(0, 0, 0) == 3);
  CHECK(weight.codes(0, 1, 0) == 2);
  // With one better codeword and a copy of it, the smaller code wins.
  weight.codebooks.values().row(1) = weight.codebooks.values().row(2) = layer.weight().leftCols(2) / weight.scales(0);
  weight.codes(0, 0, 0) = 3;
  ExhaustiveSearch{}.search(basin::test::some_groups(layer, scheme, 0, 1), weight);
  CHECK(weight.codes(0, 0, 0) != 2);
}

TEST_CASE("ExhaustiveSearch refuses what would take forever", "[search][bad-input]") {
  Rng rng(3);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 8, .in_group_size = 2};
  const Layer layer = basin::test::random_layer<double>(1, 8, 2, rng);
  Weight weight = basin::test::random_weight<double>(1, 8, scheme, rng);
  CHECK_THROWS_WITH(ExhaustiveSearch{}.search(layer, weight), basin::test::contains_text("256^8"));
  CHECK_THROWS_AS(ExhaustiveSearch{.max_tuples = 0}.search(layer, weight), basin::ValueError);
}
