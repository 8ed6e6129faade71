#include <basin/search/level_beam.hpp>  // first: proves the header stands alone

#include <basin/metric/block_ldl.hpp>
#include <basin/search/coordinate_refinement.hpp>
#include <basin/search/error_feedback.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/levels.hpp"

using basin::Index;
using basin::LevelBeam;
using basin::VisitOrder;
using basin::test::Rng;
using Dense = basin::Matrix<double>;
using Layer = basin::LayerObjective<double>;
using Weight = basin::LevelWeight<double>;

namespace {
const std::vector<double> mnz{-1.5, -0.5, 0.5, 1.5};

/// K-best by the book for one row: all hypotheses in full, targets from scratch.
std::vector<std::uint8_t> k_best(const Layer& layer, const Weight& weight, Index o, double damping, std::size_t beam) {
  struct Hypothesis {
    double loss;
    std::vector<std::uint8_t> codes;
  };
  const basin::BlockLdl factors = basin::block_ldl(layer.hessian(), damping);
  const Dense upper = factors.upper();
  std::vector<Hypothesis> living{{0, {}}};
  for (Index k = 0; k < layer.n_in(); ++k) {
    std::vector<Hypothesis> children;
    for (const Hypothesis& parent : living) {
      double target = layer.weight()(o, k);
      for (Index j = 0; j < k; ++j)
        target += (layer.weight()(o, j) - weight.value(o, parent.codes[static_cast<std::size_t>(j)])) * upper(j, k);
      std::vector<std::uint8_t> nearest;
      for (std::size_t code = 0; code < weight.levels.size(); ++code) nearest.push_back(static_cast<std::uint8_t>(code));
      const auto distance = [&](std::uint8_t code) { return std::abs(target - weight.value(o, code)); };
      std::stable_sort(nearest.begin(), nearest.end(), [&](auto a, auto b) { return distance(a) < distance(b); });
      for (std::size_t n = 0; n < 2; ++n) {
        children.push_back(parent);
        children.back().loss += factors.diagonal(k, 0) * distance(nearest[n]) * distance(nearest[n]);
        children.back().codes.push_back(nearest[n]);
      }
    }
    std::stable_sort(children.begin(), children.end(), [](const auto& a, const auto& b) { return a.loss < b.loss; });
    children.resize(std::min(children.size(), beam));
    living = children;
  }
  return living[0].codes;
}

/// What the beam finds before sweeps, also where a row does not become better: its start is hopeless.
Weight found(const Layer& layer, const Weight& weight, const LevelBeam& beam) {
  Weight hopeless = weight;
  for (Index o = 0; o < weight.n_out(); ++o)
    for (Index i = 0; i < weight.n_in(); ++i) hopeless.codes(o, i) = layer.weight()(o, i) > 0 ? 0 : 3;
  beam.search(layer, hopeless);
  return hopeless;
}
}  // namespace

TEST_CASE("LevelBeam takes the codes of a K-best search by the book", "[search][reference]") {
  const int beam = GENERATE(1, 2, 3, 8, 20);
  const Index n_in = GENERATE(1, 2, 30, 290);  // the last across three panels
  const bool with_zero_points = GENERATE(false, true);
  CAPTURE(beam, n_in, with_zero_points);
  Rng rng(71);
  const Layer layer = basin::test::random_layer<double>(3, n_in, 1, rng);
  const Weight weight = basin::test::random_levels<double>(3, n_in, {-2, -0.5, 0.5, 2}, with_zero_points, rng);
  const Weight got = found(layer, weight, {.beam_size = beam, .damping = 0.02, .sweeps = 0});
  for (Index o = 0; o < 3; ++o) {
    const std::vector<std::uint8_t> want = k_best(layer, weight, o, 0.02, static_cast<std::size_t>(beam));
    Index different = 0;
    for (Index i = 0; i < n_in; ++i) different += got.codes(o, i) != want[static_cast<std::size_t>(i)];
    CHECK(different == 0);
  }
}

