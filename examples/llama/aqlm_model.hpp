#pragma once

#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "model.hpp"
#include "tokenizer.hpp"
#include "tokenizer_json.hpp"

#include <basin/io/aqlm.hpp>
#include <basin/io/json_text.hpp>
#include <basin/io/level_checkpoint.hpp>
#include <basin/pipeline/store.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace llama {
/// A model directory as Hugging Face and the `aqlm` package lay it out:
///
///     config.json         sizes, and "quantization_config" where layers are quantized
///     model.safetensors   P.codes, P.codebooks, P.scales of quantized layers, P.weight of others;
///                         of scalar levels what level_checkpoint.hpp says
///     tokenizer.json      see tokenizer_json.hpp
class AqlmModel {
 public:
  /// @param product  how quantized layers are multiplied; layers of scalar levels that it does not fit are decoded
  explicit AqlmModel(const std::filesystem::path& folder, Product product = Product::dense)
      : product_(product), folder_(folder), config_path_((folder / "config.json").string()),
        document_(support::take(basin::read_json(config_path_))),
        tensors_(support::take(basin::SafetensorsModel::open(folder))) {
    if (!document_.is_object() || setting<std::string>("model_type", "") != "llama")
      support::fail(config_path_, ": \"model_type\" is not \"llama\"; this engine runs no other");
    if (const auto quantized = document_.find("quantization_config"); quantized != document_.end()) {
      if (quantized->is_object() && quantized->value("quant_method", "") == level_method) read_run_format(*quantized);
      else quantization_ = support::take(basin::parse_aqlm_config(document_, config_path_));
    }
    if (const auto scaling = document_.find("rope_scaling"); scaling != document_.end() && !scaling->is_null())
      support::fail(config_path_, ": \"rope_scaling\" is not supported by this engine");
    config_.hidden = setting<Index>("hidden_size");
    config_.ffn = setting<Index>("intermediate_size");
    config_.blocks = setting<Index>("num_hidden_layers");
    config_.heads = setting<Index>("num_attention_heads");
    config_.kv_heads = setting<Index>("num_key_value_heads", config_.heads);
    config_.head_dim = setting<Index>("head_dim", config_.heads > 0 ? config_.hidden / config_.heads : 0);
    config_.vocab = setting<Index>("vocab_size");
    config_.context = setting<Index>("max_position_embeddings");
    config_.norm_epsilon = setting<float>("rms_norm_eps");
    config_.rope_base = setting<float>("rope_theta", 10000.0f);
    config_.check(config_path_);
  }

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  /// What a program wants instead of what the directory says; 0 leaves it.
  void choose_bits(int activation_bits, int kv_bits) noexcept {
    if (activation_bits != 0) run_format_.activation_bits = activation_bits;
    if (kv_bits != 0) config_.kv_bits = kv_bits;
  }

  [[nodiscard]] bool has(const std::string& name) const { return tensors_.find(name + ".weight") != nullptr; }
  [[nodiscard]] Vector vector(const std::string& name, Index size) const {
    Vector values;
    read(checked(name, {size}), values, size, 1);
    return values;
  }
  [[nodiscard]] Linear linear(const std::string& name, Shape shape) const {
    if (tensors_.find(name + ".codes") != nullptr) {
      const basin::AdditiveLayer layer = support::take(basin::read_aqlm_layer(tensors_, name, quantization_));
      if (layer.n_out != shape.rows || layer.n_in != shape.cols)
        wrong_shape(name, {layer.n_out, layer.n_in}, {shape.rows, shape.cols});
      return product_ == Product::dense ? Linear(layer) : Linear(PackedLinear(layer, product_, best_kernels()));
    }
    if (basin::has_level_layer(tensors_, name)) {
      const basin::LevelLayer layer = support::take(basin::read_level_layer(tensors_, name, shape.cols));
      if (layer.n_out != shape.rows) wrong_shape(name, {layer.n_out, layer.n_in}, {shape.rows, shape.cols});
      if (product_ == Product::int8 && integer_levels(layer)) {
        RunFormat integers = run_format_;
        if (integers.activation_bits == 16) integers.activation_bits = 8;
        return Linear(PackedLevelLinear(layer, best_kernels()), InputPath(shape.cols, integers));
      }
      return Linear(basin::load<float>(layer).decode(), InputPath(shape.cols, run_format_));
    }
    Matrix weight;
    read(checked(name, {shape.rows, shape.cols}), weight, shape.rows, shape.cols);
    return Linear(std::move(weight));
  }
  [[nodiscard]] Tokenizer tokenizer() const {
    Vocabulary v = read_tokenizer_json((folder_ / "tokenizer.json").string());
    if (Index(v.tokens.size()) > config_.vocab)
      support::fail((folder_ / "tokenizer.json").string(), ": ", v.tokens.size(),
                    " tokens for an embedding of ", config_.vocab, " rows");
    v.bos = setting<Token>("bos_token_id", -1);
    v.eos = setting<Token>("eos_token_id", -1);
    return Tokenizer(std::move(v));
  }

