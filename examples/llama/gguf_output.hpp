#pragma once

#include "../support/fail.hpp"
#include "aqlm_model.hpp"
#include "gguf_model.hpp"
#include "model.hpp"

#include <basin/core/half.hpp>
#include <basin/io/gguf.hpp>
#include <basin/io/gguf_export.hpp>
#include <basin/layout/level_layer.hpp>
#include <basin/levels/mirror_no_zero.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace llama {
/// Writes quantized layers into a copy of the GGUF file that the model came from, for a llama.cpp that knows nothing of
/// rotations or of this library.
class GgufOutput {
 public:
  /// @param otherwise  F16 or Q8_0: the type of layers that Q2_K does not hold.
  GgufOutput(const std::string& source, basin::GgufType otherwise)
      : source_(support::take(basin::GgufFile::open(source))), export_(source_), otherwise_(otherwise) {}

  /// The whole model, where `is_rotated` says that its other tensors are not the source's any more.
  void write(const Model& model, const QuantizedLayers& layers, bool is_rotated, const std::filesystem::path& path) {
    head_dim_ = model.config.head_dim;
    for (std::size_t b = 0; b < model.blocks.size(); ++b) {
      const Block& block = model.blocks[b];
      for (std::size_t p = 0; p < num_parts; ++p) {
        const std::string name = part_name(static_cast<Index>(b), Part(p));
        if (const auto layer = layers.find(name); layer != layers.end()) set_layer(name, layer->second, block.parts[p].weight());
        else if (is_rotated) set_matrix(name, block.parts[p].weight());
      }
      if (!is_rotated) continue;
      set_ones(block_prefix(static_cast<Index>(b)) + "input_layernorm", model.config.hidden);
      set_ones(block_prefix(static_cast<Index>(b)) + "post_attention_layernorm", model.config.hidden);
    }
    if (is_rotated) {
      set_matrix("model.embed_tokens", model.embedding.weight());
      set_ones("model.norm", model.config.hidden);
    }
    if (!is_rotated || source_.find(gguf_name("lm_head")) != nullptr) {
      if (is_rotated) set_matrix("lm_head", model.head().weight());
      return support::check(export_.write(path));
    }
    basin::GgufWriter writer = support::take(export_.prepare());
    const Matrix& head = model.head().weight();
    support::check(writer.add(gguf_name("lm_head"), static_cast<std::uint32_t>(otherwise_), {head.rows(), head.cols()}, encoded(head)));
    support::check(writer.write(path));
  }

 private:
  using Levels = basin::GgufExport::Levels;

  void set_layer(const std::string& name, const StoredLayer& stored, const Matrix& decoded) {
    const auto* const layer = std::get_if<basin::LevelLayer>(&stored);
    if (layer == nullptr || !std::ranges::equal(layer->levels, basin::MirrorNoZero::values)) return set_matrix(name, decoded);
    support::check(export_.set_levels(gguf_name(name), [this, name, layer]() -> basin::Expected<Levels> {
      Levels levels{std::vector<std::uint8_t>(layer->codes.size()), std::vector<float>(layer->scales.size())};
      const auto width = static_cast<std::size_t>(layer->n_in);
      for (std::size_t row = 0; row < levels.scales.size(); ++row) {
        const std::size_t to = target_row(name, row);
        levels.scales[to] = basin::half_to_float(layer->scales[row]);
        std::copy_n(layer->codes.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                    levels.codes.begin() + static_cast<std::ptrdiff_t>(to * width));
      }
      return levels;
    }, otherwise_));
  }
  void set_matrix(const std::string& name, const Matrix& weight) {
    support::check(export_.set_floats(gguf_name(name), otherwise_, [this, name, &weight]() -> basin::Expected<std::vector<float>> {
      std::vector<float> values(static_cast<std::size_t>(weight.size()));
      for (Index row = 0; row < weight.rows(); ++row)
        std::copy_n(weight.data() + row * weight.cols(), weight.cols(),
                    values.begin() + static_cast<std::ptrdiff_t>(target_row(name, static_cast<std::size_t>(row))) * weight.cols());
      return values;
    }));
  }
  void set_ones(const std::string& name, Index size) {
    support::check(export_.set_floats(gguf_name(name), basin::GgufType::f32, [size]() -> basin::Expected<std::vector<float>> {
      return std::vector<float>(static_cast<std::size_t>(size), 1.0f);
    }));
  }
  [[nodiscard]] std::size_t target_row(const std::string& name, std::size_t row) const {
    return is_interleaved(name) ? static_cast<std::size_t>(interleaved_row(static_cast<Index>(row), head_dim_)) : row;
  }
  [[nodiscard]] std::vector<std::byte> encoded(const Matrix& weight) const {
    const auto type = static_cast<std::uint32_t>(otherwise_);
    const std::vector<std::int64_t> shape{weight.rows(), weight.cols()};
    const auto size = support::take(basin::gguf_tensor_bytes(basin::find_gguf_type(type), shape));
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    support::check(basin::gguf_encode(otherwise_, std::span(weight.data(), static_cast<std::size_t>(weight.size())), bytes));
    return bytes;
  }

  basin::GgufFile source_;
  basin::GgufExport export_;  // of source_, so this object stays where it is
  basin::GgufType otherwise_;
  Index head_dim_ = 0;
};

}  // namespace llama
