#include <basin/search/error_feedback.hpp>  // first: proves the header stands alone

#include <basin/levels/mirror_no_zero.hpp>
#include <basin/metric/block_ldl.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <tuple>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/levels.hpp"
#include "support/reference.hpp"

using basin::ConstColumnsRef;
using basin::ColumnsRef;
using basin::error_feedback;
using basin::ErrorFeedback;
using basin::FeedbackFactor;
using basin::FeedbackOptions;
using basin::Index;
using basin::LevelQuantizer;
using basin::VisitOrder;
using basin::test::rounded_weight;
using basin::test::Rng;
using Catch::Matchers::WithinRel;
using Dense = basin::Matrix<double>;
using Weight = basin::LevelWeight<double>;

namespace {
const std::vector<double> mnz(basin::MirrorNoZero::values.begin(), basin::MirrorNoZero::values.end());

Dense damped(const Dense& h, double fraction) {
  return h + fraction * h.diagonal().mean() * Dense::Identity(h.rows(), h.cols());
}

struct ByTheBook {
  Weight weight;
  double losses = 0;  ///< sum of e^2
};
/// GPTQ as published, on the inverse: w_{i..} -= e U_{i,i..} - w_i P_{i,i..}, one row at a time.
ByTheBook gptq(const Dense& original, const Dense& h, Weight weight, const Dense& drift = {}, double strength = 0) {
  const Dense u = h.inverse().llt().matrixU();
  Dense p = Dense::Zero(h.rows(), h.cols());
  if (drift.size() > 0) {
    const Dense above = (drift * u.transpose()).triangularView<Eigen::StrictlyUpper>();
    p = strength * above * u;
  }
  double losses = 0;
  for (Index o = 0; o < original.rows(); ++o) {
    basin::Vector<double> w = original.row(o).transpose();
    for (Index i = 0; i < w.size(); ++i) {
      const double target = w(i);
      weight.codes(o, i) = basin::test::nearest_code(weight, o, target);
      const double e = (target - weight.value(o, weight.codes(o, i))) / u(i, i);
      w.tail(w.size() - i) -= e * u.row(i).tail(w.size() - i).transpose() - target * p.row(i).tail(w.size() - i).transpose();
      losses += e * e;
    }
  }
  return {weight, losses};
}

/// Rounds every number to a multiple of `step` and keeps what it was given.
template <class T>
struct Rounding {
  T step;
  Dense targets, values;
  void operator()(Index row, Index input, ConstColumnsRef<T> target, ColumnsRef<T> quantized) {
    quantized = (target / step).array().round().matrix() * step;
    targets.block(row, input, target.rows(), target.cols()) = target.template cast<double>();
    values.block(row, input, target.rows(), target.cols()) = quantized.template cast<double>();
  }
  Rounding(T size, Index n_out, Index n_in) : step(size), targets(Dense::Zero(n_out, n_in)), values(targets) {}
};
}  // namespace

TEST_CASE("Error feedback has the golden losses and codes", "[search][reference]") {
  const basin::test::F7 f;
  const Dense h = damped(f.hessian, 0.01);
  Weight weight = rounded_weight(f.weight, mnz);
  CHECK_THAT(weight.scales(0), WithinRel(1.28827123811, 1e-9));
  CHECK_THAT((f.weight.row(0) - weight.decode().row(0)).squaredNorm(), WithinRel(1.96966982932, 1e-9));
  CHECK_THAT(static_cast<double>(basin::test::layer_loss(f.weight, weight.decode(), h)), WithinRel(175.165027006, 1e-9));

  const FeedbackFactor<double> factor(f.hessian, {.damping = 0.01});
  const basin::Vector<double> losses = error_feedback<double>(f.weight, factor, LevelQuantizer<double>(weight));
  CHECK_THAT(losses.sum(), WithinRel(161.260517892, 1e-9));
  CHECK_THAT(static_cast<double>(basin::test::layer_loss(f.weight, weight.decode(), h)), WithinRel(161.260517892, 1e-9));
  const std::vector<int> golden{2, 0, 2, 1, 1, 2, 3, 0, 1, 2, 2, 1, 3, 1, 0, 3};
  for (Index i = 0; i < 16; ++i) CHECK(weight.codes(0, i) == golden[static_cast<std::size_t>(i)]);
}

