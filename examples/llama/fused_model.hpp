#pragma once

#include "model.hpp"

#include <basin/core/run_context.hpp>
#include <basin/transform/fuse_rotation.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace llama {
/// basin::fuse_rotation of the engine's model: norms become 1, and the head a tensor of its own.
inline basin::FusedRotation fuse_rotation(Model& model, basin::FusionOptions options, const basin::RunContext& context = {}) {
  // The engine's layers are values: their weights are taken out, rotated, and become layers again.
  Matrix head = model.output ? std::move(*model.output).weight() : model.embedding.weight();
  Matrix embedding = std::move(model.embedding).weight();
  std::vector<std::vector<Matrix>> parts;
  basin::LlamaTensors<float> tensors{embedding, {}, model.final_norm, head};
  for (Block& block : model.blocks) {
    std::vector<Matrix>& p = parts.emplace_back();
    for (Linear& linear : block.parts) p.push_back(std::move(linear).weight());
  }
  for (std::size_t b = 0; b < parts.size(); ++b) {
    std::vector<Matrix>& p = parts[b];
    Block& block = model.blocks[b];
    tensors.blocks.push_back({block.attention_norm, p[q_proj], p[k_proj], p[v_proj], p[o_proj], block.ffn_norm, p[gate_proj],
                              p[up_proj], p[down_proj]});
  }
  options.head_dim = model.config.head_dim;
  basin::FusedRotation fused = basin::fuse_rotation(tensors, options, context);
  model.embedding = Linear(std::move(embedding));
  model.output = Linear(std::move(head));
  for (std::size_t b = 0; b < parts.size(); ++b)
    for (std::size_t p = 0; p < num_parts; ++p) model.blocks[b].parts[p] = Linear(std::move(parts[b][p]));
  return fused;
}

/// Rotates the residual stream alone: nothing is left for an engine to run.
inline basin::FusedRotation fuse_residual_rotation(Model& model, std::uint64_t seed, const basin::RunContext& context = {}) {
  return fuse_rotation(model, {.seed = seed, .rotate_heads = false, .rotate_ffn = false, .rotate_queries_and_keys = false}, context);
}

}  // namespace llama
