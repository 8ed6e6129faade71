#include <basin/search/subset_beam.hpp>  // first: proves the header stands alone

#include <basin/search/coordinate_refinement.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/levels.hpp"

using basin::Index;
using basin::SubsetBeam;
using basin::test::Rng;
using Dense = basin::Matrix<double>;
using Layer = basin::LayerObjective<double>;
using Weight = basin::LevelWeight<double>;

namespace {
const std::vector<double> mnz{-1.5, -0.5, 0.5, 1.5};

double row_loss(const Layer& layer, const Weight& weight, Index o) {
  const Dense error = layer.weight().row(o) - weight.decode().row(o);
  return (error * layer.hessian()).cwiseProduct(error).sum();
}
}  // namespace

TEST_CASE("One subset of everything and a beam that loses nobody find the optimum", "[search][reference]") {
  Rng rng(81);
  const Index n_in = 8;
  const Layer layer = basin::test::random_layer<double>(5, n_in, 1, rng);
  const Weight start = basin::test::random_levels<double>(5, n_in, {-1, 1}, false, rng);
  Weight got = start;
  SubsetBeam{.beam_size = 256, .damping = 0}.search(layer, got, 0, 0);
  for (Index o = 0; o < 5; ++o) {
    double lowest = std::numeric_limits<double>::infinity();
    Weight trial = start;
    for (int codes = 0; codes < 256; ++codes) {
      for (Index i = 0; i < n_in; ++i) trial.codes(o, i) = static_cast<std::uint8_t>(codes >> i & 1);
      lowest = std::min(lowest, row_loss(layer, trial, o));
    }
    CHECK(row_loss(layer, got, o) <= (1 + 1e-10) * lowest);
  }
}

TEST_CASE("Subsets of one input are coordinate descent in the order of the pass", "[search][reference]") {
  Rng rng(82);
  const bool with_zero_points = GENERATE(false, true);
  const Index n_in = 20;
  const Layer layer = basin::test::random_layer<double>(4, n_in, 1, rng);
  Weight got = basin::test::random_levels<double>(4, n_in, {-4, -1, 1, 4}, with_zero_points, rng), want = got;
  SubsetBeam{.beam_size = 1, .subset_inputs = 1, .passes = 2, .damping = 0}.search(layer, got, 7, 3);
  for (const std::uint64_t round : {std::uint64_t{0}, std::uint64_t{1}}) {
    auto random = basin::keyed_random(7, {0x5b5e7, 3, round});
    std::vector<Index> order = basin::detail::identity_order(n_in);
    basin::detail::shuffle(order, random);
    for (const Index i : order)
      for (Index o = 0; o < 4; ++o) {
        const Dense residual = layer.weight().row(o) - want.decode().row(o);
        const double target = want.value(o, want.codes(o, i)) + residual.row(0).dot(layer.hessian().row(i)) / layer.hessian()(i, i);
        want.codes(o, i) = basin::test::nearest_code(want, o, target);
      }
  }
  CHECK(got.codes == want.codes);
}

TEST_CASE("The detection order takes the input first that is worst to get wrong", "[search][reference]") {
  Rng rng(84);
  const Index n = GENERATE(1, 2, 9);
  const Dense h = basin::test::gram_matrix(n, 3 * n, rng);
  const std::vector<Index> order = basin::detail::detection_order(h.inverse());
  std::vector<Index> left = basin::detail::identity_order(n);
  for (const Index chosen : order) {
    const Dense inverse = Dense(h(left, left)).inverse();  // from scratch: of what has no code yet
    Index best = 0;
    for (Index i = 1; i < inverse.rows(); ++i)
      if (inverse(i, i) < inverse(best, best)) best = i;
    REQUIRE(chosen == left[static_cast<std::size_t>(best)]);
    left.erase(left.begin() + best);
  }
  CHECK(basin::detail::detection_order(Dense::Identity(4, 4)) == basin::detail::identity_order(4));  // ties
}

TEST_CASE("SubsetBeam moves codes that stand still one by one", "[search][property]") {
  Rng rng(83);
  const Layer layer = basin::test::random_layer<double>(20, 300, 1, rng);
  Weight weight = basin::test::rounded_weight(layer.weight(), mnz);
  basin::CoordinateRefinement{.sweeps = 1000}.search(layer, weight);
  const Weight rested = weight;
  double last = layer.loss(rested.decode());
  for (std::uint64_t pass = 0; pass < 3; ++pass) {
    SubsetBeam{.subset_inputs = 100, .passes = 1}.search(layer, weight, 1, pass);
    const double loss = layer.loss(weight.decode());
    CHECK(loss < last);
    last = loss;
  }
  const auto codes = [&](std::uint64_t seed, std::uint64_t pass) {
    Weight found = rested;
    SubsetBeam{}.search(layer, found, seed, pass);
    return found.codes;
  };
  CHECK(codes(1, 2) == codes(1, 2));
  CHECK(codes(1, 2) != codes(1, 3));
  CHECK(codes(1, 2) != codes(2, 2));
}

TEST_CASE("SubsetBeam names what is wrong", "[search][bad-input]") {
  using basin::test::contains_text;
  const Layer layer(Dense::Ones(2, 3), Dense::Identity(3, 3), 1);
  Weight weight = basin::test::rounded_weight(layer.weight(), mnz);
  CHECK_THROWS_WITH((SubsetBeam{.beam_size = 0}.search(layer, weight, 0, 0)), contains_text("[1, 4096], got 0"));
  CHECK_THROWS_AS((SubsetBeam{.beam_size = 5000}.search(layer, weight, 0, 0)), basin::ValueError);
  CHECK_THROWS_WITH((SubsetBeam{.subset_inputs = 0}.search(layer, weight, 0, 0)), contains_text("at least 1, got 0"));
  CHECK_THROWS_WITH((SubsetBeam{.passes = -1}.search(layer, weight, 0, 0)), contains_text("at least 0, got -1"));
  CHECK_THROWS_AS((SubsetBeam{.damping = -1}.search(layer, weight, 0, 0)), basin::ValueError);
}
