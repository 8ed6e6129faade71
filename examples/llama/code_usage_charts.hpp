#pragma once

#include "../support/number_text.hpp"
#include "../support/svg_chart.hpp"
#include "inspected_model.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace llama::detail {
using support::Axis;
using support::fixed_number;
using support::SvgChart;

/// One of a group of bars beside each other, a model each.
inline void add_bar(SvgChart& chart, std::size_t num_models, std::size_t model, std::size_t place, double value, const std::string& title) {
  const double width = 0.8 / static_cast<double>(num_models);
  const double from = static_cast<double>(place) - 0.4 + width * static_cast<double>(model);
  chart.add_bar(from, from + width, value, model, title);
}

/// Shares of codewords by how often they are used, of models with codebooks.
inline std::string usage_bars(const std::vector<InspectedModel>& models) {
  std::vector<std::array<double, CodeUsage::num_bins>> bins(models.size());
  std::vector<double> codewords(models.size());
  double most = 0;
  for_each_layer(models, [&](std::size_t m, const InspectedLayer& layer) {
    if (!layer.statistics.levels.empty()) return;
    for (const CodeUsage& usage : layer.statistics.usage) {
      codewords[m] += static_cast<double>(usage.size);
      for (std::size_t b = 0; b < CodeUsage::num_bins; ++b) bins[m][b] += usage.bins[b] * static_cast<double>(usage.size);
    }
  });
  for (std::size_t m = 0; m < models.size(); ++m)
    for (double& bin : bins[m]) {
      if (codewords[m] > 0) bin *= 100 / codewords[m];
      most = std::max(most, bin);
    }
  if (!(most > 0)) return "";
  const std::vector<std::string> names = {"unused", "<1/4", "<1/2", "<1", "<2", "<4", "4 and more"};
  SvgChart chart("How often codewords are used", Axis::named("uses, against even use", names), Axis::exact("codewords, %", 0, 1.05 * most),
                 {.width = 460, .height = 260});
  for (std::size_t m = 0; m < models.size(); ++m)
    for (std::size_t b = 0; b < names.size() && codewords[m] > 0; ++b)
      add_bar(chart, models.size(), m, b, bins[m][b], models[m].name + ", " + names[b] + ": " + fixed_number(bins[m][b], 2) + " % of codewords");
  return chart.figure("Codewords by use, all codebooks");
}
/// The first few sets of levels among the layers.
inline std::vector<std::vector<float>> level_sets(const std::vector<InspectedModel>& models) {
  std::vector<std::vector<float>> sets;
  for_each_layer(models, [&](std::size_t, const InspectedLayer& layer) {
    const std::vector<float>& levels = layer.statistics.levels;
    if (!levels.empty() && std::find(sets.begin(), sets.end(), levels) == sets.end() && sets.size() < 4) sets.push_back(levels);
  });
  return sets;
}
/// Shares of codes by level, of layers with these levels.
inline std::string level_bars(const std::vector<InspectedModel>& models, const std::vector<float>& levels) {
  std::vector<std::vector<double>> shares(models.size(), std::vector<double>(levels.size()));
  std::vector<double> weights(models.size());
  for_each_layer(models, [&](std::size_t m, const InspectedLayer& layer) {
    if (layer.statistics.levels != levels) return;
    weights[m] += layer.statistics.num_weights();
    for (std::size_t l = 0; l < levels.size(); ++l) shares[m][l] += 100 * layer.statistics.num_weights() * layer.statistics.usage[0].shares[l];
  });
  std::vector<std::string> names;
  for (const float level : levels) names.push_back(support::short_number(static_cast<double>(level)));
  double most = 0;
  for (std::size_t m = 0; m < models.size(); ++m)
    for (double& share : shares[m]) {
      if (weights[m] > 0) share /= weights[m];
      most = std::max(most, share);
    }
  SvgChart chart("Shares of levels", Axis::named("level", names), Axis::exact("codes, %", 0, 1.05 * most), {.width = 460, .height = 260});
  for (std::size_t m = 0; m < models.size(); ++m)
    for (std::size_t l = 0; l < levels.size() && weights[m] > 0; ++l)
      add_bar(chart, models.size(), m, l, shares[m][l], models[m].name + ", level " + names[l] + ": " + fixed_number(shares[m][l], 2) + " % of codes");
  return chart.figure("Codes by level, set of " + std::to_string(levels.size()));
}

}  // namespace llama::detail
