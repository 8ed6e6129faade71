#include <basin/transform/fuse_rotation.hpp>

#include "llama/forward.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace llama;

namespace {
struct RandomSource {
  mutable basin::test::Rng rng{1};

  bool has(const std::string&) const { return true; }
  Vector vector(const std::string&, Index size) const {
    return Vector::Ones(size) + 0.3f * basin::test::normal_vector<float>(size, rng);
  }
  Linear linear(const std::string&, Shape shape) const {
    return Linear(basin::test::normal_matrix<float>(shape.rows, shape.cols, rng) / std::sqrt(float(shape.cols)));
  }
};

/// Logits by the engine's stages, with what a rotated model needs between them.
Matrix run(const Model& model, const std::vector<basin::OnlineTransform>& online) {
  const std::vector<Token> tokens{3, 1, 4, 1, 5, 9, 2, 6};
  const Stages stages(model.config, Index(tokens.size()), {});
  Activations a{embed(model, tokens), {}};
  const auto transform = [&](basin::OnlineStage where) {
    for (const basin::OnlineTransform& part : online)
      if (part.stage == where)
        for (Index t = 0; t < a.input.rows(); ++t) part.apply(a.input.row(t).data(), a.input.cols());
  };
  for (const Block& block : model.blocks) {
    KvCache cache(model.config, Index(tokens.size()));
    for (const Stage stage : all_stages) {
      stages.run(stage, block, a, cache);
      if (stage == Stage::attend) transform(basin::OnlineStage::attention_output);
      if (stage == Stage::activate) transform(basin::OnlineStage::ffn_activation);
    }
  }
  return logits(model, stages, a.hidden);
}
}  // namespace

TEST_CASE("The example engine runs a rotated model with two calls more", "[examples][property]") {
  const Config config{.hidden = 48, .ffn = 80, .blocks = 3, .heads = 4, .kv_heads = 2, .head_dim = 12, .vocab = 31, .context = 16,
                      .norm_epsilon = 1e-5f, .rope_base = 100.0f};
  Model model = build_model(config, RandomSource{});
  const Matrix want = run(model, {});

  // The engine's layers are values: rotate copies of their weights and make layers of them again.
  Matrix embedding = model.embedding.weight(), head = model.output->weight();
  std::vector<std::vector<Matrix>> parts;
  for (const Block& block : model.blocks) {
    parts.emplace_back();
    for (const Linear& linear : block.parts) parts.back().push_back(linear.weight());
  }
  basin::LlamaTensors<float> tensors{embedding, {}, model.final_norm, head};
  for (std::size_t b = 0; b < parts.size(); ++b) {
    auto& p = parts[b];
    tensors.blocks.push_back({model.blocks[b].attention_norm, p[q_proj], p[k_proj], p[v_proj], p[o_proj], model.blocks[b].ffn_norm,
                              p[gate_proj], p[up_proj], p[down_proj]});
  }
  const basin::FusedRotation fused =
      basin::fuse_rotation(tensors, {.head_dim = config.head_dim, .seed = 2, .rotate_queries_and_keys = false});
  model.embedding = Linear(embedding);
  model.output = Linear(head);
  for (std::size_t b = 0; b < parts.size(); ++b)
    for (std::size_t p = 0; p < num_parts; ++p) model.blocks[b].parts[p] = Linear(parts[b][p]);

  CHECK((run(model, fused.online) - want).norm() <= 1e-4f * want.norm());
  CHECK((run(model, {}) - want).norm() > 0.1f * want.norm());
}