 private:
  /// A number or text of config.json; the fallback where it is absent or null.
  template <class T>
  T setting(const char* key, T fallback) const {
    const auto found = document_.find(key);
    if (found == document_.end() || found->is_null()) return fallback;
    const bool fits = std::is_same_v<T, std::string> ? found->is_string()
                      : std::is_integral_v<T>        ? found->is_number_integer()
                                                     : found->is_number();
    if (!fits) support::fail(config_path_, ": \"", key, "\" has the wrong type");
    return found->template get<T>();
  }
  template <class T>
  T setting(const char* key) const {
    if (!document_.contains(key)) support::fail(config_path_, ": \"", key, "\" is missing");
    return setting<T>(key, T{});
  }
  void read_run_format(const nlohmann::json& quantized) {
    const auto whole = [&](const char* key) -> std::optional<std::uint64_t> {
      const auto found = quantized.find(key);
      if (found == quantized.end() || found->is_null()) return std::nullopt;
      if (!found->is_number_unsigned()) support::fail(config_path_, ": quantization_config: \"", key, "\" must be a whole number");
      return found->get<std::uint64_t>();
    };
    const auto bits = [&](const char* key, bool allows_eight) {
      const std::uint64_t value = whole(key).value_or(16);
      if (value != 16 && value != 4 && !(allows_eight && value == 8))
        support::fail(config_path_, ": quantization_config: \"", key, "\" is ", value, "; this engine has ", allows_eight ? "4, 8" : "4", " and 16");
      return static_cast<int>(value);
    };
    run_format_ = {whole("rotation_seed"), bits("activation_bits", true), bits("kv_bits", false)};
    config_.kv_bits = run_format_.kv_bits;
  }
  [[nodiscard]] const basin::SafetensorsTensor& checked(const std::string& name,
                                                        const std::vector<std::int64_t>& shape) const {
    const auto* found = tensors_.find(name + ".weight");
    if (found == nullptr)
      support::fail(tensors_.name(), ": no tensor \"", name, ".weight\"; is this a whole llama model?");
    if (found->shape != shape) wrong_shape(name, found->shape, shape);
    return *found;
  }
  [[noreturn]] void wrong_shape(const std::string& name, const std::vector<std::int64_t>& found,
                                const std::vector<std::int64_t>& wanted) const {
    support::fail(tensors_.name(), ": layer \"", name, "\" is ", shape_text(found), " but config.json asks for ",
                  shape_text(wanted), "; the two belong to different models");
  }
  template <class Values>
  void read(const basin::SafetensorsTensor& from, Values& out, Index rows, Index cols) const {
    out.resize(rows, cols);
    support::check(basin::read_floats(from, std::span(out.data(), static_cast<std::size_t>(out.size()))));
    if (!out.allFinite()) support::fail(tensors_.name(), ": tensor \"", from.name, "\" holds NaN or infinity");
  }

  static constexpr std::string_view level_method = "basin-levels";

  Product product_;
  std::filesystem::path folder_;
  std::string config_path_;
  nlohmann::json document_;
  basin::SafetensorsModel tensors_;
  basin::AqlmConfig quantization_;
  RunFormat run_format_;
  Config config_;
};

using StoredLayer = std::variant<basin::AdditiveLayer, basin::LevelLayer>;
/// Quantized layers by part_name, "model.layers.0.mlp.up_proj".
using QuantizedLayers = std::map<std::string, StoredLayer>;

/// How the quantized layers of a directory are kept: additive codes of one scheme, or scalar levels.
using ModelFormat = std::variant<basin::Scheme, RunFormat>;

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