TEST_CASE("Error feedback takes the codes of GPTQ on the inverse", "[search][reference]") {
  Rng rng(41);
  const Index n_in = GENERATE(1, 7, 130, 300), n_out = GENERATE(1, 20);
  CAPTURE(n_in, n_out);
  const Dense w = basin::test::normal_matrix<double>(n_out, n_in, rng);
  const Dense h = basin::test::gram_matrix(n_in, 3 * n_in, rng);
  Weight weight = rounded_weight(w, mnz);
  const ByTheBook want = gptq(w, damped(h, 0.02), weight);
  const auto losses = error_feedback<double>(w, FeedbackFactor<double>(h, {.damping = 0.02}), LevelQuantizer<double>(weight));
  CHECK(weight.codes == want.weight.codes);
  CHECK(std::abs(losses.sum() - want.losses) <= 1e-9 * want.losses + 1e-25);
}

TEMPLATE_TEST_CASE("Losses of error feedback are those under the damped H", "[search][property]", float, double) {
  using T = TestType;
  Rng rng(42);
  const Index width = GENERATE(1, 4, 16);
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::descending, VisitOrder::shuffled);
  const Index n_in = 176, n_out = 200;  // beyond a panel, beyond a task
  CAPTURE(width, static_cast<int>(order));
  const basin::Matrix<T> w = basin::test::normal_matrix<T>(n_out, n_in, rng);
  const Dense h = basin::test::gram_matrix(n_in, 2 * n_in, rng);
  Rounding<T> rounding(T(0.7), n_out, n_in);
  const FeedbackFactor<T> factor(h, {.damping = 0.01, .width = width, .order = order}, 1, 2);
  const auto losses = error_feedback<T>(w, factor, rounding);
  const Dense error = w.template cast<double>() - rounding.values, product = error * damped(h, 0.01);
  // Targets are sums of n_in terms of the size of an error in T.
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (Index o = 0; o < n_out; ++o)
    CHECK_THAT(losses(o), WithinRel(product.row(o).dot(error.row(o)), 10 * static_cast<double>(n_in) * eps));
  CHECK((rounding.targets - rounding.values).cwiseAbs().maxCoeff() <= 0.351);  // every input was handed over once
}

TEMPLATE_TEST_CASE("A feedback factor is that of block_ldl, up to rounding", "[search][reference]", float, double) {
  using T = TestType;
  Rng rng(57);
  const Index width = GENERATE(1, 4, 24), n = GENERATE(24, 120, 312), block_inputs = GENERATE(128, 50);
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::descending);
  const double damping = GENERATE(0.01, 0.0);  // in T, in double
  CAPTURE(width, n, damping);
  const Dense h = basin::test::gram_matrix(n, 2 * n, rng);
  const FeedbackFactor<T> factor(h, {.damping = damping, .width = width, .order = order, .block_inputs = block_inputs});
  std::vector<Index> inputs;
  for (Index k = 0; k < n; ++k) inputs.push_back(factor.input(k));
  const basin::BlockLdl want = basin::block_ldl(h, damping, width, inputs);
  CHECK(std::abs(factor.damping() - want.damping) <= 1e-12 * want.damping);

  Dense upper = Dense::Identity(n, n), diagonal = Dense::Zero(n, n), moved(n, n);
  const Index panel = factor.panel_inputs();
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      if (i / width < j / width) upper(i, j) = static_cast<double>(factor.feedback(j / panel)[i * panel + j % panel]);
      moved(i, j) = h(inputs[static_cast<std::size_t>(i)], inputs[static_cast<std::size_t>(j)]);
    }
  for (Index k = 0; k < n; k += width) diagonal.block(k, k, width, width) = factor.diagonal(k);
  moved.diagonal().array() += factor.damping();
  // T is rounded once, and where damping allows it products of up to 128 terms are made in T, of factors with one rounding each.
  const auto eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double product_eps = damping > 0 ? eps : std::numeric_limits<double>::epsilon();
  const double bound = static_cast<double>(width) * (66 * product_eps + 1.5 * eps);
  const Dense difference = upper * diagonal * upper.transpose() - moved;
  const basin::Vector<double> size = moved.diagonal().cwiseSqrt();
  CHECK((difference.array().abs() <= bound * (size * size.transpose()).array()).all());
  CHECK(difference.norm() <= 2 * static_cast<double>(width) * eps * moved.trace());
}

