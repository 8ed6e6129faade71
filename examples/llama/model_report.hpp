#pragma once

#include "../support/html_page.hpp"
#include "../support/number_text.hpp"
#include "../support/parts_table.hpp"
#include "../support/svg_chart.hpp"
#include "code_usage_charts.hpp"
#include "inspected_model.hpp"
#include "inspection_tables.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llama {
namespace detail {
inline std::string html_table(const TextRows& rows) {
  support::HtmlTable table(rows.front());
  for (std::size_t r = 1; r < rows.size(); ++r) table.add(rows[r]);
  return table.html();
}
/// Kinds of layers in the order in which a block runs them; those of other models as they come.
inline std::vector<std::string> layer_kinds(const std::vector<InspectedModel>& models) {
  std::vector<std::string> known = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}, kinds;
  const auto has = [&](const std::string& kind) {
    return std::any_of(models.begin(), models.end(), [&](const InspectedModel& model) {
      return std::any_of(model.layers.begin(), model.layers.end(), [&](const InspectedLayer& layer) { return layer.place.kind == kind; });
    });
  };
  std::copy_if(known.begin(), known.end(), std::back_inserter(kinds), has);
  for (const InspectedModel& model : models)
    for (const InspectedLayer& layer : model.layers)
      if (std::find(kinds.begin(), kinds.end(), layer.place.kind) == kinds.end()) kinds.push_back(layer.place.kind);
  return kinds;
}
inline void add_models(support::Legend& legend, const std::vector<InspectedModel>& models) {
  if (models.size() < 2) return;
  for (std::size_t m = 0; m < models.size(); ++m) legend.add(models[m].name, m);
}
inline std::string panels(const std::string& figures, const char* look = "panels") { return "<div class=\"" + std::string(look) + "\">\n" + figures + "</div>\n"; }
}  // namespace detail

/// What is known of one or several models, as a page with charts; a model keeps its colour throughout.
class ModelReport {
 public:
  explicit ModelReport(const std::vector<InspectedModel>& models, std::optional<double> original_perplexity = std::nullopt)
      : models_(models), kinds_(detail::layer_kinds(models)), page_(title(models)) {
    add_summary(original_perplexity);
    add_errors();
    add_rho();
    add_loss_traces();
    add_weights();
    add_code_usage();
    add_bits();
    add_seconds();
    add_layers();
  }
  [[nodiscard]] const support::HtmlPage& page() const noexcept { return page_; }

 private:
  using Axis = support::Axis;
  using Extent = support::Extent;
  using SvgChart = support::SvgChart;
  using Curve = std::vector<SvgChart::Point>;
  using LayerValue = std::function<double(const InspectedLayer&)>;
  using AxisOf = std::function<Axis(const Extent&)>;

  static std::string title(const std::vector<InspectedModel>& models) {
    std::string names;
    for (const InspectedModel& model : models) names += (names.empty() ? "" : ", ") + model.name;
    return "basin: " + names;
  }
  static double error(const InspectedLayer& layer) { return layer.report ? layer.report->error : std::nan(""); }
  static double error_after_init(const InspectedLayer& layer) { return layer.report ? layer.report->error_after_init : std::nan(""); }

