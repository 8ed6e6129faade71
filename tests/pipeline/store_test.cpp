#include <basin/pipeline/store.hpp>  // first: proves the header stands alone

#include <basin/codebook/round_to_half.hpp>

#include <cstdint>
#include <limits>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::AdditiveLayer;
using basin::Scheme;
using basin::test::Rng;

TEMPLATE_TEST_CASE("A rounded weight is stored and loaded exactly", "[pipeline][reference]", float, double) {
  using T = TestType;
  const Scheme scheme = GENERATE(values<Scheme>({{1, 1, 3, 1}, {2, 8, 8, 1}, {3, 4, 4, 2}, {1, 12, 2, 1}}));
  Rng rng(1);
  auto weight = basin::test::random_weight<T>(6, 21, scheme, rng);
  basin::round_to_half(weight);
  const AdditiveLayer layer = basin::store(weight);
  CHECK(layer.scheme == scheme);
  CHECK(layer.n_out == 6);
  CHECK(layer.n_in == 21);
  CHECK(layer.codes.size() == weight.codes.values().size());
  // The layout of AdditiveLayer, entry by entry.
  const auto J = static_cast<std::size_t>(weight.num_in_groups()), M = static_cast<std::size_t>(scheme.num_codebooks);
  CHECK(layer.codes[(1 * J + 2) * M + M - 1] == weight.codes(1, 2, static_cast<basin::Index>(M - 1)));
  CHECK(basin::half_to_float(layer.codebooks[1]) == static_cast<float>(weight.codebooks.codeword(0, 0)[1]));
  CHECK(basin::half_to_float(layer.scales[2]) == static_cast<float>(weight.scales(2)));
  const auto loaded = basin::load<T>(layer);
  CHECK(loaded.codes == weight.codes);
  CHECK(loaded.codebooks.values() == weight.codebooks.values());
  CHECK(loaded.scales == weight.scales);
  CHECK(loaded.n_in == 21);
  CHECK(loaded.decode() == weight.decode());
}

TEST_CASE("store refuses what fp16 cannot hold", "[pipeline][bad-input]") {
  Rng rng(2);
  const auto good = basin::test::random_weight<float>(4, 8, {1, 2, 4, 1}, rng);
  for (const float bad : {65505.0f, -1e6f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    auto weight = good;
    weight.codebooks.values()(2, 1) = bad;
    CHECK_THROWS_WITH(basin::store(weight), basin::test::contains_text("does not fit into fp16"));
    weight = good;
    weight.scales(3) = bad;
    CHECK_THROWS_AS(basin::store(weight), basin::ValueError);
  }
  auto largest = good;
  largest.scales(0) = 65504.0f;
  CHECK_NOTHROW(basin::store(largest));
}

TEST_CASE("load refuses a layer that does not hold together", "[pipeline][bad-input]") {
  Rng rng(3);
  const AdditiveLayer good = basin::store(basin::test::random_weight<float>(4, 8, {2, 3, 4, 1}, rng));
  AdditiveLayer bad = good;
  bad.codes.pop_back();
  CHECK_THROWS_AS(basin::load<float>(bad), basin::ShapeError);
  bad = good;
  bad.codebooks.push_back(0);
  CHECK_THROWS_AS(basin::load<float>(bad), basin::ShapeError);
  bad = good;
  bad.scales.clear();
  CHECK_THROWS_AS(basin::load<float>(bad), basin::ShapeError);
  bad = good;
  bad.codes[5] = 8;
  CHECK_THROWS_WITH(basin::load<float>(bad), basin::test::contains_text("code 8 at 5 is not below 8"));
  bad = good;
  bad.scheme.bits_per_code = 17;
  CHECK_THROWS_AS(basin::load<float>(bad), basin::ValueError);
}

TEMPLATE_TEST_CASE("A rounded weight of levels is stored and loaded exactly", "[pipeline][reference]", float, double) {
  using T = TestType;
  Rng rng(3);
  basin::LevelWeight<T> weight{{T(-1.5), T(-0.5), T(0.5), T(1.5)}, basin::Matrix<std::uint8_t>(3, 5), basin::Vector<T>(3), {}};
  for (basin::Index i = 0; i < weight.codes.size(); ++i) weight.codes.data()[i] = static_cast<std::uint8_t>(i % 4);
  weight.scales << T(0.1), T(0.02), T(0);
  if (GENERATE(false, true)) weight.zero_points = basin::Vector<T>::Constant(3, T(2));
  basin::round_to_half(weight);
  const basin::LevelLayer layer = basin::store(weight);
  CHECK(layer.n_out == 3);
  CHECK(layer.n_in == 5);
  CHECK(layer.code_bits() == 2);
  CHECK(layer.codes[1 * 5 + 2] == weight.codes(1, 2));
  CHECK(basin::half_to_float(layer.scales[1]) == static_cast<float>(weight.scales(1)));
  const auto loaded = basin::load<T>(layer);
  CHECK(loaded.codes == weight.codes);
  CHECK(loaded.decode() == weight.decode());
}

TEST_CASE("store and load refuse levels that do not fit together", "[pipeline][bad-input]") {
  basin::LevelWeight<float> weight{{-1, 0, 1}, basin::Matrix<std::uint8_t>::Zero(2, 2), basin::Vector<float>::Ones(2), {}};
  const basin::LevelLayer good = basin::store(weight);
  CHECK(basin::load<float>(good).decode() == weight.decode());
  weight.scales(1) = 1e6f;
  CHECK_THROWS_WITH(basin::store(weight), basin::test::contains_text("does not fit into fp16"));
  weight.scales(1) = 1;
  for (const float bad : {-1.0f, 3.0f, 0.5f, std::numeric_limits<float>::quiet_NaN()}) {
    weight.zero_points = basin::Vector<float>::Constant(2, bad);
    CHECK_THROWS_WITH(basin::store(weight), basin::test::contains_text("zero point"));
  }
  basin::LevelLayer bad = good;
  bad.codes[3] = 3;
  CHECK_THROWS_AS(basin::load<float>(bad), basin::ValueError);
  bad = good;
  bad.zero_points.push_back(0);
  CHECK_THROWS_WITH(basin::load<float>(bad), basin::test::contains_text("[2, 2]"));
}