TEST_CASE("A feedback factor of a nearly singular H is made in double", "[search][property]") {
  // Three inputs that are all but equal, beyond the first panel: in float the second pivot would be rounding.
  const Index n = 300;
  Dense h = Dense::Identity(n, n);
  for (const Index i : {0, 150, 299})
    for (const Index j : {0, 150, 299}) h(i, j) = i == j ? 1 + 1e-9 : 1;
  const double damping = 1e-12;
  const FeedbackFactor<float> factor(h, {.damping = damping});
  const basin::BlockLdl want = basin::block_ldl(h, damping);
  CHECK(factor.damping() == want.damping);
  CHECK((factor.diagonal(0) - want.diagonal.row(0)).norm() <= 1e-5 * want.diagonal(0, 0));
}

TEST_CASE("A feedback factor is the same bits on any number of threads", "[search][property]") {
  Rng rng(58);
  const Index n = 400, width = GENERATE(1, 8);
  const Dense h = basin::test::gram_matrix(n, 2 * n, rng), drift = basin::test::normal_matrix<double>(n, n, rng);
  const FeedbackFactor<float> serial = FeedbackFactor<float>::with_drift(h, drift, {.width = width});
  basin::test::Threads threads{3};
  const FeedbackFactor<float> pooled = FeedbackFactor<float>::with_drift(h, drift, {.width = width}, 0.25, {.executor = threads});
  const Index panel = serial.panel_inputs();
  for (Index p = 0; p * panel < n; ++p)
    for (Index i = 0; i < std::min(n, (p + 1) * panel) * panel; ++i)
      if (serial.feedback(p)[i] != pooled.feedback(p)[i] || serial.drift(p)[i] != pooled.drift(p)[i]) {
        CAPTURE(p, i);
        FAIL();
      }
  for (Index k = 0; k < n; k += width) CHECK(serial.diagonal(k) == pooled.diagonal(k));
}

TEST_CASE("Error feedback stops when the host asks", "[search][property]") {
  Rng rng(59);
  const Dense w = basin::test::normal_matrix<double>(4, 260, rng);
  const FeedbackFactor<double> factor(basin::test::gram_matrix(260, 520, rng));
  std::stop_source stop;
  Index calls = 0;
  const auto keep = [&](Index, Index, ConstColumnsRef<double> target, ColumnsRef<double> out) {
    out = target;
    if (++calls == 5) stop.request_stop();
  };
  const basin::RunContext context{.stop = stop.get_token()};
  CHECK_THROWS_AS(error_feedback<double>(w, factor, keep, context), basin::Cancelled);
  CHECK(calls == 128);  // the panel at work is finished, the next one is not begun
  calls = 0;
  CHECK_THROWS_AS(error_feedback<double>(w, factor, keep, context), basin::Cancelled);
  CHECK(calls == 0);
}

TEST_CASE("Blocks of inputs are quantized together, under identity diagonal blocks", "[search][reference]") {
  Rng rng(43);
  const Index b = 4, n_in = 12, n_out = 3;
  const Dense w = basin::test::normal_matrix<double>(n_out, n_in, rng);
  const Dense h = basin::test::gram_matrix(n_in, 40, rng);
  Rounding<double> rounding(0.5, n_out, n_in);
  const auto losses = error_feedback<double>(w, FeedbackFactor<double>(h, {.damping = 0, .width = b}), rounding);
  const basin::BlockLdl factors = basin::block_ldl(h, 0, b);
  const Dense upper = factors.upper(), error = w - rounding.values, eta = error * upper;
  CHECK((eta - (rounding.targets - rounding.values)).norm() <= 1e-12);
  basin::Vector<double> want = basin::Vector<double>::Zero(n_out);
  for (Index i = 0; i < n_in; i += b)
    for (Index o = 0; o < n_out; ++o) {
      const Dense part = eta.block(o, i, 1, b);
      want(o) += (part * factors.diagonal.middleRows(i, b) * part.transpose())(0, 0);
    }
  CHECK((losses - want).norm() <= 1e-12 * want.norm());

  // One block of all inputs: the plain quantizer.
  Rounding<double> whole(0.5, n_out, n_in);
  error_feedback<double>(w, FeedbackFactor<double>(h, {.width = n_in}), whole);
  CHECK(whole.targets == w);
}