  [[nodiscard]] bool has_reports() const {
    return std::any_of(models_.begin(), models_.end(), [](const InspectedModel& model) { return model.has_reports(); });
  }
  [[nodiscard]] std::string tip(std::size_t m, const InspectedLayer& layer, const std::string& values) const {
    return (models_.size() > 1 ? models_[m].name + ", " : "") + layer.name + ": " + values;
  }
  /// A legend of the models, and one of the kinds of lines.
  [[nodiscard]] std::string legend(const std::vector<std::pair<std::string, std::string>>& lines = {}) const {
    support::Legend legend;
    detail::add_models(legend, models_);
    for (const auto& [name, look] : lines) legend.add_line(name, look);
    return models_.size() > 1 || !lines.empty() ? legend.html() : "";
  }
  /// A chart per kind of layer: values over blocks, a colour per model, dashed what `dashed` says.
  [[nodiscard]] std::string over_blocks(const AxisOf& y_axis, const LayerValue& value, const LayerValue& dashed, const char* unit) const {
    Extent blocks;
    for_each_layer(models_, [&](std::size_t, const InspectedLayer& layer) { blocks.add(static_cast<double>(layer.place.block)); });
    std::string figures;
    for (const std::string& kind : kinds_) {
      Extent values;
      for_each_layer(models_, [&](std::size_t, const InspectedLayer& layer) {
        if (layer.place.kind != kind) return;
        values.add_positive(value(layer));
        if (dashed) values.add_positive(dashed(layer));
      });
      if (values.is_empty()) continue;
      const Axis y = y_axis(values);
      SvgChart chart(y.label() + " of " + kind + " by block", Axis::whole("block", blocks.low(), blocks.high()), y);
      for (std::size_t m = 0; m < models_.size(); ++m) {
        Curve solid, broken;
        for (const InspectedLayer& layer : models_[m].layers) {
          if (layer.place.kind != kind) continue;
          const auto block = static_cast<double>(layer.place.block);
          solid.emplace_back(block, value(layer));
          if (dashed) broken.emplace_back(block, dashed(layer));
        }
        chart.add_line(broken, m, SvgChart::Line::dashed);
        chart.add_line(solid, m);
      }
      for_each_layer(models_, [&](std::size_t m, const InspectedLayer& layer) {
        if (layer.place.kind == kind)
          chart.add_point({static_cast<double>(layer.place.block), value(layer)}, m, tip(m, layer, support::short_number(value(layer)) + unit));
      });
      figures += chart.figure(kind);
    }
    return detail::panels(figures);
  }

  void add_summary(std::optional<double> original_perplexity) {
    std::string body = detail::html_table(summary_rows(models_, original_perplexity));
    body += "<p class=\"note\">Bits per weight count codes, codebooks and scales of the quantized layers. ";
    if (has_reports())
      body += "Layer error: tr(dW H dW<sup>T</sup>) / tr(W H W<sup>T</sup>), mean over the layers; W is the weight a layer aims at. "
              "Seconds: wall clock of quantizing and calibrating. ";
    body += "Code entropy: bits that a code would need if an ideal coder stored it, of the bits that it takes.</p>\n";
    if (!has_reports()) body += "<p class=\"note\">No reports of a quantization lie beside these layers: errors, loss and seconds are not known.</p>\n";
    page_.add_section("summary", "Summary", body);
  }

  void add_errors() {
    if (!has_reports()) return;
    const auto axis = [](const Extent& errors) { return Axis::logarithmic("relative error", errors.low(), errors.high()); };
    page_.add_section("errors", "Error per layer",
                      legend({{"as stored", ""}, {"after init", "broken"}}) + over_blocks(axis, error, error_after_init, ""));
  }

  /// Errors of later models against that of the first with the same scheme; of one model, what the search gains over its start.
  void add_rho() {
    struct Gain {
      double rho, gain;
      std::size_t series;
      std::string title;
    };
    std::vector<Gain> gains, gains_after_init;
    std::vector<std::pair<std::string, std::size_t>> series;
    std::map<std::pair<std::string, std::string>, std::pair<std::size_t, const InspectedLayer*>> first;  // by layer and scheme
    for_each_layer(models_, [&](std::size_t m, const InspectedLayer& layer) {
      if (!layer.report || !layer.statistics.rho) return;
      const double rho = *layer.statistics.rho;
      const auto add = [&](std::vector<Gain>& to, std::size_t color, double before, double after, const std::string& what) {
        const double gain = 100 * (1 - after / before);
        if (std::isfinite(gain)) to.push_back({rho, gain, color, layer.name + ", " + what + ": " + support::fixed_number(gain, 1) + " % less, rho " + support::short_number(rho)});
      };
      if (models_.size() == 1) {
        const auto kind = static_cast<std::size_t>(std::find(kinds_.begin(), kinds_.end(), layer.place.kind) - kinds_.begin());
        return add(gains, kind, layer.report->error_after_init, layer.report->error, "search over its start");
      }
      const auto [at, is_first] = first.try_emplace({layer.name, layer.statistics.scheme}, m, &layer);
      if (is_first || at->second.first == m) return;
      const InspectedLayer& base = *at->second.second;
      const std::string what = models_[m].name + " over " + models_[at->second.first].name;
      if (std::find(series.begin(), series.end(), std::pair(what, m)) == series.end()) series.emplace_back(what, m);
      add(gains, m, base.report->error, layer.report->error, what);
      add(gains_after_init, m, base.report->error_after_init, layer.report->error_after_init, what);
    });
    if (gains.empty()) return;
    const auto chart = [&](const std::vector<Gain>& marks, const std::string& label) {
      Extent rho, gain;
      gain.add(0);
      for (const Gain& g : marks) {
        rho.add_positive(g.rho);
        gain.add(g.gain);
      }
      SvgChart drawn("rho against " + label, Axis::logarithmic("rho = weight groups per code tuple", rho.low() / 1.2, rho.high() * 1.2),
                     Axis::linear(label, gain.low(), gain.high()), {.width = 460, .height = 280});
      drawn.add_guide({{rho.low() / 2, 0}, {rho.high() * 2, 0}});
      for (const Gain& g : marks) drawn.add_point({g.rho, g.gain}, g.series, g.title);
      return drawn;
    };
    support::Legend names;
    std::string figures;
    if (models_.size() == 1) {
      for (std::size_t k = 0; k < kinds_.size(); ++k) names.add(kinds_[k], k);
      figures = chart(gains, "error less than after init, %").figure("What the search gains over its start");
    } else {
      for (const auto& [what, m] : series) names.add(what, m);
      figures = chart(gains_after_init, "error less, %").figure("After init") + chart(gains, "error less, %").figure("As stored");
    }
    page_.add_section("rho", "rho against gain",
                      "<p class=\"note\">One mark per layer. Above rho = 1 groups compete for code tuples and the starting codebooks matter; below, "
                      "assignment has freedom to absorb their mistakes.</p>\n" +
                          names.html() + detail::panels(figures, "panels large"));
  }

