#include <basin/search/coordinate_refinement.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/levels.hpp"

using basin::CoordinateRefinement;
using basin::Index;
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
/// A sweep by the book: every code of every row tries all levels, losses from scratch.
void plain_sweep(const Layer& layer, Weight& weight) {
  for (Index o = 0; o < weight.n_out(); ++o)
    for (Index i = 0; i < weight.n_in(); ++i) {
      const std::uint8_t present = weight.codes(o, i);
      std::uint8_t best = present;
      double lowest = row_loss(layer, weight, o);
      for (std::size_t k = 0; k < weight.levels.size(); ++k) {
        weight.codes(o, i) = static_cast<std::uint8_t>(k);
        const double loss = row_loss(layer, weight, o);
        if (loss < lowest - 1e-12) {
          lowest = loss;
          best = static_cast<std::uint8_t>(k);
        }
      }
      weight.codes(o, i) = best;
    }
}
}  // namespace

TEST_CASE("CoordinateRefinement takes the moves of a sweep by the book", "[search][reference]") {
  const bool with_zero_points = GENERATE(false, true);
  const int sweeps = GENERATE(1, 2, 5);
  const Index n_in = GENERATE(1, 9, 20);
  CAPTURE(with_zero_points, sweeps, n_in);
  Rng rng(61);
  const Layer layer = basin::test::random_layer<double>(4, n_in, 1, rng);
  Weight got = basin::test::random_levels<double>(4, n_in, {-4, -1, 1, 4}, with_zero_points, rng), want = got;
  CoordinateRefinement{.sweeps = sweeps}.search(layer, got);
  for (int sweep = 0; sweep < sweeps; ++sweep) plain_sweep(layer, want);
  CHECK(got.codes == want.codes);
}

TEST_CASE("At rest no single code lowers a row's loss", "[search][property]") {
  Rng rng(62);
  const Index n_in = 270;  // three blocks
  const Layer layer = basin::test::random_layer<double>(3, n_in, 1, rng);
  Weight weight = basin::test::rounded_weight(layer.weight(), mnz);
  CoordinateRefinement{.sweeps = 100}.search(layer, weight);
  const Weight rested = weight;
  CoordinateRefinement{}.search(layer, weight);
  CHECK(weight.codes == rested.codes);
  const Dense product = (layer.weight() - weight.decode()) * layer.hessian();
  Index better = 0;
  for (Index o = 0; o < 3; ++o)
    for (Index i = 0; i < n_in; ++i)
      for (std::uint8_t k = 0; k < 4; ++k) {
        const double move = weight.value(o, k) - weight.value(o, weight.codes(o, i));
        better += -2 * move * product(o, i) + move * move * layer.hessian()(i, i) < -1e-10;
      }
  CHECK(better == 0);
}

TEST_CASE("Every sweep lowers the loss until nothing moves", "[search][property]") {
  Rng rng(63);
  const Layer layer = basin::test::random_layer<double>(10, 60, 1, rng);
  Weight weight = basin::test::random_levels<double>(10, 60, mnz, false, rng);
  double last = layer.loss(weight.decode());
  int moving = 0;
  for (;; ++moving) {
    const Weight before = weight;
    CoordinateRefinement{.sweeps = 1}.search(layer, weight);
    if (weight.codes == before.codes) break;
    const double loss = layer.loss(weight.decode());
    CHECK(loss < last);
    last = loss;
  }
  CHECK(moving > 1);
  Weight again = weight;
  CoordinateRefinement{.sweeps = 0}.search(layer, again);
  CHECK(again.codes == weight.codes);
}

TEST_CASE("A tie leaves the present code", "[search][property]") {
  const Layer layer(Dense::Zero(1, 3), Dense::Identity(3, 3), 1);
  Weight weight{{-1, 1}, basin::Matrix<std::uint8_t>(1, 3), basin::Vector<double>::Ones(1), {}};
  weight.codes << 1, 0, 1;
  const auto before = weight.codes;
  CoordinateRefinement{}.search(layer, weight);
  CHECK(weight.codes == before);
}

TEST_CASE("CoordinateRefinement refuses negative sweeps", "[search][bad-input]") {
  const Layer layer(Dense::Ones(1, 3), Dense::Identity(3, 3), 1);
  Weight weight = basin::test::rounded_weight(layer.weight(), mnz);
  CHECK_THROWS_WITH(CoordinateRefinement{.sweeps = -1}.search(layer, weight), basin::test::contains_text("got -1"));
}
