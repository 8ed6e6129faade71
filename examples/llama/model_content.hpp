#pragma once

#include "model.hpp"

#include <basin/core/content_hash.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace llama {
/// Tells models apart by everything that their outputs depend on.
/// Precondition: no layer is kept as codes.
[[nodiscard]] inline basin::ContentHash content_of(const Model& model) {
  basin::ContentHash found;
  const auto add = [&](const auto& values) {
    found.add(std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size()))));
  };
  add(model.embedding.weight());
  if (model.output) add(model.output->weight());
  add(model.final_norm);
  for (const Block& block : model.blocks) {
    add(block.attention_norm);
    add(block.ffn_norm);
    for (const Linear& linear : block.parts) add(linear.weight());
  }
  const std::array numbers{double(model.config.heads), double(model.config.head_dim), double(model.config.norm_epsilon), double(model.config.rope_base)};
  add(numbers);
  return found;
}

}  // namespace llama
