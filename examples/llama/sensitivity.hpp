#pragma once

#include "calibration.hpp"
#include "forward.hpp"
#include "original_hessians.hpp"
#include "quantized_part.hpp"

#include <basin/core/run_context.hpp>
#include <basin/metric/kl_divergence.hpp>
#include <basin/metric/output_error.hpp>
#include <basin/pipeline/bit_allocation.hpp>
#include <basin/pipeline/mixed_precision.hpp>
#include <basin/pipeline/report.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llama {
/// What tells that a block needs more bits than others.
enum class SensitivityRule {
  kl,      ///< KL divergence of the model's predictions when the block alone has few bits
  loss,    ///< what its layers lose more at few bits than at many
  output   ///< error of its outputs at few bits
};

/// The level set of a part when its block has this one; nothing where it stays as it is.
using LevelsOfPart = std::function<std::optional<std::string>(Part part, const std::string& levels)>;

/// Quantizes a block on the original model's Hessians, every layer by itself.
struct QuantizedBlock {
  Block block;
  std::vector<basin::QuantizationReport> reports;

  QuantizedBlock(const Block& original, const BlockHessians& hessians, const PartQuantizer& quantizer, const std::string& levels,
                 const LevelsOfPart& levels_of, const basin::RunContext& context)
      : block(original) {
    for (const Stage stage : all_stages)
      for (const Part part : parts_behind(stage)) {
        const std::optional<std::string> own = levels_of ? levels_of(part, levels) : levels;
        if (!own) continue;
        QuantizedPart quantized =
            quantizer({original.parts[part].weight(), hessians[static_cast<std::size_t>(stage)], nullptr, *own}, context);
        block.parts[part] = std::move(quantized.linear);
        reports.push_back(std::move(quantized.report));
      }
  }
  [[nodiscard]] double weights() const {
    double sum = 0;
    for (const auto& report : reports) sum += static_cast<double>(report.n_out) * static_cast<double>(report.n_in);
    return sum;
  }
  [[nodiscard]] double bits_per_weight() const {
    double sum = 0;
    for (const auto& report : reports)
      sum += static_cast<double>(report.n_out) * static_cast<double>(report.n_in) * report.bits_per_weight.total();
    return sum / weights();
  }
};

/// How much a model loses when one block alone takes few bits, for every block.
///
/// Cost      kl: half a forward pass of the calibration windows for every block, and two of the head.
class Sensitivities {
 public:
  /// @param start  windows at the first block; a few are enough.
  Sensitivities(const Model& model, const Stages& stages, Calibration start, SensitivityRule rule, basin::RunContext context = {})
      : model_(model), stages_(stages), at_(std::move(start)), end_(at_), rule_(rule), context_(std::move(context)) {
    if (rule_ == SensitivityRule::kl)
      for (const Block& block : model_.blocks) advance(end_, block);
  }

  /// Passes the next block over.
  void skip() { advance(at_, model_.blocks.at(next_++)); }
  /// Of the next block, the first one at first. A block needs a part that levels_of does not keep.
  /// @param rough  quantizes to many bits where only their number is asked for
  [[nodiscard]] basin::PrecisionCandidate next(const BlockHessians& hessians, const PartQuantizer& quantizer, const PartQuantizer& rough,
                                               const std::string& low_levels, const std::string& high_levels,
                                               const LevelsOfPart& levels_of = {}) {
    const std::size_t b = next_++;
    const Block& original = model_.blocks.at(b);
    const QuantizedBlock low(original, hessians, quantizer, low_levels, levels_of, context_);
    const QuantizedBlock high(original, hessians, rule_ == SensitivityRule::loss ? quantizer : rough, high_levels, levels_of, context_);
    const Calibration before = at_;
    advance(at_, original);
    const double sensitivity = rule_ == SensitivityRule::loss ? std::max(0.0, basin::loss_difference(low.reports, high.reports))
                                                              : loss_of(before, b, low.block);
    return {block_prefix(static_cast<Index>(b)), low.weights(), low.bits_per_weight(), high.bits_per_weight(), sensitivity};
  }
  /// What the next block takes and loses under each of several level sets, by any rule but `loss`.
  [[nodiscard]] basin::RatedLayer next_rates(const BlockHessians& hessians, const PartQuantizer& quantizer,
                                             std::span<const std::string> level_sets, const LevelsOfPart& levels_of = {}) {
    const std::size_t b = next_++;
    const Block& original = model_.blocks.at(b);
    const Calibration before = at_;
    advance(at_, original);
    basin::RatedLayer rates{block_prefix(static_cast<Index>(b)), {}};
    for (const std::string& levels : level_sets) {
      const QuantizedBlock quantized(original, hessians, quantizer, levels, levels_of, context_);
      rates.points.push_back({static_cast<std::int64_t>(std::llround(quantized.bits_per_weight() * quantized.weights())),
                              loss_of(before, b, quantized.block)});
    }
    return rates;
  }

 private:
  /// What the model loses when block b, whose inputs are in `before`, is another one.
  [[nodiscard]] double loss_of(const Calibration& before, std::size_t b, const Block& block) const {
    Calibration changed = before;
    advance(changed, block);
    if (rule_ == SensitivityRule::output) return output_error(changed);
    for (std::size_t later = b + 1; later < model_.blocks.size(); ++later) advance(changed, model_.blocks[later]);
    return divergence(changed);
  }
  void advance(Calibration& windows, const Block& block) const {
    for (const Stage stage : all_stages) windows.advance(stage, block, {}, context_);
  }
  [[nodiscard]] double output_error(const Calibration& changed) const {
    basin::OutputError error;
    for (std::size_t w = 0; w < at_.num_windows(); ++w) error.add(at_.hidden(w), changed.hidden(w));
    return error.value();
  }
  [[nodiscard]] double divergence(const Calibration& changed) const {
    constexpr Index chunk = 128;  // tokens whose logits are in memory at a time
    basin::KlDivergence divergence;
    for (std::size_t w = 0; w < end_.num_windows(); ++w)
      for (Index begin = 0; begin < end_.hidden(w).rows(); begin += chunk) {
        const Index n = std::min(chunk, end_.hidden(w).rows() - begin);
        divergence.add(logits(model_, stages_, end_.hidden(w).middleRows(begin, n)),
                       logits(model_, stages_, changed.hidden(w).middleRows(begin, n)), context_);
      }
    return divergence.mean();
  }

  const Model& model_;
  const Stages& stages_;
  Calibration at_;   ///< the original model's windows in front of the next block
  Calibration end_;  ///< and behind the last one
  SensitivityRule rule_;
  basin::RunContext context_;
  std::size_t next_ = 0;
};

}  // namespace llama
