#pragma once

#include "../support/console.hpp"
#include "calibration.hpp"
#include "original_hessians.hpp"
#include "quantize_arguments.hpp"
#include "sensitivity.hpp"

#include <basin/core/run_context.hpp>
#include <basin/pipeline/bit_allocation.hpp>
#include <basin/pipeline/mixed_precision.hpp>
#include <basin/pipeline/plan.hpp>

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
#include <utility>
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
/// Bits per weight of all layers that are quantized.
inline double bits_per_weight(const QuantizeArguments& arguments, const BlockRange& range, const Model& model, const BlockLevels& chosen) {
  basin::QuantizationPlan plan;
  for (Index b = range.first; b <= range.last; ++b)
    for (std::size_t p = 0; p < num_parts; ++p) {
      const std::string name = part_name(b, Part(p));
      const Matrix& weight = model.blocks[static_cast<std::size_t>(b)].parts[p].weight();
      if (const auto levels = arguments.levels_of(name, chosen.levels[static_cast<std::size_t>(b)]))
        plan.layers.push_back(support::plan_level_layer(*levels, {name, weight.rows(), weight.cols()}, nullptr));
    }
  return plan.bits_per_weight();
}

inline void print_levels(const BlockLevels& chosen, const BlockRange& range, double bits_per_weight) {
  std::map<std::string, std::string> blocks;
  for (Index b = range.first; b <= range.last; ++b) {
    std::string& names = blocks[chosen.levels[static_cast<std::size_t>(b)]];
    names += (names.empty() ? "" : ", ") + std::to_string(b);
  }
  std::printf("%.3f bits/weight in all\n", bits_per_weight);
  for (const auto& [levels, names] : blocks) std::printf("  %-9s blocks %s\n", levels.c_str(), names.c_str());
}

/// Calls measure(b, hessians, levels_of) for every block of a range of which is_measured(b), in order.
template <class IsMeasured, class Measure>
void for_each_block(const QuantizeArguments& arguments, const BlockRange& range, const Model& model, const Stages& stages,
                    std::span<const Token> tokens, const WindowMemory& memory, Sensitivities& sensitivities, const basin::RunContext& context,
                    IsMeasured&& is_measured, Measure&& measure) {
  OriginalHessians hessians(model, stages, tokens, arguments.window, range.last + 1, arguments.hessian_folder, memory);
  support::ProgressLine progress("sensitivity");
  for (Index b = 0; b <= range.last; ++b) {
    const BlockHessians block = hessians.next(model.blocks[static_cast<std::size_t>(b)], context);
    if (b < range.first || !is_measured(b)) sensitivities.skip();
    else measure(b, block, [&](Part part, const std::string& levels) { return arguments.levels_of(part_name(b, part), levels); });
    progress.update(static_cast<double>(b + 1) / static_cast<double>(range.last + 1), block_prefix(b));
  }
}
}  // namespace detail

/// Level sets as they may be chosen, for a plan: the first blocks get more bits, as many as they will be.
inline BlockLevels expected_levels(const QuantizeArguments& arguments, const BlockRange& range, const Model& model) {
  BlockLevels expected{std::vector<std::string>(model.blocks.size(), arguments.quantize.level_options().levels()), nullptr};
  const auto level_of = [&](Index b) -> std::string& { return expected.levels[static_cast<std::size_t>(b)]; };
  if (arguments.num_high) {
    Index left = *arguments.num_high;
    for (Index b = range.first; b <= range.last; ++b)
      if (arguments.chooses_for(b) && left > 0) level_of(b) = BlockLevels::high, --left;
    if (left > 0) support::fail("--mixed ", *arguments.num_high, ": ", *arguments.num_high - left, " blocks have layers that --layer leaves open");
  }
  if (!arguments.target_bits) return expected;
  std::vector<std::pair<double, std::string>> ways;
  for (const std::string& candidate : arguments.candidates)
    ways.emplace_back(support::plan_level_layer(candidate, {"", 1024, 1024}, nullptr).bits_per_weight.total(), candidate);
  std::sort(ways.begin(), ways.end());
  expected.levels.assign(model.blocks.size(), ways.front().second);
  const double least = detail::bits_per_weight(arguments, range, model, expected);
  if (least > *arguments.target_bits)
    support::fail("--target-bits ", *arguments.target_bits, ": with ", ways.front().second, ", the smallest of --candidates, layers take ", least,
                  " bits per weight; raise it, or name smaller candidates");
  for (const auto& [bits, levels] : ways)
    for (Index b = range.first; b <= range.last; ++b) {
      const std::string before = std::exchange(level_of(b), levels);
      if (detail::bits_per_weight(arguments, range, model, expected) > *arguments.target_bits) level_of(b) = before;
    }
  return expected;
}

