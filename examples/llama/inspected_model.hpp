#pragma once

#include "../support/fail.hpp"
#include "layer_statistics.hpp"

#include <basin/io/aqlm.hpp>
#include <basin/io/json_text.hpp>
#include <basin/io/level_checkpoint.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace llama {
/// What quantize_model noted about a layer.
struct LayerReport {
  double error_after_init = 0, error = 0;
  std::vector<double> loss_trace;
  double init_seconds = 0, update_seconds = 0, search_seconds = 0, total_seconds = 0;
};

/// Where a layer stands in its model: "model.layers.3.mlp.up_proj" is up_proj of block 3.
struct LayerPlace {
  std::string kind;
  std::size_t block = 0;

  LayerPlace(std::string_view name, std::size_t otherwise) : kind(name.substr(name.rfind('.') + 1)), block(otherwise) {
    while (!name.empty()) {
      const std::string_view part = name.substr(0, name.find('.'));
      if (!part.empty() && part.size() < 9 && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
        block = static_cast<std::size_t>(std::stoul(std::string(part)));
        return;
      }
      name.remove_prefix(std::min(name.size(), part.size() + 1));
    }
  }
};

struct InspectedLayer {
  std::string name;
  LayerPlace place;
  LayerStatistics statistics;
  std::optional<LayerReport> report;
};

/// The quantized layers of a directory in AQLM layout, or of one of scalar levels, and what the directory's
/// reports/ and summary.json say beside them, where it has them.
struct InspectedModel {
  std::string name;
  std::vector<InspectedLayer> layers;
  std::optional<double> calibration_seconds;
  std::optional<double> perplexity;  ///< see read_perplexity

  [[nodiscard]] bool has_reports() const {
    return std::any_of(layers.begin(), layers.end(), [](const InspectedLayer& layer) { return layer.report.has_value(); });
  }
};

/// visit(number of the model, layer)
template <class Visit>
void for_each_layer(const std::vector<InspectedModel>& models, const Visit& visit) {
  for (std::size_t m = 0; m < models.size(); ++m)
    for (const InspectedLayer& layer : models[m].layers) visit(m, layer);
}

namespace detail {
/// As text, but numbers by value: layers.2 before layers.10.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto digits = [](std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && std::isdigit(static_cast<unsigned char>(text[count]))) ++count;
    return text.substr(0, count);
  };
  while (!a.empty() && !b.empty()) {
    const std::string_view x = digits(a), y = digits(b);
    if (!x.empty() && !y.empty()) {
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[0] != b[0]) {
      return a[0] < b[0];
    }
    a.remove_prefix(std::max<std::size_t>(x.size(), 1));
    b.remove_prefix(std::max<std::size_t>(y.size(), 1));
  }
  return a.size() < b.size();
}

/// A file that need not be there.
inline std::optional<nlohmann::json> read_json_if_any(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return support::take(basin::read_json(path));
}
/// Calls read() of a document of quantize_model or perplexity.
template <class Read>
auto read_fields(const std::filesystem::path& path, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const nlohmann::json::exception&) {
    support::fail(path.string(), ": not what basin's programs write; move it elsewhere to go on without it");
  }
}
inline std::optional<double> read_number_if_any(const std::filesystem::path& path, const char* key) {
  const std::optional<nlohmann::json> document = read_json_if_any(path);
  if (!document) return std::nullopt;
  return read_fields(path, [&] { return document->at(key).get<double>(); });
}
/// Infinity is null in JSON.
inline double number_or_nan(const nlohmann::json& value) { return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>(); }

inline std::optional<LayerReport> read_layer_report(const std::filesystem::path& folder, const std::string& layer) {
  const std::filesystem::path path = folder / "reports" / (layer + ".json");
  if (path.filename() != layer + ".json") return std::nullopt;  // no name of a file
  const std::optional<nlohmann::json> document = read_json_if_any(path);
  if (!document) return std::nullopt;
  return read_fields(path, [&] {
    LayerReport report;
    report.error_after_init = number_or_nan(document->at("relative_error_after_init"));
    report.error = number_or_nan(document->at("relative_error"));
    for (const nlohmann::json& value : document->at("loss_trace")) report.loss_trace.push_back(number_or_nan(value));
    const nlohmann::json& seconds = document->at("seconds");
    report.init_seconds = seconds.at("init").get<double>();
    report.update_seconds = seconds.at("update").get<double>();
    report.search_seconds = seconds.at("search").get<double>();
    report.total_seconds = seconds.at("total").get<double>();
    return report;
  });
}