TEST_CASE("Hypotheses of different ancestors survive a panel", "[search][reference]") {
  Rng rng(75);
  const Index n_in = 100;
  const Layer layer = basin::test::random_layer<double>(6, n_in, 1, rng);
  const Weight weight = basin::test::random_levels<double>(6, n_in, mnz, false, rng);
  // Panels so short that old choices are still open at their end.
  const basin::FeedbackFactor<double> factor(layer.hessian(), {.damping = 0.01, .block_inputs = 16});
  const basin::NearestLevel<double> levels(mnz);
  Weight got = weight;
  basin::detail::LevelBeamTile<double> tile(factor, layer.weight(), levels, got, 20, 0, 6);
  for (Index panel = 0; panel < 7; ++panel) tile.search_panel(panel);
  tile.finish();
  for (Index o = 0; o < 6; ++o) {
    const std::vector<std::uint8_t> want = k_best(layer, weight, o, 0.01, 20);
    Index different = 0;
    for (Index i = 0; i < n_in; ++i) different += got.codes(o, i) != want[static_cast<std::size_t>(i)];
    CHECK(different == 0);
  }
}

TEMPLATE_TEST_CASE("A beam of one is ErrorFeedback, bit for bit", "[search][property]", float, double) {
  using T = TestType;
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::descending, VisitOrder::shuffled);
  const int sweeps = GENERATE(0, 3);
  Rng rng(72);
  const auto layer = basin::test::random_layer<T>(200, 300, 1, rng);
  const auto start = basin::test::random_levels<T>(200, 300, {T(-1.5), T(-0.5), T(0.5), T(1.5)}, false, rng);
  auto beam = start, feedback = start;
  LevelBeam{.beam_size = 1, .order = order, .sweeps = sweeps}.search(layer, beam, 3, 4);
  basin::ErrorFeedback{.order = order, .sweeps = sweeps}.search(layer, feedback, 3, 4);
  CHECK(beam.codes == feedback.codes);
  CHECK(beam.codes != start.codes);
}

TEST_CASE("A beam that loses nobody finds the best of all nearest pairs", "[search][reference]") {
  Rng rng(73);
  const Index n_in = 8;
  const Layer layer = basin::test::random_layer<double>(5, n_in, 1, rng);
  // Two levels: the pairs are all there is.
  const Weight weight = basin::test::random_levels<double>(5, n_in, {-1, 1}, false, rng);
  Weight got = weight;
  LevelBeam{.beam_size = 256, .damping = 0, .sweeps = 0}.search(layer, got);
  for (Index o = 0; o < 5; ++o) {
    double lowest = std::numeric_limits<double>::infinity();
    for (int codes = 0; codes < 256; ++codes) {
      Dense error = layer.weight().row(o);
      for (Index i = 0; i < n_in; ++i) error(0, i) -= weight.value(o, static_cast<std::uint8_t>(codes >> i & 1));
      lowest = std::min(lowest, (error * layer.hessian()).cwiseProduct(error).sum());
    }
    CHECK(std::abs(layer.row_losses(got.decode())(o) - lowest) <= 1e-10 * lowest);
  }
}

TEST_CASE("Wider beams lower the loss of layers with correlated inputs", "[search][property]") {
  Rng rng(74);
  double feedback = 0, narrow = 0, wide = 0, swept = 0;
  for (int layers = 0; layers < 5; ++layers) {
    const Layer layer = basin::test::random_layer<double>(30, 60, 1, rng);
    const Weight start = basin::test::rounded_weight(layer.weight(), mnz);
    const auto loss = [&](const LevelBeam& beam) { return basin::test::total_loss(layer, found(layer, start, beam)); };
    feedback += loss({.beam_size = 1, .sweeps = 0});
    narrow += loss({.beam_size = 4, .sweeps = 0});
    wide += loss({.beam_size = 16, .sweeps = 0});
    swept += loss({.beam_size = 16});
  }
  CHECK(narrow < feedback);
  CHECK(wide < narrow);
  CHECK(swept < wide);
}

TEST_CASE("LevelBeam names what is wrong", "[search][bad-input]") {
  using basin::test::contains_text;
  const Layer layer(Dense::Ones(2, 3), Dense::Identity(3, 3), 1);
  Weight weight = basin::test::rounded_weight(layer.weight(), mnz);
  CHECK_THROWS_WITH(LevelBeam{.beam_size = 0}.search(layer, weight), contains_text("beam_size must be in [1, 4096], got 0"));
  CHECK_THROWS_AS(LevelBeam{.beam_size = 5000}.search(layer, weight), basin::ValueError);
  CHECK_THROWS_AS(LevelBeam{.damping = -1}.search(layer, weight), basin::ValueError);
  CHECK_THROWS_AS(LevelBeam{.sweeps = -1}.search(layer, weight), basin::ValueError);
}
