#include <basin/pipeline/quantizer.hpp>  // first: proves the header stands alone

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/pipeline/store.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/scripted.hpp"
#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using basin::Index;
using basin::Quantizer;
using basin::QuantizerOptions;
using basin::RunContext;
using basin::Scheme;
using basin::test::Rng;
using Floats = basin::Matrix<float>;
using Doubles = basin::Matrix<double>;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {
const Floats one = Floats::Ones(1, 1);
const Doubles unit = Doubles::Ones(1, 1);

auto scripted(double init, std::vector<double> errors, QuantizerOptions options = {}) {
  return Quantizer(basin::DiagonalBlocks{}, basin::test::ScriptedInit{init}, basin::test::ScriptedSearch{std::move(errors)},
                   basin::test::NoUpdate{}, options);
}
using Default = Quantizer<basin::ConditionalBlocks, basin::OaEm, basin::JointBeam, basin::LeastSquares>;
Default quantizer(QuantizerOptions options = {.max_epochs = 3}) {
  return {basin::ConditionalBlocks{}, basin::OaEm{.kmeans = {.max_iterations = 10}}, basin::JointBeam{.beam_size = 2}, basin::LeastSquares{}, options};
}
struct Problem {
  Floats weight;
  Doubles hessian;
  Problem(Index n_out, Index n_in, std::uint64_t seed, Index tokens = 0) {
    Rng rng(seed);
    weight = basin::test::normal_matrix<float>(n_out, n_in, rng);
    hessian = basin::test::gram_matrix(n_in, tokens > 0 ? tokens : 4 * n_in, rng);
  }
};
const Scheme small{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};

/// The relative error of a stored layer in double, from its bytes alone.
double stored_error(const basin::AdditiveWeight<float>& weight, const Floats& w, const Doubles& h) {
  const Doubles exact = w.cast<double>();
  const Doubles decoded = basin::load<double>(basin::store(weight)).decode().leftCols(w.cols());
  const Doubles error = exact - decoded;
  return (error * h).cwiseProduct(error).sum() / (exact * h).cwiseProduct(exact).sum();
}
}  // namespace

