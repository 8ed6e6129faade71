#include "llama/fused_model.hpp"

#include "llama/forward.hpp"

#include <vector>

#include "examples/random_model.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
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
  Model model = build_model(config, RandomSource{.untied = true});
  const Matrix want = run(model, {});

  const basin::FusedRotation fused = fuse_rotation(model, {.seed = 2, .rotate_queries_and_keys = false});
  CHECK((run(model, fused.online) - want).norm() <= 1e-4f * want.norm());
  CHECK((run(model, {}) - want).norm() > 0.1f * want.norm());
}
