#pragma once

#include "../support/fail.hpp"
#include "linear.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llama {
/// The sizes of a Llama-architecture model.
struct Config {
  Index hidden = 0;    ///< width of the residual stream
  Index ffn = 0;       ///< width between up/gate and down
  Index blocks = 0;
  Index heads = 0;     ///< query heads; head_dim wide each
  Index kv_heads = 0;  ///< key and value heads, each shared by heads / kv_heads queries
  Index head_dim = 0;
  Index vocab = 0;
  Index context = 0;   ///< longest sequence that the model was trained on
  float norm_epsilon = 1e-5f;
  float rope_base = 10000.0f;
  int kv_bits = 16;    ///< 4: keys and values are kept in 4 bits

  /// Sizes come from files: sane and consistent, or the end of the program.
  void check(std::string_view file) const {
    const auto require = [&](bool holds, std::string_view rule) {
      if (!holds) support::fail(file, ": not a model this engine can run: ", rule);
    };
    constexpr Index most = 1 << 24;
    for (const Index size : {hidden, ffn, blocks, heads, kv_heads, head_dim, vocab, context})
      require(size > 0 && size <= most, "every size must be between 1 and 2^24");
    require(heads % kv_heads == 0, "the number of heads must be a multiple of that of kv heads");
    require(head_dim % 2 == 0, "the head width must be even");
    require(heads * head_dim <= most, "heads times head width must be at most 2^24");
    require(norm_epsilon > 0 && norm_epsilon < 1, "the norm's epsilon must be between 0 and 1");
    require(std::isfinite(rope_base) && rope_base > 1, "the rotary base must be above 1");
  }
};

/// The linear layers of a block, in the order in which they are quantized. Parts of one stage read
/// the same input.
enum Part : std::size_t { k_proj, v_proj, q_proj, o_proj, up_proj, gate_proj, down_proj, num_parts };

struct PartInfo {
  std::string_view name;  ///< inside its block, as Hugging Face spells it
  std::string_view gguf_name;
};
inline constexpr std::array<PartInfo, num_parts> part_infos{{{"self_attn.k_proj", "attn_k"},
                                                             {"self_attn.v_proj", "attn_v"},
                                                             {"self_attn.q_proj", "attn_q"},
                                                             {"self_attn.o_proj", "attn_output"},
                                                             {"mlp.up_proj", "ffn_up"},
                                                             {"mlp.gate_proj", "ffn_gate"},
                                                             {"mlp.down_proj", "ffn_down"}}};

/// "model.layers.3." and "model.layers.3.self_attn.k_proj".
inline std::string block_prefix(Index block) { return basin::concat("model.layers.", block, "."); }
inline std::string part_name(Index block, Part part) {
  return block_prefix(block).append(part_infos[part].name);
}

struct Shape {
  Index rows, cols;
};
/// "[576, 1536]"
inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}
inline Shape part_shape(const Config& c, Part part) {
  switch (part) {
    case k_proj: case v_proj: return {c.kv_heads * c.head_dim, c.hidden};
    case q_proj: return {c.heads * c.head_dim, c.hidden};
    case o_proj: return {c.hidden, c.heads * c.head_dim};
    case up_proj: case gate_proj: return {c.ffn, c.hidden};
    default: return {c.hidden, c.ffn};
  }
}

struct Block {
  Vector attention_norm, ffn_norm;
  std::array<Linear, num_parts> parts;
};

struct Model {
  Config config;
  Linear embedding;  ///< [vocab, hidden]; also makes the logits where `output` is absent
  std::vector<Block> blocks;
  Vector final_norm;
  std::optional<Linear> output;

  [[nodiscard]] const Linear& head() const noexcept { return output ? *output : embedding; }
};

/// Whether any layer of a block is multiplied straight from its codes.
[[nodiscard]] inline bool keeps_codes(const Model& model) noexcept {
  return std::any_of(model.blocks.begin(), model.blocks.end(), [](const Block& block) {
    return std::any_of(block.parts.begin(), block.parts.end(), [](const Linear& part) { return part.keeps_codes(); });
  });
}

/// Builds a model from a source of tensors with Hugging Face names: a GGUF file, a directory or a
/// test. The source checks shapes: vector(name, size), linear(name, shape), has(name).
template <class Source>
Model build_model(const Config& config, const Source& source) {
  Model model;
  model.config = config;
  model.embedding = source.linear("model.embed_tokens", Shape{config.vocab, config.hidden});
  for (Index b = 0; b < config.blocks; ++b) {
    Block& block = model.blocks.emplace_back();
    block.attention_norm = source.vector(block_prefix(b) + "input_layernorm", config.hidden);
    block.ffn_norm = source.vector(block_prefix(b) + "post_attention_layernorm", config.hidden);
    for (std::size_t p = 0; p < num_parts; ++p)
      block.parts[p] = source.linear(part_name(b, Part(p)), part_shape(config, Part(p)));
  }
  model.final_norm = source.vector("model.norm", config.hidden);
  if (source.has("lm_head")) model.output = source.linear("lm_head", Shape{config.vocab, config.hidden});
  return model;
}

}  // namespace llama
