#pragma once

#include <basin/codebook/concepts.hpp>
#include <basin/codebook/round_to_half.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/init/concepts.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/pipeline/concepts.hpp>
#include <basin/pipeline/report.hpp>
#include <basin/search/concepts.hpp>
#include <basin/transform/identity.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>

namespace basin {
/// When a quantizer stops, and the seed of everything random in it.
struct QuantizerOptions {
  Index max_epochs = 100;   ///< an epoch is one update and one search
  double tolerance = 0.01;  ///< stop after an epoch that lowers the loss by less than this fraction
  std::uint64_t seed = 0;
};

namespace detail {
/// Tells a host which stage the loops inside an algorithm belong to, and that they live: every 50 ms at most.
class StageReports {
 public:
  explicit StageReports(const std::function<void(const Progress&)>& host) : host_(host) {}

  /// The host's context, for what runs inside a stage; valid while both live.
  [[nodiscard]] RunContext listening(RunContext context) {
    if (host_) context.progress = [this](const Progress& loop) { inside(loop); };
    return context;
  }

  void begin(const Progress& stage) {
    stage_ = stage;
    tell();
  }

 private:
  void inside(const Progress& loop) {
    if (loop.stage.empty()) stage_.part = loop.part;
    else stage_ = loop;
    if (!loop.stage.empty() || std::chrono::steady_clock::now() - told_ >= std::chrono::milliseconds(50)) tell();
  }
  void tell() {
    told_ = std::chrono::steady_clock::now();
    if (host_) host_(stage_);
  }

  const std::function<void(const Progress&)>& host_;
  Progress stage_;
  std::chrono::steady_clock::time_point told_;
};
}  // namespace detail

/// A quantized layer and how it came about.
template <class Weight>
struct QuantizationResult {
  Weight weight;
  QuantizationReport report;
};

/// The pipeline: start, then update and search in turn until it no longer pays, then store.
///
///     Quantizer quantizer(ConditionalBlocks{}, OaEm{}, JointBeam{}, LeastSquares{});
///     auto [weight, report] = quantizer.quantize(W, H, Scheme{2, 8, 8});
///
/// Metric decides what the initializer clusters under; search and update minimise the full objective
/// L = tr(dW H dW^T). Continuous values are rounded to fp16 at the end and one more search runs, so
/// that what is reported is what is stored.
///
/// Shapes    W: [n_out, n_in] float, H: [n_in, n_in] double; n_in need not divide into groups.
/// Accuracy  the same bits for every executor.
/// Errors    ShapeError, ValueError as LayerObjective; Cancelled when the host asks to stop.
/// Notes     "deadline": after how many epochs RunContext::deadline ended it.
/// Source    AQLM, arXiv:2401.06118, stages 3 to 5.
template <MetricPolicy Metric, class Init, class Search, class Update, Transform Rotation = Identity>
class Quantizer {
 public:
  Quantizer(Metric metric, Init init, Search search, Update update, QuantizerOptions options = {}, Rotation rotation = {})
      : metric_(std::move(metric)),
        init_(std::move(init)),
        search_(std::move(search)),
        update_(std::move(update)),
        options_(options),
        rotation_(std::move(rotation)) {
    if (options_.max_epochs < 0 || !(options_.tolerance >= 0) || !(options_.tolerance < 1))
      raise<ValueError>("Quantizer: needs max_epochs >= 0 and 0 <= tolerance < 1, got ", options_.max_epochs, " and ",
                        options_.tolerance);
  }

  [[nodiscard]] const QuantizerOptions& options() const noexcept { return options_; }

  /// @param weight   W, [n_out, n_in].
  /// @param hessian  H = X^T X / n_tokens, [n_in, n_in]; see GramAccumulator.
  /// @param codomain what values are reachable: a Scheme for additive codebooks, a level set such as MirrorNoZero{}.
  template <class Codomain>
  [[nodiscard]] auto quantize(ConstMatrixRef<float> weight, ConstMatrixRef<double> hessian, const Codomain& codomain,
                              const RunContext& host = {}) const {
    detail::StageReports stages(host.progress);
    const RunContext context = stages.listening(host);
    const Clock::time_point start = Clock::now();
    stages.begin({.stage = "init"});
    const auto timed = [&](const LayerObjective<float>& layer) {
      const double preparation = seconds_since(start);
      auto result = run(layer, codomain, context);
      result.report.seconds.init += preparation;
      result.report.seconds.total += preparation;
      return result;
    };
    if constexpr (std::same_as<Rotation, Identity>) {
      return timed(LayerObjective<float>(weight, hessian, in_group_size(codomain), context));
    } else {
      Matrix<float> rotated = weight;
      apply_transform(rotation_, rotated, context);
      Matrix<double> seen = hessian;
      apply_transform(rotation_, seen, context);
      seen.transposeInPlace();
      apply_transform(rotation_, seen, context);
      return timed(LayerObjective<float>(rotated, seen, in_group_size(codomain), context));
    }
  }

