#include <basin/codebook/level_weight.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace basin;

namespace {
LevelWeight<double> small_weight() {
  LevelWeight<double> weight{{-1.5, -0.5, 0.5, 1.5}, Matrix<std::uint8_t>(2, 3), Vector<double>(2), {}};
  weight.codes << 0, 1, 2, 3, 3, 0;
  weight.scales << 2, 0.5;
  return weight;
}
}  // namespace

TEST_CASE("A level weight decodes to scale times level less zero point", "[codebook][reference]") {
  LevelWeight<double> weight = small_weight();
  Matrix<double> want(2, 3);
  want << -3, -1, 1, 0.75, 0.75, -0.75;
  CHECK(weight.decode() == want);
  test::Threads threads{3};
  CHECK(weight.decode({.executor = threads}) == want);
  CHECK(weight.n_out() == 2);
  CHECK(weight.n_in() == 3);
  CHECK(weight.zero_point(1) == 0);
  weight.zero_points.resize(2);
  weight.zero_points << 1, -1;
  want << -5, -3, -1, 1.25, 1.25, -0.25;
  CHECK(weight.decode() == want);
  CHECK(weight.value(1, 3) == 1.25);
}

TEST_CASE("A level weight stores whole bits a code, a scale and a zero point a row", "[codebook][reference]") {
  LevelWeight<double> weight = small_weight();
  CHECK(weight.stored_bits().codes == 2);
  CHECK(weight.stored_bits().codebooks == 0);
  CHECK(weight.stored_bits().scales == 16.0 / 3);
  weight.zero_points = Vector<double>::Ones(2);
  CHECK(weight.stored_bits().scales == 18.0 / 3);
  weight.levels = {-1, 0, 1};
  CHECK(weight.stored_bits().codes == 2);
  weight.levels.resize(16);
  CHECK(weight.stored_bits().codes == 4);
}

TEST_CASE("round_to_half rounds scales and leaves the rest", "[codebook][property]") {
  LevelWeight<double> weight = small_weight();
  weight.scales << 0.1, 1e-3;
  LevelWeight<double> rounded = weight;
  round_to_half(rounded);
  for (Index o = 0; o < 2; ++o) {
    CHECK(rounded.scales(o) == static_cast<double>(round_to_half(static_cast<float>(weight.scales(o)))));
    CHECK(std::abs(rounded.scales(o) / weight.scales(o) - 1) <= std::exp2(-11) * (1 + 1e-6));
  }
  CHECK(rounded.codes == weight.codes);
  CHECK(rounded.levels == weight.levels);
}

TEST_CASE("round_to_half names a scale that fp16 does not hold", "[codebook][bad-input]") {
  LevelWeight<double> weight = small_weight();
  weight.scales(1) = 1e6;
  CHECK_THROWS_WITH(round_to_half(weight), test::contains_text("of row 1 does not fit into fp16"));
  weight.scales(1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(round_to_half(weight), ValueError);
}