TEST_CASE("A quantizer stops after the epoch that no longer pays", "[pipeline][reference]") {
  // Epoch errors .5, .4, .399: the third epoch lowers the loss by .25 %.
  const auto result = scripted(.8, {.5, .4, .399, .1}).quantize(one, unit, basin::test::AnyNumber{});
  CHECK(result.report.epochs == 3);
  CHECK(result.report.loss_trace.size() == 1 + 3 + 1);  // the start, the epochs, what is stored
  CHECK_THAT(result.report.relative_error_after_init, WithinRel(.8, 1e-5));
  CHECK_THAT(result.report.relative_error_before_storing, WithinRel(.399, 1e-5));
  CHECK_THAT(result.report.relative_error, WithinRel(.1, 1e-5));  // the pass after rounding
  CHECK(result.report.loss_trace.back() == result.report.relative_error);
  CHECK(result.weight.rounded == 1);
  CHECK(result.report.bits_per_weight.total() == 6);

  CHECK(scripted(.8, {.5, .4, .399, .1}, {.tolerance = .002}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 5);
  CHECK(scripted(.8, {.5, .4, .399, .1}, {.tolerance = .25}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 2);
  CHECK(scripted(.8, {.5, .4, .3, .2}, {.max_epochs = 2}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 2);
  // A loss that rises ends the run even if no gain is asked for; one that stands still does not.
  CHECK(scripted(.8, {.5, .6, .1}, {.tolerance = 0}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 2);
  CHECK(scripted(.8, {.5, .5, .5}, {.max_epochs = 7, .tolerance = 0}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 7);
  // Nothing is left to gain at zero.
  CHECK(scripted(0, {}).quantize(one, unit, basin::test::AnyNumber{}).report.epochs == 0);
}

TEST_CASE("Without epochs a quantizer starts, rounds and searches once", "[pipeline][reference]") {
  std::vector<std::uint64_t> seeds;
  std::vector<int> rounded;
  const Quantizer quick(basin::DiagonalBlocks{}, basin::test::ScriptedInit{.8}, basin::test::ScriptedSearch{{.3}, &seeds, &rounded},
                        basin::test::NoUpdate{}, {.max_epochs = 0, .seed = 5});
  const auto report = quick.quantize(one, unit, basin::test::AnyNumber{}).report;
  CHECK(report.epochs == 0);
  CHECK_THAT(report.relative_error_before_storing, WithinRel(.8, 1e-5));
  CHECK_THAT(report.relative_error, WithinRel(.3, 1e-5));
  CHECK(seeds == std::vector<std::uint64_t>{5});
  CHECK(rounded == std::vector<int>{1});
}

TEST_CASE("Every run starts from a fresh updater, and keeps it for all epochs", "[pipeline][property]") {
  int most = 0;
  const Quantizer counting(basin::DiagonalBlocks{}, basin::test::ScriptedInit{.8}, basin::test::ScriptedSearch{{.5, .4, .3}},
                           basin::test::CountingUpdate{&most}, {.max_epochs = 3});
  for (int run = 0; run < 2; ++run) {
    static_cast<void>(counting.quantize(one, unit, basin::test::AnyNumber{}));
    CHECK(most == 3);
  }
}

TEST_CASE("A loss that is not finite is an error", "[pipeline][bad-input]") {
  CHECK_THROWS_WITH(scripted(.8, {.5, std::numeric_limits<double>::infinity()}).quantize(one, unit, basin::test::AnyNumber{}),
                    basin::test::contains_text("epoch 1"));
}

TEST_CASE("A quantizer refuses options that cannot be", "[pipeline][bad-input]") {
  CHECK_THROWS_AS(scripted(.8, {}, {.max_epochs = -1}), basin::ValueError);
  for (const double tolerance : {-.1, 1.0, 2.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(scripted(.8, {}, {.tolerance = tolerance}), basin::ValueError);
}

TEST_CASE("fp16 codebooks after search: what is reported is what is stored", "[pipeline][reference][pitfall]") {
  const Index n_in = GENERATE(40, 37);
  const Problem p(24, n_in, 1);
  const auto [weight, report] = quantizer().quantize(p.weight, p.hessian, small);
  CHECK_THAT(report.relative_error, WithinRel(stored_error(weight, p.weight, p.hessian), 1e-6));
  const basin::AdditiveLayer layer = basin::store(weight);
  CHECK(basin::load<float>(layer).decode() == weight.decode());

  const double weights = static_cast<double>(p.weight.size());
  CHECK_THAT(report.bits_per_weight.codes, WithinRel(static_cast<double>(layer.codes.size()) * 3 / weights, 1e-12));
  CHECK_THAT(report.bits_per_weight.codebooks, WithinRel(static_cast<double>(layer.codebooks.size()) * 16 / weights, 1e-12));
  CHECK_THAT(report.bits_per_weight.scales, WithinRel(static_cast<double>(layer.scales.size()) * 16 / weights, 1e-12));
  CHECK(report.scheme == "2x3g4");
  CHECK(report.n_out == 24);
  CHECK(report.n_in == n_in);
  CHECK_THAT(report.rho, WithinRel(24.0 * 10 / 64, 1e-12));
  CHECK(report.loss_trace.front() == report.relative_error_after_init);
  CHECK(report.loss_trace.back() == report.relative_error);
  for (std::size_t i = 1; i + 1 < report.loss_trace.size(); ++i) CHECK(report.loss_trace[i] <= report.loss_trace[i - 1] * (1 + 1e-5));
  CHECK(report.relative_error < report.relative_error_after_init);
  // Rounding to fp16 costs little, and the pass after it wins some back.
  CHECK(report.relative_error <= report.relative_error_before_storing * 1.01);
  CHECK(report.seconds.total >= report.seconds.init + report.seconds.update + report.seconds.search);
}

TEST_CASE("non-determinism: the same seed gives the same bits on any threads, another seed others", "[pipeline][property][pitfall]") {
  const Problem p(100, 48, 2);
  const auto serial = quantizer().quantize(p.weight, p.hessian, small);
  for (const Index threads : {Index{2}, Index{7}}) {
    basin::test::Threads executor{threads};
    RunContext context;
    context.executor = executor;
    const auto threaded = quantizer().quantize(p.weight, p.hessian, small, context);
    CHECK(threaded.weight.codes == serial.weight.codes);
    CHECK(threaded.weight.codebooks.values() == serial.weight.codebooks.values());
    CHECK(threaded.weight.scales == serial.weight.scales);
    CHECK(threaded.report.loss_trace == serial.report.loss_trace);
  }
  const auto other = quantizer({.max_epochs = 3, .seed = 1}).quantize(p.weight, p.hessian, small);
  CHECK(other.weight.codes != serial.weight.codes);
}

TEST_CASE("Progress names stages in order, with errors as they are known", "[pipeline][property]") {
  const Problem p(16, 16, 3);
  std::vector<std::string> stages;
  std::vector<Index> steps;
  std::vector<double> fractions;
  RunContext context;
  context.progress = [&](const basin::Progress& where) {
    if (stages.empty() || stages.back() != where.stage || steps.back() != (where.stage == "init" ? 0 : where.step)) {
      stages.emplace_back(where.stage);
      steps.push_back(where.stage == "init" ? 0 : where.step);
    }
    CHECK(where.fraction >= 0);
    CHECK(where.fraction <= 1);
    CHECK((where.stage == "init" || where.relative_error >= 0));
  };
  static_cast<void>(quantizer({.max_epochs = 2, .tolerance = 0}).quantize(p.weight, p.hessian, small, context));
  CHECK(stages == std::vector<std::string>{"init", "update", "search", "update", "search", "store"});
  CHECK(steps == std::vector<Index>{0, 0, 0, 1, 1, 2});
}

TEST_CASE("A host that asks to stop is obeyed at every stage", "[pipeline][property]") {
  const Problem p(16, 16, 4);
  const std::string stage = GENERATE("init", "update", "search", "store");
  CAPTURE(stage);
  std::stop_source source;
  RunContext context;
  context.stop = source.get_token();
  bool asked = false;
  int later = 0;
  context.progress = [&](const basin::Progress& where) {
    if (asked && where.stage != stage) ++later;
    if (where.stage == stage && (stage != "search" || where.step == 1)) {
      source.request_stop();
      asked = true;
    }
  };
  CHECK_THROWS_AS(quantizer({.max_epochs = 3, .tolerance = 0}).quantize(p.weight, p.hessian, small, context), basin::Cancelled);
  CHECK(asked);
  CHECK(later == 0);
}

namespace {
/// Threads of a host that has better things to do: every task takes a while.
struct SlowExecutor {
  std::chrono::milliseconds pause{20};
  void operator()(Index n, basin::TaskRef task) const {
    for (Index i = 0; i < n; ++i) {
      std::this_thread::sleep_for(pause);
      task(i);
    }
  }
};
}  // namespace

TEST_CASE("A stage that takes long gives signs of life and stops within a fraction of a second", "[pipeline][property]") {
  using Clock = std::chrono::steady_clock;
  const Problem p(640, 16, 5);
  const std::string stage = GENERATE("init", "update", "search");
  CAPTURE(stage);
  SlowExecutor slow;
  std::stop_source source;
  RunContext context{.executor = slow, .stop = source.get_token()};
  Clock::time_point heard = Clock::now(), asked{};
  Clock::duration silence{};
  context.progress = [&](const basin::Progress& where) {
    silence = std::max(silence, Clock::now() - heard);
    heard = Clock::now();
    CHECK(where.part >= 0);
    CHECK(where.part <= 1);
    if (where.stage != stage || where.part == 0) return;  // not inside a loop
    source.request_stop();
    asked = Clock::now();
  };
  CHECK_THROWS_AS(quantizer({.max_epochs = 1, .tolerance = 0}).quantize(p.weight, p.hessian, small, context), basin::Cancelled);
  REQUIRE(asked != Clock::time_point{});
  CHECK(Clock::now() - asked < std::chrono::seconds(1));
  CHECK(silence < std::chrono::seconds(2));
}

namespace {
/// Twenty lines of a host: codewords drawn from a fixed stream, whatever the layer; a metric, a searcher
/// and an updater of its own.
struct RandomInit {
  template <std::floating_point T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks& blocks,
                                                    const Scheme& scheme, std::uint64_t seed, const RunContext& context) const {
    Rng rng(seed);
    auto weight = basin::test::random_weight<T>(layer.n_out(), layer.padded_in(), scheme, rng);
    weight.n_in = layer.n_in();
    context.decided("random_init", basin::concat("blocks of ", blocks.group_size()));
    return weight;
  }
};
struct ScaledIdentity {
  [[nodiscard]] basin::HessianBlocks blocks(basin::ConstMatrixRef<double> hessian, Index g) const {
    basin::HessianBlocks blocks((hessian.rows() + g - 1) / g, g);
    for (Index j = 0; j < blocks.num_groups(); ++j) blocks.block(j).diagonal().setConstant(hessian.trace());
    return blocks;
  }
};
struct TwoPasses {
  basin::BeamSearch inner{.beam_size = 1};
  template <class T>
  void search(const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight, std::uint64_t seed, std::uint64_t pass,
              const RunContext& context) const {
    inner.search(layer, weight, seed, 2 * pass, context);
    inner.search(layer, weight, seed, 2 * pass + 1, context);
  }
};
struct Shrink {
  template <class T>
  void update(const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight, const RunContext& context) const {
    const auto before = weight.scales;
    const double loss = layer.loss(weight.decode(context), context);
    weight.scales *= T(0.95);
    if (layer.loss(weight.decode(context), context) > loss) weight.scales = before;
  }
};
}  // namespace

TEST_CASE("A host's own metric, initializer, searcher and updater plug in", "[pipeline][property]") {
  const Problem p(20, 22, 5);
  const Quantizer own(ScaledIdentity{}, RandomInit{}, TwoPasses{}, Shrink{}, {.max_epochs = 4});
  const auto [weight, report] = own.quantize(p.weight, p.hessian, small);
  CHECK_THAT(report.relative_error, WithinRel(stored_error(weight, p.weight, p.hessian), 1e-6));
  CHECK(report.relative_error < 0.5 * report.relative_error_after_init);
  REQUIRE(report.notes.size() == 1);
  CHECK(report.notes[0] == std::pair<std::string, std::string>{"random_init", "blocks of 4"});
}

TEST_CASE("non-divisible shapes: inputs that do not divide into groups are padded exactly", "[pipeline][property][pitfall]") {
  const Problem p(20, 22, 6);
  Floats w = Floats::Zero(20, 24);
  Doubles h = Doubles::Zero(24, 24);
  w.leftCols(22) = p.weight;
  h.topLeftCorner(22, 22) = p.hessian;
  // From a start that does not look at the layer, update and search see the same numbers.
  const Quantizer from_random(basin::DiagonalBlocks{}, RandomInit{}, basin::JointBeam{}, basin::LeastSquares{}, {.max_epochs = 3});
  const auto padded = from_random.quantize(p.weight, p.hessian, small);
  const auto spelled_out = from_random.quantize(w, h, small);
  CHECK(padded.weight.codes == spelled_out.weight.codes);
  CHECK(padded.weight.codebooks.values() == spelled_out.weight.codebooks.values());
  CHECK(padded.report.loss_trace == spelled_out.report.loss_trace);
  CHECK(padded.report.n_in == 22);
  CHECK(padded.report.bits_per_weight.codes > spelled_out.report.bits_per_weight.codes);  // padding is not a weight
}

TEST_CASE("H = 0, K > N, zero rows: layers without much in them are quantized all the same", "[pipeline][property][pitfall]") {
  Problem p(12, 18, 7);
  const auto check = [&](const Scheme& scheme) {
    const auto [weight, report] = quantizer().quantize(p.weight, p.hessian, scheme);
    CHECK(weight.decode().allFinite());
    CHECK(std::isfinite(report.relative_error));
    CHECK(report.relative_error <= report.relative_error_after_init * 1.01 + 1e-6);
    // Decoding in float takes M + 2 roundings of at most the absolute sum of the codewords; in the norm
    // of H they move the error by what they are worth where all of them point the same way.
    if (report.relative_error > 0 && p.hessian.norm() > 0) {
      auto magnitude = weight;
      magnitude.codebooks.values() = magnitude.codebooks.values().cwiseAbs();
      const Doubles rounding = (scheme.num_codebooks + 2) * 0x1p-24 *
                               magnitude.decode().leftCols(18).cwiseAbs().cast<double>();
      const double moved = (rounding * p.hessian.diagonal().cwiseSqrt()).squaredNorm();
      const Doubles exact = p.weight.cast<double>();
      const double share = moved / (exact * p.hessian).cwiseProduct(exact).sum();
      CHECK_THAT(report.relative_error, WithinAbs(stored_error(weight, p.weight, p.hessian),
                                                  2 * std::sqrt(report.relative_error * share) + share));
    }
    return weight;
  };
  SECTION("fewer groups than codewords") {
    const auto weight = check({2, 8, 4, 1});
    CHECK((weight.decode().leftCols(18) - p.weight).norm() < 0.02 * p.weight.norm());
  }
  SECTION("one row, one input") {
    p.weight = Floats::Constant(1, 1, -3);
    p.hessian = Doubles::Constant(1, 1, 2);
    check({1, 1, 8, 1});
  }
  SECTION("rows of zeros") {
    p.weight.row(0).setZero();
    p.weight.row(7).setZero();
    const auto weight = check(small);
    CHECK(weight.decode().row(0).cwiseAbs().maxCoeff() < 1e-6);
    CHECK(weight.decode().row(7).cwiseAbs().maxCoeff() < 1e-6);
  }
  SECTION("a weight of zeros") {
    p.weight.setZero();
    const auto weight = check(small);
    CHECK(weight.decode().cwiseAbs().maxCoeff() < 1e-6);
  }
  SECTION("dead inputs") {
    for (const Index i : {0, 1, 2, 3, 9}) {
      p.hessian.row(i).setZero();
      p.hessian.col(i).setZero();
    }
    check(small);
  }
  SECTION("H of zeros") {
    p.hessian.setZero();
    const auto [weight, report] = quantizer().quantize(p.weight, p.hessian, small);
    CHECK(report.relative_error == 0);
    CHECK(report.epochs == 0);
    CHECK((weight.decode().leftCols(18) - p.weight).norm() < 0.9 * p.weight.norm());  // k-means all the same
  }
  SECTION("fewer tokens than inputs") {
    p.hessian = Problem(12, 18, 8, 5).hessian;
    check(small);
  }
  SECTION("one token") {
    p.hessian = Problem(12, 18, 9, 1).hessian;
    check(small);
  }
  SECTION("duplicated inputs") {
    p.hessian.row(5) = p.hessian.row(4).eval();
    p.hessian.col(5) = p.hessian.col(4).eval();
    p.hessian(5, 5) = p.hessian(4, 4);
    check(small);
  }
  SECTION("very large and very small numbers") {
    p.weight *= 1e-3f;
    p.hessian *= 1e8;
    check(small);
    p.hessian *= 1e-20;
    check(small);
  }
}

TEST_CASE("NaN / Inf: a quantizer names what is wrong with W and H", "[pipeline][bad-input][pitfall]") {
  using basin::test::contains_text;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Problem p(4, 8, 10);
  const auto run = [&] { static_cast<void>(quantizer().quantize(p.weight, p.hessian, small)); };
  SECTION("NaN in W") {
    p.weight(2, 5) = nan;
    CHECK_THROWS_WITH(run(), contains_text("W[2, 5]"));
  }
  SECTION("infinity in H") {
    p.hessian(3, 1) = p.hessian(1, 3) = std::numeric_limits<double>::infinity();
    CHECK_THROWS_WITH(run(), contains_text("H[1, 3]"));
  }
  SECTION("an asymmetric H") {
    p.hessian(3, 1) += 1;
    CHECK_THROWS_WITH(run(), contains_text("symmetric"));
  }
  SECTION("an indefinite H") {
    p.hessian = -p.hessian;
    CHECK_THROWS_WITH(run(), contains_text("positive semidefinite"));
  }
  SECTION("an H of another layer") {
    p.hessian = Doubles::Identity(7, 7);
    CHECK_THROWS_WITH(run(), contains_text("[8, 8]") && contains_text("[7, 7]"));
    CHECK_THROWS_AS(run(), basin::ShapeError);
  }
  SECTION("an impossible scheme") {
    CHECK_THROWS_AS(quantizer().quantize(p.weight, p.hessian, Scheme{9, 8, 4, 1}), basin::ValueError);
    CHECK_THROWS_AS(quantizer().quantize(p.weight, p.hessian, Scheme{2, 17, 4, 1}), basin::ValueError);
    CHECK_THROWS(quantizer().quantize(p.weight, p.hessian, Scheme{2, 8, 0, 1}));
    CHECK_THROWS_AS(quantizer().quantize(p.weight, p.hessian, Scheme{2, 2, 4, 3}), basin::ShapeError);
  }
  SECTION("a beam wider than there are tuples") {
    CHECK_THROWS_WITH(quantizer().quantize(p.weight, p.hessian, Scheme{1, 0, 4, 1}), contains_text("scheme"));
    const Default wide(basin::ConditionalBlocks{}, basin::OaEm{}, basin::JointBeam{.beam_size = 5}, basin::LeastSquares{}, {});
    CHECK_THROWS_WITH(wide.quantize(p.weight, p.hessian, Scheme{1, 2, 4, 1}), contains_text("beam_size 5 exceeds the 4"));
  }
}

namespace {
/// A host's rotation of its inputs.
struct Rotation {
  Doubles axes;  // [n, n], orthogonal
  template <class T>
  void apply(basin::Matrix<T>& rows) const {
    rows = (rows * axes.template cast<T>()).eval();
  }
  template <class T>
  void invert(basin::Matrix<T>& rows) const {
    rows = (rows * axes.transpose().template cast<T>()).eval();
  }
};
}  // namespace

TEST_CASE("A rotated quantizer minimises the same objective in rotated inputs", "[pipeline][property]") {
  const Problem p(16, 16, 11);
  Rng rng(12);
  const Rotation rotation{basin::test::orthogonal_matrix(16, rng)};
  const Quantizer rotated(basin::DiagonalBlocks{}, basin::OaEm{}, basin::BeamSearch{}, basin::LeastSquares{}, {.max_epochs = 2}, rotation);
  const auto [weight, report] = rotated.quantize(p.weight, p.hessian, small);
  Floats decoded = weight.decode();
  rotation.invert(decoded);
  const Doubles error = p.weight.cast<double>() - decoded.cast<double>(), exact = p.weight.cast<double>();
  CHECK_THAT(report.relative_error,
             WithinRel((error * p.hessian).cwiseProduct(error).sum() / (exact * p.hessian).cwiseProduct(exact).sum(), 1e-4));
}