  void add_loss_traces() {
    std::string figures;
    for (const std::string& kind : kinds_) {
      Extent losses, passes;
      for_each_layer(models_, [&](std::size_t, const InspectedLayer& layer) {
        if (layer.place.kind != kind || !layer.report) return;
        for (const double loss : layer.report->loss_trace) losses.add_positive(loss);
        passes.add(std::max(1.0, static_cast<double>(layer.report->loss_trace.size()) - 1));
      });
      if (losses.is_empty()) continue;
      SvgChart chart("Loss of " + kind + " by pass", Axis::exact("pass of the search", 0, passes.high()),
                     Axis::logarithmic("relative error", losses.low(), losses.high()));
      for (std::size_t m = 0; m < models_.size(); ++m) add_traces(chart, m, kind);
      figures += chart.figure(kind);
    }
    if (figures.empty()) return;
    page_.add_section("loss", "Loss by pass", legend({{"a layer", "faint"}, {"geometric mean of the layers, each at its last value once it has stopped", ""}}) +
                                                  detail::panels(figures));
  }
  void add_traces(SvgChart& chart, std::size_t m, const std::string& kind) const {
    std::vector<Curve> curves;
    std::size_t longest = 0;
    for (const InspectedLayer& layer : models_[m].layers) {
      if (layer.place.kind != kind || !layer.report || layer.report->loss_trace.empty()) continue;
      Curve& curve = curves.emplace_back();
      for (const double loss : layer.report->loss_trace) curve.emplace_back(static_cast<double>(curve.size()), loss);
      longest = std::max(longest, curve.size());
      chart.add_line(curve, m, SvgChart::Line::thin);
    }
    Curve mean;
    for (std::size_t pass = 0; pass < longest; ++pass) {
      double sum = 0;
      for (const Curve& curve : curves) sum += std::log(curve[std::min(pass, curve.size() - 1)].second);
      mean.emplace_back(static_cast<double>(pass), std::exp(sum / static_cast<double>(curves.size())));
    }
    chart.add_line(mean, m);
  }

  void add_weights() {
    constexpr double reach = WeightStatistics::reach;
    constexpr std::size_t num_bins = WeightStatistics::num_bins;
    const auto center = [](std::size_t bin) { return (static_cast<double>(bin) + 0.5) * 2 * reach / num_bins - reach; };
    Curve gaussian;
    for (std::size_t bin = 0; bin < num_bins; ++bin)
      gaussian.emplace_back(center(bin), std::exp(-0.5 * center(bin) * center(bin)) / std::sqrt(2 * std::numbers::pi));
    std::string figures;
    for (const std::string& kind : kinds_) {
      std::vector<Curve> curves(models_.size());
      Extent density;
      density.add(0);
      density.add(gaussian[num_bins / 2].second);
      for (std::size_t m = 0; m < models_.size(); ++m) {
        std::vector<double> sums(num_bins);
        double weights = 0;
        for (const InspectedLayer& layer : models_[m].layers) {
          if (layer.place.kind != kind) continue;
          weights += layer.statistics.num_weights();
          for (std::size_t bin = 0; bin < num_bins; ++bin) sums[bin] += layer.statistics.num_weights() * layer.statistics.weights.density[bin];
        }
        for (std::size_t bin = 0; bin < num_bins && weights > 0; ++bin) {
          curves[m].emplace_back(center(bin), sums[bin] / weights);
          density.add(sums[bin] / weights);
        }
      }
      SvgChart chart("Histogram of the weights of " + kind, Axis::exact("weight over its layer's deviation", -reach, reach),
                     Axis::exact("density", 0, 1.05 * density.high()));
      chart.add_guide(gaussian);
      for (std::size_t m = 0; m < models_.size(); ++m) chart.add_line(curves[m], m);
      figures += chart.figure(kind);
    }
    page_.add_section("weights", "Weights as decoded", legend({{"a Gaussian", "dotted"}}) + detail::panels(figures));
  }

