#include <basin/pipeline/best_of.hpp>  // first: proves the header stands alone

#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>

#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::BestOf;
using basin::Index;
using basin::OnMetric;
using basin::RunContext;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;

namespace {
/// Codewords at random, the larger the worse; counts the blocks' trace that it was shown.
struct Random {
  double size;
  template <std::floating_point T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks&,
                                                    const Scheme& scheme, std::uint64_t seed, const RunContext&) const {
    Rng rng(seed);
    auto weight = basin::test::random_weight<T>(layer.n_out(), layer.n_in(), scheme, rng);
    weight.codebooks.values() *= static_cast<T>(size);
    return weight;
  }
};
/// Codewords that are the blocks themselves: tells which metric was at work.
struct BlocksAsCodewords {
  template <std::floating_point T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks& blocks,
                                                    const Scheme& scheme, std::uint64_t seed, const RunContext&) const {
    Rng rng(seed);
    auto weight = basin::test::random_weight<T>(layer.n_out(), layer.n_in(), scheme, rng);
    weight.codebooks.values().setConstant(static_cast<T>(blocks.block(0)(0, 0)));
    return weight;
  }
};
const Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
}  // namespace

TEST_CASE("BestOf returns the start that is best after a joint pass, and says so", "[pipeline][reference]") {
  Rng rng(1);
  const Layer layer = basin::test::random_layer<double>(16, 22, 4, rng);
  const basin::HessianBlocks blocks = basin::DiagonalBlocks{}.blocks(layer.hessian().topLeftCorner(22, 22), 4);
  const std::vector<double> sizes{30, 1, 5};
  std::vector<Weight> raced;
  std::vector<double> losses;
  for (const double size : sizes) {
    raced.push_back(Random{size}.initialize(layer, blocks, scheme, 7, RunContext{}));
    basin::JointBeam{.beam_size = 1}.search(layer, raced.back(), 7, 0);
    losses.push_back(basin::test::total_loss(layer, raced.back()));
  }
  REQUIRE(losses[1] < losses[2]);
  REQUIRE(losses[2] < losses[0]);

  std::vector<std::pair<std::string, std::string>> notes;
  RunContext context;
  context.note = [&](std::string_view subject, std::string decision) { notes.emplace_back(subject, std::move(decision)); };
  const BestOf race(Random{sizes[0]}, Random{sizes[1]}, Random{sizes[2]});
  const Weight best = race.initialize(layer, blocks, scheme, 7, context);
  CHECK(best.codes == raced[1].codes);
  CHECK(best.codebooks.values() == raced[1].codebooks.values());
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].first == "best_of");
  CHECK(notes[0].second == basin::concat("initializer 1 of relative errors ", layer.relative_error(losses[0]), ", ",
                                         layer.relative_error(losses[1]), ", ", layer.relative_error(losses[2])));
}

TEST_CASE("The first of equal starts wins", "[pipeline][property]") {
  Rng rng(2);
  const Layer layer = basin::test::random_layer<double>(6, 8, 4, rng);
  std::string decision;
  RunContext context;
  context.note = [&](std::string_view, std::string text) { decision = std::move(text); };
  const BestOf race(Random{1}, Random{1});
  static_cast<void>(race.initialize(layer, basin::HessianBlocks(2, 4), scheme, 0, context));
  CHECK(decision.starts_with("initializer 0 "));
}

TEST_CASE("OnMetric gives an initializer blocks of its own", "[pipeline][reference]") {
  Rng rng(3);
  const Layer layer = basin::test::random_layer<double>(6, 10, 4, rng);
  const auto real = layer.hessian().topLeftCorner(10, 10);
  const OnMetric own(basin::ConditionalBlocks{.lambda = 0.5}, BlocksAsCodewords{});
  const Weight weight = own.initialize(layer, basin::HessianBlocks(3, 4), scheme, 0, RunContext{});
  CHECK(weight.codebooks.values()(0, 0) == basin::ConditionalBlocks{.lambda = 0.5}.blocks(real, 4).block(0)(0, 0));
}

TEST_CASE("BestOf races initializers of the library on their own metrics", "[pipeline][property]") {
  Rng rng(4);
  const Layer layer = basin::test::random_layer<double>(24, 32, 4, rng);
  const basin::HessianBlocks blocks = basin::DiagonalBlocks{}.blocks(layer.hessian(), 4);
  const BestOf race(basin::Greedy{}, basin::OaEm{}, OnMetric(basin::ConditionalBlocks{}, basin::OaEm{}));
  using Race = std::remove_const_t<decltype(race)>;
  static_assert(basin::Initializer<Race, double> && basin::Initializer<Race, float>);
  const double raced = basin::test::total_loss(layer, race.initialize(layer, blocks, scheme, 3, RunContext{}));
  const auto alone = [&](Weight weight) {
    basin::JointBeam{.beam_size = 1}.search(layer, weight, 3, 0);
    return basin::test::total_loss(layer, weight);
  };
  CHECK(raced <= alone(basin::Greedy{}.initialize(layer, blocks, scheme, 3, RunContext{})));
  CHECK(raced <= alone(basin::OaEm{}.initialize(layer, blocks, scheme, 3, RunContext{})));
}