/// Inputs of a layer of scalar levels, which its file does not hold.
inline std::int64_t level_inputs(const nlohmann::json& config, std::string_view kind, const std::string& config_path) {
  const auto size = [&](const char* key) -> std::optional<std::int64_t> {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return std::nullopt;
    if (!found->is_number_integer()) support::fail(config_path, ": \"", key, "\" must be a whole number");
    return found->get<std::int64_t>();
  };
  const auto wanted = [&](const char* key) {
    const std::optional<std::int64_t> value = size(key);
    if (!value) support::fail(config_path, ": \"", key, "\" is missing; it tells how many inputs layers of scalar levels have");
    return *value;
  };
  if (kind == "down_proj") return wanted("intermediate_size");
  if (kind == "o_proj")
    if (const auto head = size("head_dim"), heads = size("num_attention_heads"); head && heads && *head > 0 && *heads > 0 && *heads < 1 << 20 && *head < 1 << 20)
      return *head * *heads;
  return wanted("hidden_size");
}
}  // namespace detail

/// Reads a directory, one layer at a time; progress(fraction, layer) before each.
template <class Progress>
InspectedModel inspect_model(const std::filesystem::path& folder, const Progress& progress) {
  const std::string config_path = (folder / "config.json").string();
  const nlohmann::json config = support::take(basin::read_json(config_path));
  const auto tensors = support::take(basin::SafetensorsModel::open(folder));
  std::vector<std::string> names;
  bool is_additive = false;
  for (const basin::SafetensorsTensor* const tensor : tensors.tensors())
    for (const std::string_view ending : {".codes", ".level_codes"})
      if (tensor->name.ends_with(ending)) {
        names.push_back(tensor->name.substr(0, tensor->name.size() - ending.size()));
        is_additive = is_additive || ending == ".codes";
      }
  if (names.empty()) support::fail(tensors.name(), ": no quantized layers: no tensor's name ends with .codes or .level_codes");
  std::sort(names.begin(), names.end(), detail::natural_less);
  basin::AqlmConfig quantization;
  if (is_additive) quantization = support::take(basin::parse_aqlm_config(config, config_path));

  InspectedModel model;
  const std::filesystem::path whole = folder.lexically_normal();
  model.name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  if (model.name.empty() || model.name == ".") model.name = folder.string();
  for (const std::string& name : names) {
    progress(static_cast<double>(model.layers.size()) / static_cast<double>(names.size()), name);
    const LayerPlace place(name, model.layers.size());
    LayerStatistics statistics =
        tensors.find(name + ".codes") != nullptr
            ? layer_statistics(support::take(basin::read_aqlm_layer(tensors, name, quantization)))
            : layer_statistics(support::take(basin::read_level_layer(tensors, name, detail::level_inputs(config, place.kind, config_path))));
    model.layers.push_back({name, place, std::move(statistics), detail::read_layer_report(folder, name)});
  }
  progress(1, names.back());

  model.calibration_seconds = detail::read_number_if_any(folder / "summary.json", "calibration_seconds");
  return model;
}
/// As `perplexity --json DIR/perplexity.json` left it in the directory.
inline std::optional<double> read_perplexity(const std::filesystem::path& folder) {
  return detail::read_number_if_any(folder / "perplexity.json", "perplexity");
}

/// Sums and means over the layers of a model.
struct ModelTotals {
  double weights = 0;
  basin::BitsPerWeight bits_per_weight;
  std::size_t codewords = 0, unused = 0;
  double entropy = 0, code_bits = 0;  ///< per code, over layers and codebooks by the weights they stand for
  std::size_t reports = 0;
  double error_after_init = 0, error = 0;  ///< means over the layers that have reports
  double init_seconds = 0, update_seconds = 0, search_seconds = 0, total_seconds = 0;

  explicit ModelTotals(const InspectedModel& model) {
    double codes = 0;
    for (const InspectedLayer& layer : model.layers) {
      const LayerStatistics& s = layer.statistics;
      weights += s.num_weights();
      bits_per_weight.codes += s.num_weights() * s.bits_per_weight.codes;
      bits_per_weight.codebooks += s.num_weights() * s.bits_per_weight.codebooks;
      bits_per_weight.scales += s.num_weights() * s.bits_per_weight.scales;
      for (const CodeUsage& usage : s.usage) {
        codewords += usage.size;
        unused += usage.unused;
        entropy += s.num_weights() * usage.entropy;
        code_bits += s.num_weights() * std::log2(static_cast<double>(usage.size));
        codes += s.num_weights();
      }
      if (!layer.report) continue;
      ++reports;
      error_after_init += layer.report->error_after_init;
      error += layer.report->error;
      init_seconds += layer.report->init_seconds;
      update_seconds += layer.report->update_seconds;
      search_seconds += layer.report->search_seconds;
      total_seconds += layer.report->total_seconds;
    }
    bits_per_weight.codes /= weights;
    bits_per_weight.codebooks /= weights;
    bits_per_weight.scales /= weights;
    entropy /= codes;
    code_bits /= codes;
    if (reports > 0) {
      error_after_init /= static_cast<double>(reports);
      error /= static_cast<double>(reports);
    }
  }
};

}  // namespace llama
