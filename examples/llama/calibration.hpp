#pragma once

#include "../support/fail.hpp"
#include "forward.hpp"
#include "window_store.hpp"

#include <basin/core/run_context.hpp>
#include <basin/metric/compensated_weight.hpp>
#include <basin/metric/cross_gram.hpp>
#include <basin/metric/gram.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>

namespace llama {
/// The linear layers that read what a stage leaves: quantized together, from one Gram matrix.
inline std::span<const Part> parts_behind(Stage stage) {
  static constexpr Part parts[] = {k_proj, v_proj, q_proj, o_proj, up_proj, gate_proj, down_proj};
  const std::span<const Part> all(parts);
  switch (stage) {
    case Stage::attention_input: return all.subspan(0, 3);
    case Stage::attend: return all.subspan(3, 1);
    case Stage::ffn_input: return all.subspan(4, 2);
    case Stage::activate: return all.subspan(6, 1);
    default: return {};
  }
}

/// Windows of a calibration text on their way through a model, stage by stage.
///
///     Calibration calibration(model, stages, tokens, 1024);
///     for (Block& block : model.blocks)
///       for (Stage stage : all_stages) {
///         GramAccumulator gram(...);
///         calibration.advance(stage, block, [&](std::size_t w) { gram.add(calibration.input(w)); });
///         for (Part part : parts_behind(stage)) block.parts[part] = quantized(...);
///       }
///
/// Every layer is so calibrated behind the quantized ones before it, at the cost of one forward pass.
/// Memory    hidden + ffn floats per token, less with WindowMemory.
class Calibration {
 public:
  /// Called once per window, in order, when its input() is what the linear layers of a stage read.
  using Hook = std::function<void(std::size_t window)>;

  /// Cuts the tokens into whole windows; a remainder is dropped.
  Calibration(const Model& model, const Stages& stages, std::span<const Token> tokens, Index window, WindowMemory memory = {})
      : stages_(stages), cache_(stages.config(), window), windows_(std::move(memory)) {
    const auto length = static_cast<std::size_t>(window);
    for (std::size_t at = 0; at + length <= tokens.size(); at += length)
      windows_.push_back({embed(model, tokens.subspan(at, length)), {}});
    check_length(tokens.size(), window);
  }
  /// Ends the program where there is no whole window.
  static void check_length(std::size_t tokens, Index window) {
    if (tokens < static_cast<std::size_t>(window))
      support::fail("calibration needs at least one window of ", window, " tokens, got ", tokens, "; give a longer text, or a shorter --context");
  }

  /// The same windows, to go on through other stages.
  Calibration(const Calibration& from, const Stages& stages) : stages_(stages), cache_(stages.config(), from.cache_.capacity), windows_(from.windows_) {}

  [[nodiscard]] std::size_t num_windows() const noexcept { return windows_.size(); }

  /// Looks at the context's stop request in front of every window.
  void advance(Stage stage, const Block& block, const Hook& hook = {}, const basin::RunContext& context = {}) {
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      context.check_stop();
      cache_.length = 0;  // attention stays inside its window
      stages_.run(stage, block, windows_.at(w), cache_);
      if (hook && stage != Stage::finish) hook(w);
    }
  }
  /// What the linear layers of the stage read, [window, n_in].
  [[nodiscard]] const Matrix& input(std::size_t window) const { return windows_.at(window).input; }
  /// The residual stream of one window; after Stage::finish the block's output.
  [[nodiscard]] const Matrix& hidden(std::size_t window) const { return windows_.at(window).hidden; }

 private:
  const Stages& stages_;
  KvCache cache_;
  WindowStore windows_;
};

/// What the layers behind one stage are quantized for: the Hessian of their inputs, and weights that
/// make up for the errors of the layers before them.
class StageTargets {
 public:
  /// @param original  the block as it was; outlives this.
  /// @param drifts    also collect what asymmetric calibration needs of the drift of the inputs.
  StageTargets(Stage stage, const Block& original, basin::Compensation compensation, bool drifts = false)
      : stage_(stage), original_(original), compensation_(compensation), drifts_(drifts) {}
  /// For a Hessian that is known already, and weights as they are.
  [[nodiscard]] static StageTargets of_hessian(Stage stage, const Block& original, basin::Matrix<double> hessian) {
    StageTargets targets(stage, original, basin::Compensation{.strength = 0});
    targets.known_ = std::move(hessian);
    return targets;
  }

  /// The layers' inputs now.
  void add(MatrixView input, const basin::RunContext& context) {
    if (!gram_) gram_.emplace(input.cols());
    gram_->add(input, context);
  }
  /// What window w of the original model has in store for the layers, beside what they get now.
  void compare(const Calibration& reference, const Calibration& now, std::size_t w, const basin::RunContext& context) {
    Matrix drift = reference.input(w) - now.input(w);
    if (drifts_) {
      if (!drift_) drift_.emplace(drift.cols(), drift.cols());
      drift_->add(drift, now.input(w), context);
    }
    if (compensation_.strength == 0) return;
    if (joins_residual_stream()) {
      Matrix deficit;
      original_.parts[parts_behind(stage_).front()].apply(drift, deficit, context.executor);
      drift = deficit + (reference.hidden(w) - now.hidden(w));
    }
    if (!cross_) cross_.emplace(drift.cols(), now.input(w).cols());
    cross_->add(drift, now.input(w), context);
  }

  [[nodiscard]] basin::Matrix<double> hessian() const { return known_ ? *known_ : gram_.value().hessian(); }
  /// (X_original - X)^T X / n, if it was asked for and there was something to compare with.
  [[nodiscard]] std::optional<basin::Matrix<double>> drift() const {
    return drift_ ? std::optional(drift_->mean()) : std::nullopt;
  }
  [[nodiscard]] Matrix target(Part part, const basin::Matrix<double>& hessian, const basin::RunContext& context) const {
    const Matrix& weight = original_.parts[part].weight();
    if (!cross_) return weight;
    const basin::Matrix<double> cross = cross_->mean();
    if (joins_residual_stream()) return basin::compensated_weight(weight, cross, hessian, compensation_, context);
    return basin::compensated_weight(weight, weight.cast<double>() * cross, hessian, compensation_, context);
  }

 private:
  [[nodiscard]] bool joins_residual_stream() const noexcept { return stage_ == Stage::attend || stage_ == Stage::activate; }

  Stage stage_;
  const Block& original_;
  basin::Compensation compensation_;
  std::optional<basin::GramAccumulator> gram_;
  bool drifts_;
  std::optional<basin::Matrix<double>> known_;
  std::optional<basin::CrossGramAccumulator> cross_, drift_;
};

}  // namespace llama
