#include <basin/search/round_to_nearest.hpp>  // first: proves the header stands alone

#include <basin/init/fixed_levels.hpp>
#include <basin/levels/mirror_no_zero.hpp>

#include <cstdint>
#include <stop_token>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

using namespace basin;

namespace {
template <class T>
LevelWeight<T> random_codes(const LayerObjective<T>& layer, test::Rng& rng) {
  LevelWeight<T> weight = FixedLevels{}.initialize(layer, HessianBlocks{}, MirrorNoZero{}, 0, RunContext{});
  for (Index o = 0; o < weight.n_out(); ++o)
    for (Index i = 0; i < weight.n_in(); ++i) weight.codes(o, i) = static_cast<std::uint8_t>(rng.below(4));
  return weight;
}
}  // namespace

TEMPLATE_TEST_CASE("RoundToNearest raises no row's loss and changes codes alone", "[search][property]", float, double) {
  using T = TestType;
  test::Rng rng(1);
  const auto made = test::synthetic_layer(20, 24, rng);
  const LayerObjective<T> layer(made.weight.cast<T>(), made.hessian, 1);
  const LevelWeight<T> start = random_codes(layer, rng);
  LevelWeight<T> found = start;
  RoundToNearest{}.search(layer, found);
  CHECK(found.scales == start.scales);
  CHECK(found.levels == start.levels);
  const Vector<double> before = layer.row_losses(start.decode()), after = layer.row_losses(found.decode());
  CHECK((after.array() <= before.array()).all());
  CHECK(after.sum() < 0.5 * before.sum());
  for (const Index count : {Index{2}, Index{7}}) {
    test::Threads threads{count};
    LevelWeight<T> threaded = start;
    RoundToNearest{}.search(layer, threaded, 0, 0, {.executor = threads});
    CHECK(threaded.codes == found.codes);
  }
  LevelWeight<T> again = found;
  RoundToNearest{}.search(layer, again);
  CHECK(again.codes == found.codes);
}

TEST_CASE("Without correlations the nearest levels are the best ones", "[search][reference]") {
  test::Rng rng(2);
  const Matrix<double> weight = test::normal_matrix<double>(3, 4, rng);
  Matrix<double> hessian = Matrix<double>::Zero(4, 4);
  hessian.diagonal() << 1, 2, 0.5, 3;
  const LayerObjective<double> layer(weight, hessian, 1);
  LevelWeight<double> found = random_codes(layer, rng);
  RoundToNearest{}.search(layer, found);
  LevelWeight<double> tried = found;
  for (int tuple = 0; tuple < 256; ++tuple) {
    for (Index i = 0; i < 4; ++i) tried.codes.col(i).setConstant(static_cast<std::uint8_t>((tuple >> (2 * i)) & 3));
    CHECK((layer.row_losses(found.decode()).array() <= layer.row_losses(tried.decode()).array() + 1e-14).all());
  }
}

TEST_CASE("RoundToNearest keeps better codes and those that do not matter", "[search][property]") {
  const test::F7 f7;
  const LayerObjective<double> layer(f7.weight, f7.hessian, 1);
  test::Rng rng(3);
  const LevelWeight<double> start = random_codes(layer, rng);
  LevelWeight<double> frozen = start;
  frozen.scales(2) = 0;
  RoundToNearest{}.search(layer, frozen);
  CHECK(frozen.codes.row(2) == start.codes.row(2));
  LevelWeight<double> blind = start;
  RoundToNearest{}.search(LayerObjective<double>(f7.weight, Matrix<double>::Zero(16, 16), 1), blind);
  CHECK(blind.codes == start.codes);
  // One better code: what error feedback leaves behind stays.
  LevelWeight<double> nearest = start;
  nearest_codes<double>(f7.weight, nearest);
  LevelWeight<double> better = nearest;
  const double loss = layer.row_losses(nearest.decode())(0);
  for (Index i = 0; i < 16 && layer.row_losses(better.decode())(0) >= loss; ++i)
    for (std::uint8_t code = 0; code < 4 && layer.row_losses(better.decode())(0) >= loss; ++code) {
      better.codes.row(0) = nearest.codes.row(0);
      better.codes(0, i) = code;
    }
  REQUIRE(layer.row_losses(better.decode())(0) < loss);
  LevelWeight<double> kept = better;
  RoundToNearest{}.search(layer, kept);
  CHECK(kept.codes == better.codes);
}

TEST_CASE("RoundToNearest refuses a foreign weight and stops when asked", "[search][bad-input]") {
  const test::F7 f7;
  const LayerObjective<double> layer(f7.weight, f7.hessian, 1);
  test::Rng rng(4);
  const LevelWeight<double> start = random_codes(layer, rng);
  LevelWeight<double> weight = start;
  weight.codes.conservativeResize(7, 16);
  CHECK_THROWS_WITH(RoundToNearest{}.search(layer, weight), test::contains_text("[7, 16] with 8 scales"));
  weight = start;
  weight.scales.conservativeResize(7);
  CHECK_THROWS_AS(RoundToNearest{}.search(layer, weight), ShapeError);
  std::stop_source stopped;
  stopped.request_stop();
  weight = start;
  CHECK_THROWS_AS(RoundToNearest{}.search(layer, weight, 0, 0, {.stop = stopped.get_token()}), Cancelled);
  CHECK(weight.codes == start.codes);
}