TEST_CASE("The bits of error feedback depend on no block size, executor or other row", "[search][property]") {
  Rng rng(44);
  const Index n_in = 150, n_out = 230;
  const basin::Matrix<float> w = basin::test::normal_matrix<float>(n_out, n_in, rng);
  const Dense h = basin::test::gram_matrix(n_in, 2 * n_in, rng);
  const Index width = GENERATE(1, 2);
  const auto targets = [&](const basin::Matrix<float>& rows, Index block, const basin::RunContext& context = {}) {
    Rounding<float> rounding(0.6f, rows.rows(), n_in);
    const FeedbackFactor<float> factor(h, {.width = width, .block_inputs = block}, 0, 0, context);
    error_feedback<float>(rows, factor, rounding, context);
    return rounding.targets;
  };
  const Dense want = targets(w, 128);
  for (const Index block : {1, 3, 64, 1000}) CHECK(targets(w, block) == want);
  for (const Index count : {2, 7}) {
    basin::test::Threads threads{count};
    CHECK(targets(w, 128, {.executor = threads}) == want);
  }
  for (const Index o : {0, 100, 229}) CHECK(targets(w.row(o), 128) == want.row(o));
}

TEST_CASE("Error feedback with nothing to feed back", "[search][property]") {
  Rng rng(45);
  const Dense w = basin::test::normal_matrix<double>(6, 20, rng);
  const Weight nearest = rounded_weight(w, mnz);
  const Dense h = basin::test::gram_matrix(20, 60, rng);
  const auto codes = [&](const Dense& original, const Dense& hessian) {
    Weight weight = nearest;
    weight.codes.setZero();
    const auto losses = error_feedback<double>(original, FeedbackFactor<double>(hessian), LevelQuantizer<double>(weight));
    return std::pair{weight.codes, losses.sum()};
  };
  // Uncorrelated inputs: round to nearest.
  CHECK(codes(w, Dense(h.diagonal().asDiagonal())).first == nearest.codes);
  // No inputs at all: the same, at no loss.
  CHECK(codes(w, Dense::Zero(20, 20)).first == nearest.codes);
  CHECK(codes(w, Dense::Zero(20, 20)).second == 0);
  // A weight that the levels reach: a fixed point without loss.
  const auto [same, loss] = codes(nearest.decode(), h);
  CHECK(same == nearest.codes);
  CHECK(loss <= 1e-25);
  // A quantizer that keeps everything.
  const auto keep = [](Index, Index, ConstColumnsRef<double> target, ColumnsRef<double> out) { out = target; };
  CHECK(error_feedback<double>(w, FeedbackFactor<double>(h), keep).isZero(0));
}

TEST_CASE("Error feedback beats rounding to nearest on average", "[search][property]") {
  Rng rng(46);
  double nearest = 0, fed_back = 0;
  for (int instance = 0; instance < 100; ++instance) {
    const Dense w = basin::test::normal_matrix<double>(1, 24, rng);
    const Dense h = basin::test::gram_matrix(24, 48, rng);
    Weight weight = rounded_weight(w, mnz);
    nearest += static_cast<double>(basin::test::layer_loss(w, weight.decode(), h));
    error_feedback<double>(w, FeedbackFactor<double>(h), LevelQuantizer<double>(weight));
    fed_back += static_cast<double>(basin::test::layer_loss(w, weight.decode(), h));
  }
  CHECK(fed_back < 0.95 * nearest);
}

TEST_CASE("Descending order is natural order over sorted inputs", "[search][reference]") {
  Rng rng(47);
  const Index n = 30;
  const Dense w = basin::test::normal_matrix<double>(4, n, rng);
  const Dense h = basin::test::gram_matrix(n, 90, rng);
  const FeedbackFactor<double> factor(h, {.order = VisitOrder::descending});
  Dense sorted_w(4, n), sorted_h(n, n);
  for (Index a = 0; a < n; ++a) {
    if (a > 0) CHECK(h(factor.input(a), factor.input(a)) <= h(factor.input(a - 1), factor.input(a - 1)));
    sorted_w.col(a) = w.col(factor.input(a));
    for (Index b = 0; b < n; ++b) sorted_h(a, b) = h(factor.input(a), factor.input(b));
  }
  Rounding<double> got(0.5, 4, n), want(0.5, 4, n);
  error_feedback<double>(w, factor, got);
  error_feedback<double>(sorted_w, FeedbackFactor<double>(sorted_h), want);
  for (Index a = 0; a < n; ++a) CHECK((got.targets.col(factor.input(a)) - want.targets.col(a)).norm() <= 1e-12);
}