/// Level sets for the blocks of a range: many bits for those that need them most, or of several candidates those that lose
/// least within the bits asked for. Layers that a rule fixes keep their set, and count; those that it skips do not.
inline BlockLevels choose_levels(const QuantizeArguments& arguments, const BlockRange& range, const Model& model, const Stages& stages,
                                 std::span<const Token> tokens, const WindowMemory& memory, const basin::RunContext& context) {
  const std::string& low = arguments.quantize.level_options().levels();
  BlockLevels chosen{std::vector<std::string>(model.blocks.size(), low), nullptr};
  if (!arguments.chooses_levels()) return chosen;
  const support::Stopwatch watch;
  const auto sample = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(arguments.rule_tokens)));
  const Index window = std::min<Index>(arguments.window, arguments.rule_tokens);
  Sensitivities sensitivities(model, stages, Calibration(model, stages, sample, window), arguments.rule, context);
  const PartQuantizer quantizer = arguments.trial_quantizer("gptq"), rough = arguments.trial_quantizer("rtn");
  std::vector<std::size_t> blocks;  // that are measured

  if (arguments.target_bits) {
    std::vector<basin::RatedLayer> rates;
    double weights = 0;
    detail::for_each_block(
        arguments, range, model, stages, tokens, memory, sensitivities, context, [&](Index b) { return arguments.quantizes_any_of(b); },
        [&](Index b, const BlockHessians& block, const LevelsOfPart& levels_of) {
          blocks.push_back(static_cast<std::size_t>(b));
          rates.push_back(sensitivities.next_rates(block, quantizer, arguments.candidates, levels_of));
          for (std::size_t p = 0; p < num_parts; ++p)
            if (!arguments.skips(part_name(b, Part(p)))) weights += static_cast<double>(model.blocks[blocks.back()].parts[p].weight().size());
        });
    const basin::BitAllocation allocation =
        basin::allocate_bits(rates, static_cast<std::int64_t>(std::floor(*arguments.target_bits * weights)));
    nlohmann::json points = nlohmann::json::array();
    for (std::size_t r = 0; r < rates.size(); ++r) {
      chosen.levels[blocks[r]] = arguments.candidates[allocation.choice[r]];
      for (std::size_t c = 0; c < rates[r].points.size(); ++c)
        points.push_back({{"block", blocks[r]}, {"levels", arguments.candidates[c]}, {"bits", rates[r].points[c].bits}, {"error", rates[r].points[c].error}});
    }
    const double bits_per_weight = detail::bits_per_weight(arguments, range, model, chosen);
    detail::print_levels(chosen, range, bits_per_weight);
    chosen.report = {{"points", points}, {"bits_per_weight", bits_per_weight}, {"error", allocation.error}, {"levels", chosen.levels}, {"seconds", watch.seconds()}};
    return chosen;
  }

  std::vector<basin::PrecisionCandidate> candidates;
  detail::for_each_block(
      arguments, range, model, stages, tokens, memory, sensitivities, context, [&](Index b) { return arguments.chooses_for(b); },
      [&](Index b, const BlockHessians& block, const LevelsOfPart& levels_of) {
        blocks.push_back(static_cast<std::size_t>(b));
        candidates.push_back(sensitivities.next(block, quantizer, rough, low, BlockLevels::high, levels_of));
      });
  const basin::MixedPrecision mixed = basin::most_sensitive(candidates, *arguments.num_high);
  nlohmann::json values = nlohmann::json::array(), order = nlohmann::json::array();
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    values.push_back(candidates[c].sensitivity);
    order.push_back(blocks[mixed.order[c]]);
    if (mixed.is_high[c]) chosen.levels[blocks[c]] = BlockLevels::high;
  }
  const double bits_per_weight = detail::bits_per_weight(arguments, range, model, chosen);
  detail::print_levels(chosen, range, bits_per_weight);
  chosen.report = {{"sensitivities", values},
                   {"order", order},
                   {"bits_per_weight", bits_per_weight},
                   {"sensitivity_left", mixed.sensitivity},
                   {"seconds", watch.seconds()}};
  return chosen;
}

}  // namespace llama
