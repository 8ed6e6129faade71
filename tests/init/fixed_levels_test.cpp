#include <basin/init/fixed_levels.hpp>  // first: proves the header stands alone

#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>

#include <algorithm>
#include <cstdint>
#include <stop_token>
#include <tuple>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

using namespace basin;

namespace {
using Sets = std::tuple<MirrorNoZero, PowerOfTwoMirrorNoZero, Ternary, SymmetricInteger<2>, SymmetricInteger<4>, AsymmetricInteger<2>>;

template <class T>
double squared_error(const LayerObjective<T>& layer, const LevelWeight<T>& weight) {
  return (layer.weight() - weight.decode()).template cast<double>().squaredNorm();
}
template <class T>
bool same(const LevelWeight<T>& a, const LevelWeight<T>& b) {
  return a.codes == b.codes && a.scales == b.scales && a.zero_points == b.zero_points && a.levels == b.levels;
}
}  // namespace

TEMPLATE_LIST_TEST_CASE("FixedLevels starts a layer as the pipeline expects", "[init][property]", Sets) {
  test::Rng rng(73);
  for (const Index n_in : {Index{24}, Index{22}, Index{1}}) {
    CAPTURE(n_in);
    test::SyntheticLayer made = test::synthetic_layer(8, n_in, rng);
    made.weight.row(5).setZero();
    const LayerObjective<float> layer(made.weight.cast<float>(), made.hessian, 1);
    const auto start = [&](std::uint64_t seed, const RunContext& context = {}) {
      return FixedLevels{}.initialize(layer, HessianBlocks{}, TestType{}, seed, context);
    };
    const LevelWeight<float> weight = start(11);
    CHECK(weight.levels == std::vector<float>(TestType::values.begin(), TestType::values.end()));
    CHECK(weight.n_out() == 8);
    CHECK(weight.n_in() == n_in);
    CHECK(weight.codes.maxCoeff() < TestType::values.size());
    CHECK(weight.scales.allFinite());
    CHECK((weight.scales.array() >= 0).all());
    CHECK((weight.zero_points.size() == 8) == ShiftedLevelSet<TestType>);
    CHECK(weight.decode().row(5).isZero(0));
    CHECK(squared_error(layer, weight) < layer.weight().template cast<double>().squaredNorm());
    // Nothing is random, and threads change nothing.
    CHECK(same(start(12), weight));
    for (const Index count : {2, 7}) {
      test::Threads threads{count};
      CHECK(same(start(11, {.executor = threads}), weight));
    }
    std::stop_source source;
    source.request_stop();
    CHECK_THROWS_AS(start(11, {.stop = source.get_token()}), Cancelled);
  }
}

TEST_CASE("FixedLevels has the golden loss", "[init][reference]") {
  const test::F7 f7;
  const LayerObjective<double> layer(f7.weight, f7.hessian, 1);
  const auto weight = FixedLevels{.clip = {.power = ErrorPower::squared}}.initialize(
      layer, HessianBlocks{}, MirrorNoZero{}, 0, RunContext{});
  const Matrix<double> damped = f7.hessian + 0.01 * f7.hessian.diagonal().mean() * Matrix<double>::Identity(16, 16);
  CHECK_THAT(static_cast<double>(test::layer_loss(f7.weight, weight.decode(), damped)),
             Catch::Matchers::WithinRel(175.165027006, 1e-9));
}

TEST_CASE("Refinements lower the squared error of the start", "[init][property]") {
  test::Rng rng(2);
  const auto made = test::synthetic_layer(16, 64, rng);
  const LayerObjective<double> layer(made.weight, made.hessian, 1);
  const auto error = [&](int refinements) {
    return squared_error(layer, FixedLevels{.clip = {.power = ErrorPower::squared}, .refinements = refinements}.initialize(
                                    layer, HessianBlocks{}, MirrorNoZero{}, 0, RunContext{}));
  };
  CHECK(error(1) < error(0));
  CHECK(error(10) <= error(1));
}

TEST_CASE("Inputs padded for groups have codes too", "[init][property]") {
  test::Rng rng(3);
  const auto made = test::synthetic_layer(4, 10, rng);
  const LayerObjective<float> layer(made.weight.cast<float>(), made.hessian, 8);
  const auto weight = FixedLevels{}.initialize(layer, HessianBlocks{}, MirrorNoZero{}, 0, RunContext{});
  CHECK(weight.n_in() == 16);
  CHECK(layer.loss(weight.decode()) < layer.weight_energy());
}