TEST_CASE("Asymmetric calibration is GPTAQ", "[search][reference]") {
  Rng rng(48);
  const Index n = GENERATE(6, 140), tokens = 3 * n;
  const Dense x = basin::test::normal_matrix<double>(tokens, n, rng);
  const Dense drift_inputs = 0.2 * basin::test::normal_matrix<double>(tokens, n, rng) + 0.1 * x;
  const Dense gram = x.transpose() * x / static_cast<double>(tokens), h = 0.5 * (gram + gram.transpose());
  const Dense drift = drift_inputs.transpose() * x / static_cast<double>(tokens);
  const Dense w = basin::test::normal_matrix<double>(5, n, rng);
  const Weight start = rounded_weight(w, mnz);
  const auto codes = [&](const FeedbackFactor<double>& factor) {
    Weight weight = start;
    error_feedback<double>(w, factor, LevelQuantizer<double>(weight));
    return weight.codes;
  };
  const FeedbackOptions options{.damping = 0.01};
  const auto symmetric = codes(FeedbackFactor<double>(h, options));
  const auto asymmetric = codes(FeedbackFactor<double>::with_drift(h, drift, options));
  CHECK(asymmetric == gptq(w, damped(h, 0.01), start, drift, 0.25).weight.codes);
  CHECK(asymmetric != symmetric);
  CHECK(codes(FeedbackFactor<double>::with_drift(h, Dense::Zero(n, n), options)) == symmetric);
  CHECK(codes(FeedbackFactor<double>::with_drift(h, drift, options, 0)) == symmetric);
  const auto blocks = codes(FeedbackFactor<double>::with_drift(h, drift, {.damping = 0.01, .block_inputs = 3}));
  CHECK(blocks == asymmetric);  // no target of these is within rounding of a midpoint
}

TEST_CASE("dead column rule: dead inputs are rounded as they are, or zeroed on request", "[search][property][pitfall]") {
  Rng rng(49);
  const Dense w = basin::test::normal_matrix<double>(4, 10, rng);
  Dense h = basin::test::gram_matrix(10, 30, rng);
  h.row(6).setZero();
  h.col(6).setZero();
  const auto targets = [&](const Dense& hessian, const FeedbackOptions& options) {
    Rounding<double> rounding(0.5, 4, 10);
    error_feedback<double>(w, FeedbackFactor<double>(hessian, options), rounding);
    return rounding.targets;
  };
  const Dense kept = targets(h, {}), zeroed = targets(h, {.zero_dead_inputs = true});
  CHECK(kept.col(6) == w.col(6));
  CHECK(zeroed.col(6).isZero(0));
  CHECK(kept.leftCols(6) == zeroed.leftCols(6));
  CHECK(kept.rightCols(3) == zeroed.rightCols(3));
  CHECK(targets(Dense::Zero(10, 10), {.zero_dead_inputs = true}) == w);  // all are: nothing was calibrated
}

TEST_CASE("LevelQuantizer takes the nearest level, the lower one at ties", "[search][reference]") {
  Rng rng(50);
  const bool with_zero_points = GENERATE(false, true);
  basin::LevelWeight<double> weight = basin::test::random_levels<double>(70, 3, {-4, -1, 1, 4}, with_zero_points, rng);
  weight.scales(5) = -weight.scales(5);
  weight.scales(9) = 0;
  const basin::LevelWeight<double> before = weight;
  const Eigen::MatrixXd target = 3 * basin::test::normal_matrix<double>(70, 3, rng);
  Eigen::MatrixXd quantized(70, 3);
  LevelQuantizer<double>{weight}(0, 0, target, quantized);
  for (Index o = 0; o < 70; ++o)
    for (Index i = 0; i < 3; ++i) {
      CHECK(weight.codes(o, i) == (o == 9 ? before.codes(o, i) : basin::test::nearest_code(before, o, target(o, i))));
      CHECK(quantized(o, i) == weight.value(o, weight.codes(o, i)));
    }
  Weight unit{mnz, basin::Matrix<std::uint8_t>::Zero(1, 4), basin::Vector<double>::Ones(1), {}};
  const Eigen::MatrixXd ties = Eigen::RowVector4d(-1, 0, 1, 9);
  Eigen::MatrixXd out(1, 4);
  LevelQuantizer<double>{unit}(0, 0, ties, out);
  CHECK(out == Eigen::RowVector4d(-1.5, -0.5, 0.5, 1.5));
}