/// Writes a directory that AqlmModel reads; one of additive codes `transformers` with `aqlm` loads too. Linear layers
/// that are not in `layers` and norms stay fp32; embeddings are stored in fp16. config.json comes
/// last: a directory without it is unfinished.
inline void write_aqlm_model(const std::filesystem::path& folder, const Model& model, const Vocabulary& vocabulary,
                             const ModelFormat& format, const QuantizedLayers& layers) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) support::fail(folder.string(), ": cannot create the directory: ", error.message());

  const Config& c = model.config;
  basin::SafetensorsWriter writer;
  const auto* const scheme = std::get_if<basin::Scheme>(&format);
  basin::AqlmConfig quantization{scheme ? *scheme : basin::Scheme{}, {}};
  support::check(writer.set_metadata("format", "pt"));
  const auto keep = [&](const std::string& name) {
    quantization.linear_weights_not_to_quantize.push_back(name + ".weight");
    return name + ".weight";
  };
  const auto add_floats = [&](const std::string& name, const auto& values, std::vector<std::int64_t> shape) {
    support::check(writer.add(keep(name), basin::SafetensorsType::f32, std::move(shape),
                              std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size())))));
  };
  const auto add_halves = [&](const std::string& name, const Matrix& m) {
    std::vector<std::byte> bytes(2 * static_cast<std::size_t>(m.size()));
    for (Index i = 0; i < m.size(); ++i) {
      if (!(std::abs(m.data()[i]) <= basin::max_half))
        support::fail("cannot store \"", name, "\" in fp16: it holds ", m.data()[i]);
      basin::store_little_endian(basin::float_to_half(m.data()[i]), bytes.data() + 2 * i);
    }
    support::check(writer.add(keep(name), basin::SafetensorsType::f16, {m.rows(), m.cols()}, std::move(bytes)));
  };

  add_halves("model.embed_tokens", model.embedding.weight());
  if (model.output) add_halves("lm_head", model.output->weight());
  else keep("lm_head");  // tied: not a tensor, yet not to be quantized either
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const Block& block = model.blocks[b];
    add_floats(block_prefix(Index(b)) + "input_layernorm", block.attention_norm, {c.hidden});
    add_floats(block_prefix(Index(b)) + "post_attention_layernorm", block.ffn_norm, {c.hidden});
    for (std::size_t p = 0; p < num_parts; ++p) {
      const std::string name = part_name(Index(b), Part(p));
      const Matrix& weight = block.parts[p].weight();
      if (const auto layer = layers.find(name); layer != layers.end())
        support::check(std::visit(Overloaded{[&](const basin::AdditiveLayer& stored) { return basin::add_aqlm_layer(writer, name, stored); },
                                             [&](const basin::LevelLayer& stored) { return basin::add_level_layer(writer, name, stored); }},
                                  layer->second));
      else add_floats(name, weight, {weight.rows(), weight.cols()});
    }
  }
  add_floats("model.norm", model.final_norm, {c.hidden});

  nlohmann::json document = {
      {"architectures", {"LlamaForCausalLM"}}, {"model_type", "llama"}, {"hidden_act", "silu"},
      {"hidden_size", c.hidden}, {"intermediate_size", c.ffn}, {"num_hidden_layers", c.blocks},
      {"num_attention_heads", c.heads}, {"num_key_value_heads", c.kv_heads}, {"head_dim", c.head_dim},
      {"vocab_size", c.vocab}, {"max_position_embeddings", c.context}, {"rms_norm_eps", c.norm_epsilon},
      {"rope_theta", c.rope_base}, {"tie_word_embeddings", !model.output}, {"attention_bias", false},
      {"mlp_bias", false}};
  if (vocabulary.bos >= 0) document["bos_token_id"] = vocabulary.bos;
  if (vocabulary.eos >= 0) document["eos_token_id"] = vocabulary.eos;
  write_tokenizer_json((folder / "tokenizer.json").string(), vocabulary);
  // Tensors of one run never stand beside the config.json of another.
  const std::filesystem::path next = folder / "model.safetensors.next";
  support::check(writer.write(next));
  std::filesystem::remove(folder / "config.json", error);
  if (!error) std::filesystem::rename(next, folder / "model.safetensors", error);
  if (error) support::fail((folder / "model.safetensors").string(), ": cannot write: ", error.message());
  if (scheme) return support::check(basin::write_aqlm_config(folder / "config.json", document, quantization));
  const RunFormat& run = std::get<RunFormat>(format);
  nlohmann::json quantized = {{"quant_method", "basin-levels"}, {"activation_bits", run.activation_bits}, {"kv_bits", run.kv_bits},
                              {"linear_weights_not_to_quantize", quantization.linear_weights_not_to_quantize}};
  if (run.rotation_seed) quantized["rotation_seed"] = *run.rotation_seed;
  document["quantization_config"] = std::move(quantized);
  support::write_json(folder / "config.json", document);
}

}  // namespace llama
