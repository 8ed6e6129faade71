#pragma once

#include "../support/fail.hpp"
#include "model.hpp"
#include "tokenizer.hpp"

#include <basin/io/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llama {
/// "model.layers.3.self_attn.k_proj" -> "blk.3.attn_k.weight".
inline std::string gguf_name(const std::string& name) {
  if (name == "model.embed_tokens") return "token_embd.weight";
  if (name == "model.norm") return "output_norm.weight";
  if (name == "lm_head") return "output.weight";
  constexpr std::string_view prefix = "model.layers.";
  const std::size_t dot = name.find('.', prefix.size());
  const std::string_view inner = std::string_view(name).substr(dot + 1);
  std::string_view part = inner == "input_layernorm" ? "attn_norm" : "ffn_norm";
  for (const PartInfo& info : part_infos)
    if (info.name == inner) part = info.gguf_name;
  return basin::concat("blk.", name.substr(prefix.size(), dot - prefix.size()), ".", part, ".weight");
}

/// GGUF interleaves the two halves of every query and key head (for rotating neighbors); the original order has one half
/// after the other.
[[nodiscard]] inline bool is_interleaved(const std::string& name) { return name.ends_with("q_proj") || name.ends_with("k_proj"); }
/// The row of a GGUF tensor that holds a row of the original order.
[[nodiscard]] inline Index interleaved_row(Index row, Index head_dim) {
  const Index half = head_dim / 2, inner = row % head_dim;
  return row - inner + inner % half * 2 + inner / half;
}

/// Tensors and metadata of a GGUF model under their Hugging Face names.
class GgufModel {
 public:
  explicit GgufModel(const std::string& path)
      : path_(path), file_(support::take(basin::GgufFile::open(path))) {
    const auto& meta = file_.metadata();
    const std::string architecture = support::take(meta.get_string("general.architecture"));
    if (architecture != "llama")
      support::fail(path_, ": architecture \"", architecture, "\"; this engine runs \"llama\" models");
    const auto size = [&](const char* key) { return Index{support::take(meta.get_u32(key))}; };
    config_.hidden = size("llama.embedding_length");
    config_.ffn = size("llama.feed_forward_length");
    config_.blocks = size("llama.block_count");
    config_.heads = size("llama.attention.head_count");
    config_.kv_heads = meta.contains("llama.attention.head_count_kv")
                           ? size("llama.attention.head_count_kv") : config_.heads;
    config_.head_dim = meta.contains("llama.attention.key_length") ? size("llama.attention.key_length")
                       : config_.heads > 0 ? config_.hidden / config_.heads : 0;
    config_.context = size("llama.context_length");
    config_.norm_epsilon = support::take(meta.get_f32("llama.attention.layer_norm_rms_epsilon"));
    if (meta.contains("llama.rope.freq_base"))
      config_.rope_base = support::take(meta.get_f32("llama.rope.freq_base"));
    config_.vocab = tensor("model.embed_tokens").shape.front();
    config_.check(path_);
    const bool partly_rotated = meta.contains("llama.rope.dimension_count") &&
                                size("llama.rope.dimension_count") != config_.head_dim;
    if (partly_rotated || file_.find("rope_freqs.weight") || meta.contains("llama.rope.scaling.factor"))
      support::fail(path_, ": scaled or partial rotary embeddings are not supported by this engine");
  }

  [[nodiscard]] const Config& config() const noexcept { return config_; }

  [[nodiscard]] bool has(const std::string& name) const { return file_.find(gguf_name(name)) != nullptr; }
  [[nodiscard]] Vector vector(const std::string& name, Index size) const {
    Vector values;
    read(checked(name, {size}), values, size, 1);
    return values;
  }
  [[nodiscard]] Linear linear(const std::string& name, Shape shape) const {
    Matrix weight;
    read(checked(name, {shape.rows, shape.cols}), weight, shape.rows, shape.cols);
    return Linear(is_interleaved(name) ? in_original_order(weight) : std::move(weight));
  }

  [[nodiscard]] Tokenizer tokenizer() const {
    const auto& meta = file_.metadata();
    const std::string kind = support::take(meta.get_string("tokenizer.ggml.model"));
    if (kind != "gpt2")
      support::fail(path_, ": tokenizer \"", kind, "\"; this engine has byte-level BPE (\"gpt2\") only");
    const std::string rule =
        meta.contains("tokenizer.ggml.pre") ? support::take(meta.get_string("tokenizer.ggml.pre")) : "gpt-2";
    if (rule != "smollm" && rule != "gpt-2")
      support::fail(path_, ": pre-tokenizer \"", rule, "\"; this engine knows \"smollm\" and \"gpt-2\"");
    Vocabulary v;
    v.split_digits = rule == "smollm";
    v.tokens = support::take(meta.get_strings("tokenizer.ggml.tokens"));
    if (Index(v.tokens.size()) != config_.vocab)
      support::fail(path_, ": ", v.tokens.size(), " tokens for an embedding of ", config_.vocab, " rows");
    for (const std::int64_t type : support::take(meta.get_integers("tokenizer.ggml.token_type")))
      v.special.push_back(type == 3);
    for (const std::string& merge : support::take(meta.get_strings("tokenizer.ggml.merges")))
      v.merges.push_back(split_merge(merge));
    const auto token = [&](const char* key) {
      return meta.contains(key) ? static_cast<Token>(support::take(meta.get_u32(key))) : Token{-1};
    };
    v.bos = token("tokenizer.ggml.bos_token_id");
    v.eos = token("tokenizer.ggml.eos_token_id");
    return Tokenizer(std::move(v));
  }

 private:
  [[nodiscard]] const basin::GgufTensor& tensor(const std::string& name) const {
    const auto* found = file_.find(gguf_name(name));
    if (found == nullptr)
      support::fail(path_, ": no tensor \"", gguf_name(name), "\"; is this a whole llama model?");
    if (found->shape.empty()) support::fail(path_, ": tensor \"", found->name, "\" has no dimensions");
    return *found;
  }
  [[nodiscard]] const basin::GgufTensor& checked(const std::string& name,
                                                 const std::vector<std::int64_t>& shape) const {
    const auto& found = tensor(name);
    if (found.shape != shape)
      support::fail(path_, ": tensor \"", found.name, "\" is ", shape_text(found.shape),
                    " but the metadata asks for ", shape_text(shape), "; convert the model again");
    return found;
  }
  template <class Values>
  void read(const basin::GgufTensor& from, Values& out, Index rows, Index cols) const {
    out.resize(rows, cols);
    support::check(file_.dequantize(from, std::span(out.data(), static_cast<std::size_t>(out.size()))));
    if (!out.allFinite()) support::fail(path_, ": tensor \"", from.name, "\" holds NaN or infinity");
  }
  [[nodiscard]] Matrix in_original_order(const Matrix& weight) const {
    Matrix result(weight.rows(), weight.cols());
    for (Index row = 0; row < weight.rows(); ++row) result.row(row) = weight.row(interleaved_row(row, config_.head_dim));
    return result;
  }

  std::string path_;
  basin::GgufFile file_;
  Config config_;
};

}  // namespace llama
