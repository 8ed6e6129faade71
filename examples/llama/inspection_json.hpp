#pragma once

#include "inspected_model.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace llama {
inline nlohmann::json to_json(const basin::BitsPerWeight& bits) {
  return {{"codes", bits.codes}, {"codebooks", bits.codebooks}, {"scales", bits.scales}, {"total", bits.total()}};
}

inline nlohmann::json to_json(const InspectedLayer& layer) {
  const LayerStatistics& s = layer.statistics;
  nlohmann::json usage = nlohmann::json::array();
  for (const CodeUsage& u : s.usage) {
    usage.push_back({{"codewords", u.size}, {"entropy_bits", u.entropy}, {"unused", u.unused}});
    if (!u.shares.empty()) usage.back()["shares"] = u.shares;
  }
  nlohmann::json document = {{"name", layer.name},
                             {"scheme", s.scheme},
                             {"n_out", s.n_out},
                             {"n_in", s.n_in},
                             {"bits_per_weight", to_json(s.bits_per_weight)},
                             {"code_usage", std::move(usage)},
                             {"weights",
                              {{"mean", s.weights.mean},
                               {"standard_deviation", s.weights.deviation},
                               {"excess_kurtosis", s.weights.excess_kurtosis},
                               {"least", s.weights.lowest},
                               {"most", s.weights.highest},
                               {"histogram", {{"reach_in_deviations", WeightStatistics::reach}, {"density", s.weights.density}}}}},
                             {"scales", {{"least", s.lowest_scale}, {"median", s.median_scale}, {"most", s.highest_scale}}}};
  if (s.rho) document["rho"] = *s.rho;
  if (!s.levels.empty()) document["levels"] = s.levels;
  if (!layer.report) return document;
  const LayerReport& r = *layer.report;
  document["report"] = {{"relative_error_after_init", r.error_after_init},
                        {"relative_error", r.error},
                        {"loss_trace", r.loss_trace},
                        {"seconds", {{"init", r.init_seconds}, {"update", r.update_seconds}, {"search", r.search_seconds}, {"total", r.total_seconds}}}};
  return document;
}

inline nlohmann::json to_json(const std::vector<InspectedModel>& models, std::optional<double> original_perplexity) {
  nlohmann::json document = {{"models", nlohmann::json::array()}};
  for (const InspectedModel& model : models) {
    const ModelTotals t(model);
    nlohmann::json entry = {{"name", model.name},
                            {"layers", nlohmann::json::array()},
                            {"weights", t.weights},
                            {"bits_per_weight", to_json(t.bits_per_weight)},
                            {"entropy_bits_per_code", t.entropy},
                            {"bits_per_code", t.code_bits},
                            {"codewords", t.codewords},
                            {"unused_codewords", t.unused}};
    for (const InspectedLayer& layer : model.layers) entry["layers"].push_back(to_json(layer));
    if (t.reports > 0) {
      entry["mean_error_after_init"] = t.error_after_init;
      entry["mean_error"] = t.error;
      entry["quantization_seconds"] = t.total_seconds;
    }
    if (model.calibration_seconds) entry["calibration_seconds"] = *model.calibration_seconds;
    if (model.perplexity) entry["perplexity"] = *model.perplexity;
    document["models"].push_back(std::move(entry));
  }
  if (original_perplexity) document["original_perplexity"] = *original_perplexity;
  return document;
}

}  // namespace llama
