#include <basin/search/coordinate_refinement.hpp>  // first: proves the header stands alone

#include <Eigen/LU>

#include <cmath>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
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

namespace {
/// Nearest multiples of a step, and how often it was asked; `tied` rows get the values of the first of them.
struct Lattice {
  double step = 0.5;
  Index tied = 1;
  Dense* codes = nullptr;
  void operator()(Index row, Index input, basin::ConstColumnsRef<double> target, basin::ColumnsRef<double> quantized) const {
    for (Index r = 0; r < target.rows(); ++r)
      for (Index j = 0; j < target.cols(); ++j) quantized(r, j) = std::round(target(r / tied * tied, j) / step) * step;
    if (codes) codes->block(row, input, target.rows(), target.cols()) = quantized / step;
  }
};
}  // namespace

TEST_CASE("Block refinement takes the moves of a sweep by the book", "[search][reference]") {
  Rng rng(67);
  const Index b = GENERATE(1, 4), n = 24, n_out = 200;  // beyond a task
  const Layer layer = basin::test::random_layer<double>(n_out, n, 1, rng);
  const Dense start = (layer.weight() / 0.5).array().round().matrix() * 0.5;
  Dense got = start, want = start, codes(n_out, n);
  basin::block_refinement<double>(layer, got, Lattice{.codes = &codes}, {.width = b, .sweeps = 2});
  for (int sweep = 0; sweep < 2; ++sweep)
    for (Index i = 0; i < n; i += b)
      for (Index o = 0; o < n_out; ++o) {
        const Dense block = layer.hessian().block(i, i, b, b);
        const Dense slope = ((layer.weight() - want).row(o) * layer.hessian()).middleCols(i, b);
        Dense trial = want.row(o);
        trial.middleCols(i, b) += slope * block.inverse();
        for (Index j = i; j < i + b; ++j) trial(0, j) = std::round(trial(0, j) / 0.5) * 0.5;
        const auto loss = [&](const Dense& row) {
          const Dense error = layer.weight().row(o) - row;
          return (error * layer.hessian()).cwiseProduct(error).sum();
        };
        if (loss(trial) < loss(want.row(o))) want.row(o) = trial;
      }
  CHECK(got == want);
  CHECK(got != start);
  CHECK(codes * 0.5 == got);  // the quantizer was told what stays
}

TEST_CASE("Block refinement with levels is coordinate refinement", "[search][reference]") {
  Rng rng(68);
  const Layer layer = basin::test::random_layer<double>(30, 40, 1, rng);
  const std::vector<double> levels{-1.5, -0.5, 0.5, 1.5};
  const basin::LevelWeight<double> start = basin::test::rounded_weight(layer.weight(), levels);
  basin::LevelWeight<double> want = start, got = start;
  basin::CoordinateRefinement{.sweeps = 1000}.search(layer, want);
  Dense values = start.decode();
  basin::block_refinement<double>(layer, values, basin::LevelQuantizer<double>(got), {.width = 1, .sweeps = 1000});
  CHECK(got.codes == want.codes);
  CHECK(got.decode() == values);
}

TEST_CASE("Block refinement raises no loss, and rows that belong together move together", "[search][property]") {
  Rng rng(69);
  const Index together = GENERATE(1, 2, 4), n_out = 8, n = 32;
  const Layer layer = basin::test::random_layer<double>(n_out, n, 1, rng);
  Dense values = Dense::Zero(n_out, n);
  double last = layer.loss(values);
  for (int sweep = 0; sweep < 6; ++sweep) {
    const basin::Vector<double> before = layer.row_losses(values);
    basin::block_refinement<double>(layer, values, Lattice{.tied = together}, {.width = 8, .sweeps = 1, .rows_together = together});
    const basin::Vector<double> after = layer.row_losses(values);
    for (Index o = 0; o < n_out; o += together) {
      CHECK(after.segment(o, together).sum() <= before.segment(o, together).sum() * (1 + 1e-12));
      for (Index r = 1; r < together; ++r) CHECK(values.row(o + r) == values.row(o));
    }
    CHECK(after.sum() <= last * (1 + 1e-12));
    last = after.sum();
  }
  CHECK(last < (together == 1 ? 0.5 : 1.0) * layer.weight_energy());  // rows that share values cannot fit as well
  Dense again = values;
  basin::block_refinement<double>(layer, again, Lattice{.tied = together}, {.width = 8, .sweeps = 100, .rows_together = together});
  Dense rest = again;
  basin::block_refinement<double>(layer, rest, Lattice{.tied = together}, {.width = 8, .sweeps = 1, .rows_together = together});
  CHECK(rest == again);
  basin::test::Threads threads{3};
  Dense pooled = values;
  basin::block_refinement<double>(layer, pooled, Lattice{.tied = together}, {.width = 8, .sweeps = 100, .rows_together = together},
                                  {.executor = threads});
  CHECK(pooled == again);
}

TEST_CASE("Block refinement leaves dead inputs, names what is wrong and stops when asked", "[search][bad-input]") {
  using basin::test::contains_text;
  Dense h = Dense::Identity(8, 8);
  h.topLeftCorner(4, 4).setZero();
  const Layer layer(Dense::Constant(4, 8, 0.7), h, 1);
  Dense values = Dense::Zero(4, 8);
  basin::block_refinement<double>(layer, values, Lattice{}, {.width = 4});
  CHECK(values.leftCols(4).isZero(0));
  CHECK(values.rightCols(4) == Dense::Constant(4, 4, 0.5));
  CHECK_THROWS_WITH((basin::block_refinement<double>(layer, values, Lattice{}, {.width = 3})), contains_text("blocks of 3 inputs"));
  CHECK_THROWS_WITH((basin::block_refinement<double>(layer, values, Lattice{}, {.rows_together = 3})), contains_text("3 rows together"));
  CHECK_THROWS_AS((basin::block_refinement<double>(layer, values, Lattice{}, {.sweeps = -1})), basin::ValueError);
  Dense foreign = Dense::Zero(4, 4);
  CHECK_THROWS_AS((basin::block_refinement<double>(layer, foreign, Lattice{}, {.width = 4})), basin::ShapeError);
  std::stop_source stop;
  const auto stopping = [&](Index, Index, basin::ConstColumnsRef<double> target, basin::ColumnsRef<double> out) {
    out = target;
    stop.request_stop();
  };
  CHECK_THROWS_AS((basin::block_refinement<double>(layer, values, stopping, {.width = 4}, {.stop = stop.get_token()})),
                  basin::Cancelled);
}
