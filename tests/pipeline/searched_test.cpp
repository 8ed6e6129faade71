#include <basin/pipeline/searched.hpp>  // first: proves the header stands alone

#include <basin/init/fixed_levels.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/search/error_feedback.hpp>

#include <type_traits>

#include "support/additive.hpp"
#include "support/catch.hpp"

TEST_CASE("Searched hands on what its searcher makes of its initializer's start", "[pipeline][reference]") {
  basin::test::Rng rng(1);
  const auto layer = basin::test::synthetic_layer(24, 32, rng);
  const basin::LayerObjective<double> objective(layer.weight, layer.hessian, 1);
  const basin::HessianBlocks blocks = basin::EuclideanBlocks{}.blocks(layer.hessian, 1);
  const basin::MirrorNoZero levels;
  const basin::Searched searched{basin::FixedLevels{}, basin::ErrorFeedback{}};
  STATIC_REQUIRE(basin::Initializer<std::remove_const_t<decltype(searched)>, double, basin::MirrorNoZero>);

  auto want = basin::FixedLevels{}.initialize(objective, blocks, levels, 0, {});
  const double start = objective.loss(want.decode());
  basin::ErrorFeedback{}.search(objective, want);
  const auto got = searched.initialize(objective, blocks, levels, 0, {});
  CHECK(got.codes == want.codes);
  CHECK(got.scales == want.scales);
  CHECK(objective.loss(got.decode()) < start);
}
