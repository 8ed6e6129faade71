#include <basin/pipeline/best_of.hpp>  // first: proves the header stands alone

#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>
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
/// Codes and codewords at random; the more of the codewords are alike, the worse.
struct Random {
  Index alike;
  template <std::floating_point T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks&,
                                                    const Scheme& scheme, std::uint64_t seed, const RunContext&) const {
    Rng rng(seed);
    auto weight = basin::test::random_weight<T>(layer.n_out(), layer.n_in(), scheme, rng);
    for (auto& code : weight.codes.values()) code = static_cast<std::uint16_t>(code < alike ? 0 : code);
    for (Index k = 1; k < alike; ++k) weight.codebooks.values().row(k) = weight.codebooks.values().row(0);
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

TEST_CASE("BestOf returns the start that promises most, and says so", "[pipeline][reference]") {
  Rng rng(1);
  const Index n_out = GENERATE(16, 300);  // all rows race, or every fourth
  const Layer layer = basin::test::random_layer<double>(n_out, 22, 4, rng);
  const basin::HessianBlocks blocks = basin::DiagonalBlocks{}.blocks(layer.hessian().topLeftCorner(22, 22), 4);
  const std::vector<Index> alike{8, 1, 5};
  const Index stride = n_out == 300 ? 4 : 1;
  std::vector<Weight> starts;
  std::vector<double> promises;
  const Layer sample = layer.sample(stride);
  for (const Index count : alike) {
    starts.push_back(Random{count}.initialize(layer, blocks, scheme, 7, RunContext{}));
    Weight raced = starts.back().sample(stride);
    std::vector<double> losses;
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      basin::LeastSquares{}.update(sample, raced);
      basin::JointBeam{.beam_size = 1}.search(sample, raced, 7, epoch);
      losses.push_back(basin::test::total_loss(sample, raced));
    }
    promises.push_back(sample.relative_error(losses[1] - std::clamp(losses[0] - losses[1], 0.0, losses[1] / 4)));
  }
  const auto winner = std::min_element(promises.begin(), promises.end()) - promises.begin();
  REQUIRE(winner != 0);  // the first does not win for being first

  std::vector<std::pair<std::string, std::string>> notes;
  RunContext context;
  context.note = [&](std::string_view subject, std::string decision) { notes.emplace_back(subject, std::move(decision)); };
  const BestOf race(Random{alike[0]}, Random{alike[1]}, Random{alike[2]});
  const Weight best = race.initialize(layer, blocks, scheme, 7, context);
  CHECK(best.codes == starts[static_cast<std::size_t>(winner)].codes);
  CHECK(best.codebooks.values() == starts[static_cast<std::size_t>(winner)].codebooks.values());
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].first == "best_of");
  CHECK(notes[0].second.starts_with(basin::concat("initializer ", winner, ", promising relative errors of ")));
  std::istringstream told(notes[0].second.substr(notes[0].second.find(" of ") + 4));
  for (const double promise : promises) {
    double value = 0;
    char comma = 0;
    REQUIRE(told >> value);
    told >> comma;
    CHECK(std::abs(value - promise) <= 1e-4 * promise);
  }
}

TEST_CASE("The first of equal starts wins", "[pipeline][property]") {
  Rng rng(2);
  const Layer layer = basin::test::random_layer<double>(6, 8, 4, rng);
  std::string decision;
  RunContext context;
  context.note = [&](std::string_view, std::string text) { decision = std::move(text); };
  const BestOf race(Random{1}, Random{1});
  static_cast<void>(race.initialize(layer, basin::HessianBlocks(2, 4), scheme, 0, context));
  CHECK(decision.starts_with("initializer 0,"));
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
  const Weight raced = race.initialize(layer, blocks, scheme, 3, RunContext{});
  const Weight entrants[] = {basin::Greedy{}.initialize(layer, blocks, scheme, 3, RunContext{}),
                             basin::OaEm{}.initialize(layer, blocks, scheme, 3, RunContext{}),
                             OnMetric(basin::ConditionalBlocks{}, basin::OaEm{}).initialize(layer, blocks, scheme, 3, RunContext{})};
  CHECK(std::any_of(std::begin(entrants), std::end(entrants), [&](const Weight& entrant) {
    return entrant.codes == raced.codes && entrant.codebooks.values() == raced.codebooks.values();
  }));
}
