#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/scheme.hpp>
#include <basin/io/atomic_file.hpp>
#include <basin/io/json_text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// The part of a model's config.json that says how its linear layers are quantized.
struct AqlmConfig {
  Scheme scheme;
  std::vector<std::string> linear_weights_not_to_quantize;  ///< full names, "lm_head.weight"

  /// @param prefix  a linear layer's module path, "model.layers.0.mlp.up_proj".
  [[nodiscard]] bool is_quantized(std::string_view prefix) const {
    const std::string weight = concat(prefix, ".weight");
    return std::find(linear_weights_not_to_quantize.begin(), linear_weights_not_to_quantize.end(), weight) ==
           linear_weights_not_to_quantize.end();
  }
};

/// From a config.json document; `name` stands for it in errors.
/// Errors: not_found (no quantization_config), unsupported (another quant_method, a scheme that
/// basin does not hold), bad_value.
[[nodiscard]] inline Expected<AqlmConfig> parse_aqlm_config(const nlohmann::json& document, std::string_view name) {
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat(name, ": quantization_config", why)};
  };
  if (!document.is_object() || !document.contains("quantization_config"))
    return fail(ErrorCode::not_found, " is missing; the model is not quantized");
  const nlohmann::json& quantization = *document.find("quantization_config");
  if (!quantization.is_object()) return fail(ErrorCode::bad_value, " is not an object");
  const auto method = quantization.find("quant_method");
  const auto* const method_name =
      method == quantization.end() ? nullptr : method->get_ptr<const std::string*>();
  if (method_name == nullptr) return fail(ErrorCode::bad_value, ": \"quant_method\" must be text");
  if (*method_name != "aqlm")
    return fail(ErrorCode::unsupported, concat(": quant_method is \"", *method_name, "\"; only \"aqlm\" is read"));

  AqlmConfig config;
  const std::pair<std::string_view, int*> numbers[] = {{"num_codebooks", &config.scheme.num_codebooks},
                                                       {"nbits_per_codebook", &config.scheme.bits_per_code},
                                                       {"in_group_size", &config.scheme.in_group_size},
                                                       {"out_group_size", &config.scheme.out_group_size}};
  for (const auto& [key, target] : numbers) {
    const auto at = quantization.find(key);
    // Beyond 63 bits this is negative.
    const std::int64_t number = at != quantization.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
    if (number < 1 || !std::in_range<int>(number))
      return fail(ErrorCode::bad_value, concat(": \"", key, "\" must be a positive whole number"));
    *target = static_cast<int>(number);
  }
  if (!config.scheme.is_valid())
    return fail(ErrorCode::unsupported, ": basin holds 1 to 8 codebooks, 1 to 16 bits and 1 to 4096 weights per group");
  const auto kept = quantization.find("linear_weights_not_to_quantize");
  if (kept == quantization.end() || kept->is_null()) return config;
  if (!kept->is_array()) return fail(ErrorCode::bad_value, ": \"linear_weights_not_to_quantize\" must be a list");
  for (const nlohmann::json& entry : *kept) {
    const auto* const weight = entry.get_ptr<const std::string*>();
    if (weight == nullptr)
      return fail(ErrorCode::bad_value, ": \"linear_weights_not_to_quantize\" must hold only text");
    config.linear_weights_not_to_quantize.push_back(*weight);
  }
  return config;
}

/// From a model's config.json. Errors: those of read_json and of parse_aqlm_config.
[[nodiscard]] inline Expected<AqlmConfig> read_aqlm_config(const std::filesystem::path& path) {
  const Expected<nlohmann::json> document = read_json(path);
  if (!document) return document.error();
  return parse_aqlm_config(*document, path.string());
}

/// Puts the quantization_config into a base model's config.json, replacing one that is there;
/// torch_dtype becomes "float16" unless the base states it.
/// Error: bad_value (base is not an object).
[[nodiscard]] inline Status add_aqlm_config(nlohmann::json& base, const AqlmConfig& config) {
  if (!base.is_object()) return Error{ErrorCode::bad_value, "a model configuration must be a JSON object"};
  base["quantization_config"] = {{"quant_method", "aqlm"},
                                 {"num_codebooks", config.scheme.num_codebooks},
                                 {"nbits_per_codebook", config.scheme.bits_per_code},
                                 {"in_group_size", config.scheme.in_group_size},
                                 {"out_group_size", config.scheme.out_group_size},
                                 {"linear_weights_not_to_quantize", config.linear_weights_not_to_quantize}};
  if (!base.contains("torch_dtype")) base["torch_dtype"] = "float16";
  return Done{};
}

/// Writes `base` with the quantization_config added, whole or not at all.
/// Errors: bad_value, cannot_write.
[[nodiscard]] inline Status write_aqlm_config(const std::filesystem::path& path, nlohmann::json base,
                                              const AqlmConfig& config) {
  if (const Status added = add_aqlm_config(base, config); !added) return added.error();
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file) return file.error();
  const std::string text = base.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (const Status wrote = file->write(std::string_view(text)); !wrote) return wrote.error();
  return file->commit();
}

}  // namespace basin
