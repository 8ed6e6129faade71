#include "llama/sensitivity.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "examples/random_model.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
const Config config{.hidden = 12, .ffn = 20, .blocks = 3, .heads = 2, .kv_heads = 1, .head_dim = 6, .vocab = 31, .context = 16,
                    .norm_epsilon = 1e-5f, .rope_base = 100.0f};
const std::vector<Token> text{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

/// "Quantizes" to a multiple of the weight: "low" changes it, "high" does not.
QuantizedPart scaled(const PartTask& task, const basin::RunContext&) {
  const float factor = task.levels == "low" ? 0.8f : 1.0f;
  basin::QuantizationReport report;
  report.n_out = task.target.rows();
  report.n_in = task.target.cols();
  report.bits_per_weight.codes = task.levels == "low" ? 2 : 4;
  report.relative_error = (1 - factor) * (1 - factor);
  return {Linear(factor * task.target), basin::LevelLayer{}, report};
}

std::vector<basin::PrecisionCandidate> measure(const Model& model, SensitivityRule rule) {
  const Stages stages(config, 8, {});
  OriginalHessians hessians(model, stages, text, 8, 3);
  Sensitivities sensitivities(model, stages, Calibration(model, stages, text, 8), rule);
  std::vector<basin::PrecisionCandidate> all;
  for (const Block& block : model.blocks) all.push_back(sensitivities.next(hessians.next(block, {}), scaled, scaled, "low", "high"));
  return all;
}

/// Logits of both windows of the text.
Matrix run(const Model& model) {
  const Stages stages(config, 8, {});
  Calibration windows(model, stages, text, 8);
  for (const Block& block : model.blocks)
    for (const Stage stage : all_stages) windows.advance(stage, block);
  Matrix hidden(16, config.hidden);
  hidden << windows.hidden(0), windows.hidden(1);
  return logits(model, stages, hidden);
}
}  // namespace

TEST_CASE("The sensitivity of a block is what the model's predictions lose when it alone has few bits", "[examples][reference]") {
  const Model model = build_model(config, RandomSource{});
  const auto found = measure(model, SensitivityRule::kl);
  REQUIRE(found.size() == 3);
  for (std::size_t b = 0; b < 3; ++b) {
    Model changed = model;
    for (Linear& linear : changed.blocks[b].parts) linear = Linear(0.8f * linear.weight());
    basin::KlDivergence divergence;
    divergence.add(run(model), run(changed));
    CHECK(found[b].sensitivity > 1e-4);
    CHECK(found[b].sensitivity == Approx(divergence.mean()).epsilon(1e-4));
    CHECK(found[b].name == block_prefix(static_cast<Index>(b)));
    CHECK(found[b].weights == 3 * 12 * 12 + 3 * 12 * 20);  // q, o, k and v of half the width; up, gate, down
    CHECK(found[b].low_bits == 2);
    CHECK(found[b].high_bits == 4);
  }
}

TEST_CASE("Other rules measure the block's output and its layers' losses", "[examples][reference]") {
  const Model model = build_model(config, RandomSource{});
  for (const auto& candidate : measure(model, SensitivityRule::loss)) CHECK(candidate.sensitivity == Approx(7 * 0.04));
  const auto found = measure(model, SensitivityRule::output);
  const Stages stages(config, 8, {});
  Calibration original(model, stages, text, 8);
  for (std::size_t b = 0; b < 3; ++b) {
    Calibration changed = original;
    Block low = model.blocks[b];
    for (Linear& linear : low.parts) linear = Linear(0.8f * linear.weight());
    for (const Stage stage : all_stages) {
      original.advance(stage, model.blocks[b]);
      changed.advance(stage, low);
    }
    double error = 0, energy = 0;
    for (std::size_t w = 0; w < 2; ++w) {
      error += (changed.hidden(w) - original.hidden(w)).cast<double>().squaredNorm();
      energy += original.hidden(w).cast<double>().squaredNorm();
    }
    CHECK(found[b].sensitivity == Approx(error / energy));
  }
}