  /// The same for a layer that is prepared already, in any precision.
  template <std::floating_point T, class Codomain>
    requires Initializer<Init, T, Codomain>
  [[nodiscard]] auto run(const LayerObjective<T>& layer, const Codomain& codomain, const RunContext& host = {}) const {
    using Weight = decltype(init_.initialize(layer, HessianBlocks{}, codomain, options_.seed, host));
    static_assert(QuantizedWeight<Weight>, "the initializer must return a QuantizedWeight");
    static_assert(Searcher<Search, Weight>, "the searcher must accept what the initializer makes");
    static_assert(Updater<Update, Weight>, "the updater must accept what the initializer makes");

    QuantizationReport report;
    detail::StageReports stages(host.progress);
    RunContext context = stages.listening(host);
    context.note = [&](std::string_view subject, std::string decision) {
      host.decided(subject, decision);
      report.notes.emplace_back(std::string(subject), std::move(decision));
    };
    const Clock::time_point start = Clock::now();
    stages.begin({.stage = "init"});
    const HessianBlocks blocks =
        make_blocks(metric_, layer.hessian().topLeftCorner(layer.n_in(), layer.n_in()), in_group_size(codomain), context);
    Weight weight = init_.initialize(layer, blocks, codomain, options_.seed, context);
    report.seconds.init = seconds_since(start);

    double loss = layer.loss(weight.decode(context), context);
    report.relative_error_after_init = layer.relative_error(loss);
    report.loss_trace.push_back(report.relative_error_after_init);
    Update update = update_;
    std::uint64_t pass = 0;
    Clock::time_point epoch = Clock::now();
    const auto measure = [&] {
      const Matrix<T> decoded = weight.decode(context);
      loss = layer.loss(decoded, context);
      report.squared_weight_error = squared_norm((layer.weight() - decoded).leftCols(layer.n_in()));
      if (!std::isfinite(loss)) raise<ValueError>("Quantizer: the loss became ", loss, " in epoch ", report.epochs);
      report.loss_trace.push_back(layer.relative_error(loss));
    };
    for (double best = std::numeric_limits<double>::infinity(); report.epochs < options_.max_epochs && loss > 0;
         ++report.epochs) {
      if (loss > (1 - options_.tolerance) * best) break;
      const double last_epoch = report.epochs == 0 ? 0 : seconds_since(epoch);
      epoch = Clock::now();
      if (context.deadline && epoch + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(last_epoch)) > *context.deadline) {
        context.decided("deadline", concat("ended after ", report.epochs, " epochs"));
        break;
      }
      best = std::min(best, loss);
      step("update", report, report.seconds.update, stages, context, [&] { update.update(layer, weight, context); });
      step("search", report, report.seconds.search, stages, context,
           [&] { search_.search(layer, weight, options_.seed, pass++, context); });
      measure();
    }
    report.relative_error_before_storing = layer.relative_error(loss);

    step("store", report, report.seconds.search, stages, context, [&] {
      round_to_half(weight);
      search_.search(layer, weight, options_.seed, pass, context);
    });
    measure();
    report.relative_error = layer.relative_error(loss);
    report.squared_weight_norm = squared_norm(layer.weight());
    if constexpr (requires { to_string(codomain); }) report.scheme = to_string(codomain);
    report.n_out = layer.n_out();
    report.n_in = layer.n_in();
    if constexpr (std::same_as<Codomain, Scheme>)
      report.rho = representational_ratio(codomain, layer.n_out(), layer.n_in());
    report.bits_per_weight = weight.stored_bits();
    report.seconds.total = seconds_since(start);
    return QuantizationResult<Weight>{std::move(weight), std::move(report)};
  }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  template <class Rows>
  [[nodiscard]] static double squared_norm(const Rows& rows) {
    double sum = 0;
    for (Index o = 0; o < rows.rows(); ++o) sum += rows.row(o).template cast<double>().squaredNorm();
    return sum;
  }
  template <class Work>
  void step(std::string_view stage, const QuantizationReport& report, double& seconds, detail::StageReports& stages,
            const RunContext& context, Work&& work) const {
    context.check_stop();
    stages.begin({.stage = stage,
                  .step = report.epochs,
                  .fraction = static_cast<double>(report.epochs) / static_cast<double>(std::max<Index>(1, options_.max_epochs)),
                  .relative_error = report.loss_trace.back()});
    const Clock::time_point start = Clock::now();
    work();
    seconds += seconds_since(start);
  }

  [[no_unique_address]] Metric metric_;
  [[no_unique_address]] Init init_;
  [[no_unique_address]] Search search_;
  [[no_unique_address]] Update update_;
  QuantizerOptions options_;
  [[no_unique_address]] Rotation rotation_;
};

}  // namespace basin
