#include <basin/metric/compensated_weight.hpp>  // first: proves the header stands alone
#include <basin/metric/cross_gram.hpp>
#include <basin/metric/gram.hpp>

#include <Eigen/QR>

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using basin::compensated_weight;
using basin::Compensation;
using basin::Index;
using Dense = basin::Matrix<double>;
using Weight = basin::Matrix<float>;

namespace {
/// A layer whose inputs have drifted by a tenth, correlated with what is left of them.
struct Drifted {
  Weight weight, original, now, deficit_outputs;
  Dense hessian, deficit;

  explicit Drifted(Index n_out = 5, Index n_in = 8, Index tokens = 400) {
    basin::test::Rng rng(71);
    weight = basin::test::normal_matrix<float>(n_out, n_in, rng);
    original = basin::test::normal_matrix<float>(tokens, n_in, rng);
    const Weight mix = basin::test::normal_matrix<float>(n_in, n_in, rng) / 20;
    now = original + original * mix + basin::test::normal_matrix<float>(tokens, n_in, rng) / 10;
    deficit_outputs = (original - now) * weight.transpose();
    basin::GramAccumulator gram(n_in);
    gram.add(now);
    hessian = gram.hessian();
    basin::CrossGramAccumulator cross(n_out, n_in);
    cross.add(deficit_outputs, now);
    deficit = cross.mean();
  }
  /// Squared distance of the layer's outputs from the original model's.
  [[nodiscard]] double output_error(const Weight& w) const {
    return (original.cast<double>() * weight.cast<double>().transpose() - now.cast<double>() * w.cast<double>().transpose()).squaredNorm();
  }
};
}  // namespace

TEST_CASE("compensated_weight is the least-squares fit to the original outputs", "[metric][reference]") {
  const Drifted layer;
  const Weight got = compensated_weight(layer.weight, layer.deficit, layer.hessian, {.strength = 1, .damping = 0});
  const Dense x = layer.now.cast<double>(), y = layer.original.cast<double>() * layer.weight.cast<double>().transpose();
  const Dense want = x.colPivHouseholderQr().solve(y).transpose();
  // The deficit's outputs are rounded to float once, and so is the result.
  CHECK((got.cast<double>() - want).norm() <= 1e-5 * want.norm());
  CHECK(layer.output_error(got) <= (1 + 1e-6) * layer.output_error(want.cast<float>()));
  CHECK(layer.output_error(got) < layer.output_error(layer.weight));
}

TEST_CASE("compensated_weight moves by its strength, less with more damping", "[metric][property]") {
  const Drifted layer;
  const auto moved = [&](double strength, double damping) {
    return Dense((compensated_weight(layer.weight, layer.deficit, layer.hessian, {strength, damping}) - layer.weight).cast<double>());
  };
  const Dense whole = moved(1, 0.01);
  CHECK((moved(0.5, 0.01) - 0.5 * whole).norm() <= 1e-5 * whole.norm());
  CHECK(moved(0, 0.01) == Dense::Zero(5, 8));
  CHECK(moved(1, 1).norm() < whole.norm());
  CHECK(moved(1, 1e9).norm() < 1e-6 * whole.norm());
  double last = layer.output_error(layer.weight);
  for (const double strength : {0.25, 0.5, 0.75, 1.0}) {
    const double now = layer.output_error(compensated_weight(layer.weight, layer.deficit, layer.hessian, {strength, 0}));
    CHECK(now < last);
    last = now;
  }
}

TEST_CASE("compensated_weight gives the same bits on any number of threads", "[metric][property]") {
  const Drifted layer(230, 17);
  const Weight serial = compensated_weight(layer.weight, layer.deficit, layer.hessian);
  basin::test::Threads threads{3};
  CHECK(compensated_weight(layer.weight, layer.deficit, layer.hessian, {}, {.executor = threads}) == serial);
}

TEST_CASE("Without a deficit or without inputs the weight stays", "[metric][property]") {
  const Drifted layer;
  CHECK(compensated_weight(layer.weight, Dense::Zero(5, 8), layer.hessian) == layer.weight);
  CHECK(compensated_weight(layer.weight, layer.deficit, Dense::Zero(8, 8)) == layer.weight);
  Dense singular = layer.hessian;  // a dead input
  singular.row(3).setZero();
  singular.col(3).setZero();
  Dense deficit = layer.deficit;
  deficit.col(3).setZero();
  const Weight got = compensated_weight(layer.weight, deficit, singular);
  CHECK(got.allFinite());
  CHECK(got.col(3) == layer.weight.col(3));
}

TEST_CASE("compensated_weight names what is wrong", "[metric][bad-input]") {
  using basin::test::contains_text;
  const Drifted layer;
  CHECK_THROWS_WITH(compensated_weight(layer.weight, Dense::Zero(8, 5), layer.hessian), contains_text("W is [5, 8]"));
  CHECK_THROWS_AS(compensated_weight(layer.weight, layer.deficit, Dense::Identity(5, 5)), basin::ShapeError);
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(compensated_weight(layer.weight, layer.deficit, layer.hessian, {.strength = bad}), contains_text("[0, 1]"));
  CHECK_THROWS_AS(compensated_weight(layer.weight, layer.deficit, layer.hessian, {.strength = 1, .damping = -1}), basin::ValueError);
  Dense indefinite = Dense::Identity(8, 8);
  indefinite(0, 0) = -5;
  CHECK_THROWS_AS(compensated_weight(layer.weight, layer.deficit, indefinite), basin::ValueError);
  CHECK_THROWS_AS(compensated_weight(layer.weight, layer.deficit, -Dense::Identity(8, 8)), basin::ValueError);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Dense hessian = Dense::Identity(8, 8), deficit = layer.deficit;
    hessian(2, 2) = deficit(1, 4) = bad;
    CHECK_THROWS_WITH(compensated_weight(layer.weight, layer.deficit, hessian), contains_text("must be finite"));
    CHECK_THROWS_WITH(compensated_weight(layer.weight, deficit, layer.hessian), contains_text("must be finite"));
    CHECK_THROWS_AS(basin::damped_cholesky(hessian, 0.1), basin::ValueError);
    CHECK_THROWS_AS(basin::damped_cholesky(Dense::Identity(8, 8), bad), basin::ValueError);
    Weight weight = layer.weight;
    weight(0, 0) = static_cast<float>(bad);
    CHECK_THROWS_WITH(compensated_weight(weight, layer.deficit, layer.hessian), contains_text("must be finite"));
  }
}
