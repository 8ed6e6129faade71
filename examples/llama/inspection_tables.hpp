#pragma once

#include "../support/number_text.hpp"
#include "../support/text_table.hpp"
#include "inspected_model.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace llama {
namespace detail {
using TextRows = std::vector<std::vector<std::string>>;

using support::fixed_number;
inline std::string integer(double value) { return fixed_number(value, 0); }

inline std::string schemes_text(const InspectedModel& model) {
  std::vector<std::string> schemes;
  for (const InspectedLayer& layer : model.layers)
    if (std::find(schemes.begin(), schemes.end(), layer.statistics.scheme) == schemes.end()) schemes.push_back(layer.statistics.scheme);
  std::string text;
  for (const std::string& scheme : schemes) text += (text.empty() ? "" : ", ") + scheme;
  return text;
}
}  // namespace detail

/// One row per model under a head; columns of which nothing is known are left out.
/// @param original_perplexity  of the model before quantization
inline detail::TextRows summary_rows(const std::vector<InspectedModel>& models, std::optional<double> original_perplexity) {
  using namespace detail;
  TextRows rows = {{"model", "scheme", "layers", "weights", "bits per weight", "perplexity", "error after init", "as stored", "code entropy, bits",
                    "unused codewords", "seconds"}};
  if (original_perplexity) rows.push_back({"original", "", "", "", "", fixed_number(*original_perplexity, 2), "", "", "", "", ""});
  for (const InspectedModel& model : models) {
    const ModelTotals t(model);
    const auto reported = [&](const std::string& text) { return t.reports > 0 ? text : std::string(); };
    rows.push_back({model.name, schemes_text(model), std::to_string(model.layers.size()), fixed_number(t.weights / 1e6, 1) + " M",
                    fixed_number(t.bits_per_weight.total(), 3), model.perplexity ? fixed_number(*model.perplexity, 2) : "", reported(fixed_number(t.error_after_init, 4)),
                    reported(fixed_number(t.error, 4)), fixed_number(t.entropy, 2) + " of " + fixed_number(t.code_bits, 2), integer(static_cast<double>(t.unused)),
                    reported(integer(t.total_seconds + model.calibration_seconds.value_or(0)))});
  }
  return support::without_empty_columns(rows);
}

/// One row per layer under a head.
inline detail::TextRows layer_rows(const InspectedModel& model) {
  using namespace detail;
  TextRows rows = {{"layer", "shape", "scheme", "bits per weight", "codes", "codebooks", "scales", "rho", "code entropy, bits", "unused codewords",
                    "error after init", "as stored", "scale: median", "least", "most", "weight: deviation", "excess kurtosis", "least", "most"}};
  for (const InspectedLayer& layer : model.layers) {
    const LayerStatistics& s = layer.statistics;
    std::string entropy, unused;
    for (const CodeUsage& usage : s.usage) {
      const char* const between = entropy.empty() ? "" : " ";
      entropy.append(between).append(fixed_number(usage.entropy, 2));
      unused.append(between).append(std::to_string(usage.unused));
    }
    const auto number = [](double value) { return support::short_number(value); };
    rows.push_back({layer.name, std::to_string(s.n_out) + "x" + std::to_string(s.n_in), s.scheme, fixed_number(s.bits_per_weight.total(), 3),
                    fixed_number(s.bits_per_weight.codes, 3), fixed_number(s.bits_per_weight.codebooks, 3), fixed_number(s.bits_per_weight.scales, 3),
                    s.rho ? number(*s.rho) : "", entropy, unused, layer.report ? fixed_number(layer.report->error_after_init, 4) : "",
                    layer.report ? fixed_number(layer.report->error, 4) : "", number(s.median_scale), number(s.lowest_scale), number(s.highest_scale),
                    number(s.weights.deviation), fixed_number(s.weights.excess_kurtosis, 2), number(s.weights.lowest), number(s.weights.highest)});
  }
  return support::without_empty_columns(rows);
}

}  // namespace llama
