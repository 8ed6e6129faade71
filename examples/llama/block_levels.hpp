#pragma once

#include "../support/console.hpp"
#include "calibration.hpp"
#include "original_hessians.hpp"
#include "quantize_arguments.hpp"
#include "sensitivity.hpp"

#include <basin/core/run_context.hpp>
#include <basin/pipeline/bit_allocation.hpp>
#include <basin/pipeline/mixed_precision.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace llama {
/// Level sets of blocks, and how they were chosen.
struct BlockLevels {
  static constexpr const char* high = "int4";
  std::vector<std::string> levels;  ///< one per block
  nlohmann::json report;

  /// Of a layer of block b, unless a rule fixes it.
  [[nodiscard]] std::string of(Index b, const std::optional<std::string>& fixed) const {
    return fixed ? *fixed : levels.at(static_cast<std::size_t>(b));
  }
  [[nodiscard]] std::string text() const { return nlohmann::json{{"levels", levels}, {"report", report}}.dump(); }
  [[nodiscard]] static BlockLevels parse(const std::string& text) {
    const nlohmann::json document = nlohmann::json::parse(text);
    return {document.at("levels").get<std::vector<std::string>>(), document.at("report")};
  }
};

namespace detail {
inline void print_levels(const BlockLevels& chosen, const BlockRange& range, double bits_per_weight) {
  std::map<std::string, std::string> blocks;
  for (Index b = range.first; b <= range.last; ++b) {
    std::string& names = blocks[chosen.levels[static_cast<std::size_t>(b)]];
    names += (names.empty() ? "" : ", ") + std::to_string(b);
  }
  std::printf("%.3f bits/weight in all\n", bits_per_weight);
  for (const auto& [levels, names] : blocks) std::printf("  %-9s blocks %s\n", levels.c_str(), names.c_str());
}

/// Calls measure(hessians) for every block of a range, in order.
template <class Measure>
void for_each_block(const QuantizeArguments& arguments, const BlockRange& range, const Model& model, const Stages& stages,
                    std::span<const Token> tokens, Sensitivities& sensitivities, const basin::RunContext& context, Measure&& measure) {
  OriginalHessians hessians(model, stages, tokens, arguments.window, range.last + 1, arguments.hessian_folder);
  support::ProgressLine progress("sensitivity");
  for (Index b = 0; b <= range.last; ++b) {
    const BlockHessians block = hessians.next(model.blocks[static_cast<std::size_t>(b)], context);
    if (b < range.first) sensitivities.skip();
    else measure(block);
    progress.update(static_cast<double>(b + 1) / static_cast<double>(range.last + 1), block_prefix(b));
  }
}
}  // namespace detail

/// Level sets for the blocks of a range: many bits for those that need them most, or of several candidates those that lose
/// least within the bits asked for.
inline BlockLevels choose_levels(const QuantizeArguments& arguments, const BlockRange& range, const Model& model, const Stages& stages,
                                 std::span<const Token> tokens, const basin::RunContext& context) {
  const std::string& low = arguments.quantize.level_options().levels();
  BlockLevels chosen{std::vector<std::string>(model.blocks.size(), low), nullptr};
  if (!arguments.chooses_levels()) return chosen;
  const support::Stopwatch watch;
  const auto sample = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(arguments.rule_tokens)));
  const Index window = std::min<Index>(arguments.window, arguments.rule_tokens);
  Sensitivities sensitivities(model, stages, Calibration(model, stages, sample, window), arguments.rule);
  const PartQuantizer quantizer = arguments.trial_quantizer("gptq"), rough = arguments.trial_quantizer("rtn");
  const auto first = static_cast<std::size_t>(range.first);

  if (arguments.target_bits) {
    std::vector<basin::RatedLayer> rates;
    detail::for_each_block(arguments, range, model, stages, tokens, sensitivities, context, [&](const BlockHessians& block) {
      rates.push_back(sensitivities.next_rates(block, quantizer, arguments.candidates, context));
    });
    double weights = 0;
    for (Index b = range.first; b <= range.last; ++b)
      for (const Linear& linear : model.blocks[static_cast<std::size_t>(b)].parts) weights += static_cast<double>(linear.weight().size());
    const basin::BitAllocation allocation =
        basin::allocate_bits(rates, static_cast<std::int64_t>(std::floor(*arguments.target_bits * weights)));
    nlohmann::json points = nlohmann::json::array();
    for (std::size_t r = 0; r < rates.size(); ++r) {
      chosen.levels[first + r] = arguments.candidates[allocation.choice[r]];
      for (std::size_t c = 0; c < rates[r].points.size(); ++c)
        points.push_back({{"block", first + r}, {"levels", arguments.candidates[c]}, {"bits", rates[r].points[c].bits}, {"error", rates[r].points[c].error}});
    }
    const double bits_per_weight = static_cast<double>(allocation.bits) / weights;
    detail::print_levels(chosen, range, bits_per_weight);
    chosen.report = {{"points", points}, {"bits_per_weight", bits_per_weight}, {"error", allocation.error}, {"levels", chosen.levels}, {"seconds", watch.seconds()}};
    return chosen;
  }

  std::vector<basin::PrecisionCandidate> candidates;
  detail::for_each_block(arguments, range, model, stages, tokens, sensitivities, context, [&](const BlockHessians& block) {
    candidates.push_back(sensitivities.next(block, quantizer, rough, low, BlockLevels::high, context));
  });
  const basin::MixedPrecision mixed = basin::most_sensitive(candidates, *arguments.num_high);
  nlohmann::json values = nlohmann::json::array(), order = nlohmann::json::array();
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    values.push_back(candidates[c].sensitivity);
    order.push_back(first + mixed.order[c]);
    if (mixed.is_high[c]) chosen.levels[first + c] = BlockLevels::high;
  }
  detail::print_levels(chosen, range, mixed.bits_per_weight);
  chosen.report = {{"sensitivities", values},
                   {"order", order},
                   {"bits_per_weight", mixed.bits_per_weight},
                   {"sensitivity_left", mixed.sensitivity},
                   {"seconds", watch.seconds()}};
  return chosen;
}

}  // namespace llama