  void add_code_usage() {
    std::string figures = detail::usage_bars(models_);
    for (const std::vector<float>& levels : detail::level_sets(models_)) figures += detail::level_bars(models_, levels);
    const auto evenness = [](const InspectedLayer& layer) {
      double entropy = 0, bits = 0;
      for (const CodeUsage& usage : layer.statistics.usage) {
        entropy += usage.entropy;
        bits += std::log2(static_cast<double>(usage.size));
      }
      return 100 * entropy / bits;
    };
    const auto axis = [](const Extent& shares) { return Axis::linear("entropy, %", shares.low(), 100); };
    page_.add_section("codes", "Use of codes",
                      legend() + detail::panels(figures, "panels large") +
                          "<p class=\"note\">Entropy of codes by layer, of the bits that they take; 100 % where all codewords are used evenly.</p>\n" +
                          over_blocks(axis, evenness, nullptr, " %"));
  }
  void add_bits() {
    std::vector<support::Parts> rows;
    const auto add = [&](const std::string& name, const basin::BitsPerWeight& bits) { rows.push_back({name, {bits.codes, bits.codebooks, bits.scales}}); };
    for (const InspectedModel& model : models_) {
      add(model.name, ModelTotals(model).bits_per_weight);
      if (models_.size() > 1) continue;
      for (const std::string& kind : kinds_) {
        InspectedModel part;
        std::copy_if(model.layers.begin(), model.layers.end(), std::back_inserter(part.layers),
                     [&](const InspectedLayer& layer) { return layer.place.kind == kind; });
        add(kind, ModelTotals(part).bits_per_weight);
      }
    }
    page_.add_section("bits", "Bits per weight", support::parts_table({"codes", "codebooks", "scales"}, "bits", rows, 3));
  }
  void add_seconds() {
    if (!has_reports()) return;
    std::vector<support::Parts> rows;
    for (const InspectedModel& model : models_) {
      if (!model.has_reports()) continue;
      const ModelTotals t(model);
      rows.push_back({model.name, {t.init_seconds, t.update_seconds, t.search_seconds,
                                   std::max(0.0, t.total_seconds - t.init_seconds - t.update_seconds - t.search_seconds),
                                   model.calibration_seconds.value_or(0)}});
    }
    page_.add_section("seconds", "Seconds", support::parts_table({"init", "update", "search", "rest of quantizing", "calibration"}, "seconds", rows, 1));
  }

  void add_layers() {
    std::string body;
    for (const InspectedModel& model : models_) {
      detail::TextRows rows = layer_rows(model);
      rows[0].push_back("weights");
      support::HtmlTable table(rows[0]);
      for (std::size_t i = 0; i < model.layers.size(); ++i) table.add(rows[i + 1], support::sparkline(model.layers[i].statistics.weights.density));
      body += std::string(models_.size() == 1 ? "<details open>" : "<details>") + "<summary>" + support::escape_html(model.name) +
              "</summary>\n<div class=\"tall\" tabindex=\"0\">" + table.html() + "</div></details>\n";
    }
    page_.add_section("layers", "Layers", body);
  }

  const std::vector<InspectedModel>& models_;
  std::vector<std::string> kinds_;
  support::HtmlPage page_;
};

/// Leaves report.html in a directory of layers that were just quantized.
inline void write_model_report(const std::filesystem::path& folder) {
  const std::vector<InspectedModel> models{inspect_model(folder, [](double, const std::string&) {})};
  ModelReport(models).page().write(folder / "report.html");
}

}  // namespace llama