TEST_CASE("The ErrorFeedback searcher takes the rows that become better", "[search][property]") {
  Rng rng(51);
  const Dense w = basin::test::normal_matrix<double>(40, 30, rng);
  const basin::LayerObjective<double> layer(w, basin::test::gram_matrix(30, 60, rng), 1);
  const Weight start = rounded_weight(w, mnz);
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::descending);
  Weight plain = start, searched = start;
  error_feedback<double>(w, FeedbackFactor<double>(layer.hessian(), {.damping = 0.03, .order = order}), LevelQuantizer<double>(plain));
  ErrorFeedback{.damping = 0.03, .order = order}.search(layer, searched);
  const auto before = layer.row_losses(start.decode()), after = layer.row_losses(plain.decode());
  Index better = 0;
  for (Index o = 0; o < 40; ++o) {
    better += after(o) < before(o);
    CHECK(searched.codes.row(o) == (after(o) < before(o) ? plain : start).codes.row(o));
  }
  CHECK(better > 20);
  CHECK(better < 40);  // else nothing was refused
}

TEST_CASE("Error feedback names what is wrong", "[search][bad-input]") {
  using basin::test::contains_text;
  const Dense h = Dense::Identity(6, 6);
  const auto keep = [](Index, Index, ConstColumnsRef<double> target, ColumnsRef<double> out) { out = target; };
  const FeedbackFactor<double> factor(h);
  CHECK_THROWS_WITH(error_feedback<double>(Dense::Zero(3, 5), factor, keep), contains_text("[n_out, 6], got [3, 5]"));
  Dense w = Dense::Zero(3, 6);
  w(2, 4) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(error_feedback<double>(w, factor, keep), contains_text("W[2, 4] is not finite"));
  using Factor = FeedbackFactor<double>;
  CHECK_THROWS_WITH(Factor(h, {.width = 4}), contains_text("blocks of 4 inputs do not divide the 6"));
  CHECK_THROWS_AS(Factor(h, {.width = 0}), basin::ShapeError);
  CHECK_THROWS_AS(Factor(Dense::Ones(6, 5)), basin::ShapeError);
  CHECK_THROWS_AS(Factor(Dense(0, 0)), basin::ShapeError);
  CHECK_THROWS_AS(Factor(h, {.damping = -1}), basin::ValueError);
  CHECK_THROWS_WITH(Factor(h, {.block_inputs = 0}), contains_text("block_inputs must be at least 1"));
  CHECK_THROWS_WITH(Factor(-h), contains_text("not positive definite"));
  Dense infinite = h;
  infinite(3, 3) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(Factor(infinite, {.order = VisitOrder::descending}), contains_text("H[3, 3] is not finite"));
  CHECK_THROWS_AS(Factor::with_drift(h, Dense::Zero(6, 5)), basin::ShapeError);
  CHECK_THROWS_WITH(Factor::with_drift(h, infinite), contains_text("must be finite"));
  CHECK_THROWS_AS(Factor::with_drift(h, h, {}, std::numeric_limits<double>::quiet_NaN()), basin::ValueError);
  const basin::LayerObjective<double> layer(Dense::Zero(3, 6), h, 1);
  Weight weight = rounded_weight(Dense(Dense::Ones(3, 6)), mnz);
  CHECK_THROWS_WITH(ErrorFeedback{.sweeps = -1}.search(layer, weight), contains_text("sweeps"));
  CHECK_THROWS_AS(ErrorFeedback{.damping = -1}.search(layer, weight), basin::ValueError);
  weight.levels = {1};
  CHECK_THROWS_WITH(ErrorFeedback{}.search(layer, weight), contains_text("2 to 256 levels, got 1"));
}
