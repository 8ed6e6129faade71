#pragma once

#include "calibration.hpp"
#include "forward.hpp"
#include "original_hessians.hpp"

#include <basin/core/run_context.hpp>
#include <basin/metric/compensated_weight.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

namespace llama {
/// What the layers behind a stage of block b are quantized for; nothing where they are not wanted. `now` is the block as far
/// as it is quantized. Called for every stage of every block, in order.
using StageTargetsOf = std::function<std::optional<StageTargets>(Index b, Stage stage, const Block& now, const Block& original, bool is_wanted)>;

/// Behind the quantized layers: their errors are part of what the next ones see, and make up for.
class QuantizedInputs {
 public:
  /// @param start       windows at the first block
  /// @param first       block that is quantized
  /// @param asymmetric  also collect what asymmetric calibration needs
  QuantizedInputs(Calibration start, const Stages& original_stages, Index first, basin::Compensation compensation,
                  bool asymmetric, const basin::RunContext& context)
      : calibration_(std::move(start)), original_stages_(original_stages), first_(first), compensation_(compensation),
        asymmetric_(asymmetric), context_(context) {}

  std::optional<StageTargets> operator()(Index b, Stage stage, const Block& now, const Block& original, bool is_wanted) {
    if (b == first_ && stage == Stage::attention_input && (compensation_.strength > 0 || asymmetric_))
      reference_.emplace(calibration_, original_stages_);
    StageTargets targets(stage, original, compensation_, asymmetric_);
    if (reference_) reference_->advance(stage, original, {}, context_);
    const auto add = [&](std::size_t window) {
      if (!is_wanted) return;
      targets.add(calibration_.input(window), context_);
      if (reference_) targets.compare(*reference_, calibration_, window, context_);
    };
    calibration_.advance(stage, now, add, context_);
    return is_wanted ? std::optional(std::move(targets)) : std::nullopt;
  }

 private:
  Calibration calibration_;
  const Stages& original_stages_;
  Index first_;
  basin::Compensation compensation_;
  bool asymmetric_;
  const basin::RunContext& context_;
  std::optional<Calibration> reference_;  // the original model's own windows
};

/// As the original model has them.
class OriginalInputs {
 public:
  OriginalInputs(OriginalHessians hessians, const basin::RunContext& context) : hessians_(std::move(hessians)), context_(context) {}

  std::optional<StageTargets> operator()(Index, Stage stage, const Block&, const Block& original, bool is_wanted) {
    if (stage == Stage::attention_input) block_ = hessians_.next(original, context_);
    if (!is_wanted) return std::nullopt;
    return StageTargets::of_hessian(stage, original, std::move(block_[static_cast<std::size_t>(stage)]));
  }

 private:
  OriginalHessians hessians_;
  const basin::RunContext& context_;
  BlockHessians block_;
};

}  // namespace llama
