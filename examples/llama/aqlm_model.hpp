#pragma once

#include "../support/fail.hpp"
#include "model.hpp"
#include "tokenizer.hpp"
#include "tokenizer_json.hpp"

#include <basin/io/aqlm.hpp>
#include <basin/io/json_text.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace llama {
/// A model directory as Hugging Face and the `aqlm` package lay it out:
///
///     config.json         sizes, and "quantization_config" where layers are quantized
///     model.safetensors   P.codes, P.codebooks, P.scales of quantized layers, P.weight of others
///     tokenizer.json      see tokenizer_json.hpp
class AqlmModel {
 public:
  /// @param product  how quantized layers are multiplied
  explicit AqlmModel(const std::filesystem::path& folder, Product product = Product::dense)
      : product_(product), folder_(folder), config_path_((folder / "config.json").string()),
        document_(support::take(basin::read_json(config_path_))),
        tensors_(support::take(basin::SafetensorsModel::open(folder))) {
    if (!document_.is_object() || setting<std::string>("model_type", "") != "llama")
      support::fail(config_path_, ": \"model_type\" is not \"llama\"; this engine runs no other");
    if (document_.contains("quantization_config"))
      quantization_ = support::take(basin::parse_aqlm_config(document_, config_path_));
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

  Product product_;
  std::filesystem::path folder_;
  std::string config_path_;
  nlohmann::json document_;
  basin::SafetensorsModel tensors_;
  basin::AqlmConfig quantization_;
  Config config_;
};

/// Quantized layers by part_name, "model.layers.0.mlp.up_proj".
using QuantizedLayers = std::map<std::string, basin::AdditiveLayer>;

/// Writes a directory that AqlmModel reads and that `transformers` with `aqlm` loads. Linear layers
/// that are not in `layers` and norms stay fp32; embeddings are stored in fp16. config.json comes
/// last: a directory without it is unfinished.
inline void write_aqlm_model(const std::filesystem::path& folder, const Model& model, const Vocabulary& vocabulary,
                             const basin::Scheme& scheme, const QuantizedLayers& layers) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) support::fail(folder.string(), ": cannot create the directory: ", error.message());

  const Config& c = model.config;
  basin::SafetensorsWriter writer;
  basin::AqlmConfig quantization{scheme, {}};
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
        support::check(basin::add_aqlm_layer(writer, name, layer->second));
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
  support::check(writer.write(folder / "model.safetensors"));
  support::check(basin::write_aqlm_config(folder / "config.json", document, quantization));
}

}  // namespace llama
