#pragma once

#include "../support/console.hpp"
#include "../support/fail.hpp"
#include "calibration_inputs.hpp"
#include "forward.hpp"
#include "part_quantizer.hpp"
#include "quantize_arguments.hpp"
#include "window_store.hpp"

#include <basin/pipeline/plan.hpp>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llama {
/// "1.4 GB", "96 MB".
inline std::string bytes_text(double bytes) {
  char text[32];
  if (bytes >= 1e9) std::snprintf(text, sizeof text, "%.2f GB", bytes / 1e9);
  else std::snprintf(text, sizeof text, "%.0f MB", bytes / 1e6);
  return text;
}

/// What a run of quantize_model holds in memory, part by part.
struct MemoryPlan {
  double program = 16e6;   ///< code, stacks, tokenizer
  double model = 0;        ///< weights in fp32, quantized ones decoded
  double blocks = 0;       ///< copies of the block at hand
  double kept = 0;         ///< quantized layers until they are written
  double statistics = 0;   ///< Gram matrices of a stage, and what follows from them
  double quantizer = 0;    ///< of the largest layer
  double output = 0;       ///< the file that is written last
  double window = 0;       ///< of a calibration window, both models'
  double forward = 0;      ///< of the window that is on its way through a stage
  std::size_t windows = 0, resident = 0;

  [[nodiscard]] double without_windows() const noexcept { return program + model + blocks + kept + forward + std::max(statistics + quantizer, output); }
  [[nodiscard]] double peak() const noexcept { return without_windows() + window * static_cast<double>(std::min(windows, resident)); }
};

/// How a calibrated run spends its memory.
/// @param limit  bytes; windows that do not fit wait in a file. 0: no limit.
[[nodiscard]] inline MemoryPlan plan_memory(const Model& model, const basin::QuantizationPlan& layers, bool is_additive, bool compares,
                                            Index window_tokens, std::size_t windows, int threads, std::uint64_t limit) {
  const Config& c = model.config;
  const auto floats = [](const Matrix& m) { return 4.0 * static_cast<double>(m.size()); };
  MemoryPlan memory;
  memory.model = floats(model.embedding.weight()) + (model.output ? floats(model.output->weight()) : 0);
  double block_weights = 0;
  for (const Block& block : model.blocks) {
    double own = 0;
    for (const Linear& linear : block.parts) own += floats(linear.weight());
    memory.model += own;
    block_weights = std::max(block_weights, own);
  }
  memory.blocks = block_weights;
  double most_inputs = 0;
  for (const basin::PlannedLayer& layer : layers.layers) {
    const double weights = static_cast<double>(layer.shape.n_out) * static_cast<double>(layer.shape.n_in);
    memory.kept += is_additive ? 2 * layer.bits_per_weight.codes / 8 * weights : weights;  // codes in 16 and in 8 bits
    most_inputs = std::max(most_inputs, static_cast<double>(layer.shape.n_in));
  }
  constexpr double square_matrices = 5;  // Gram, Hessian, cross Gram, factor, solution
  memory.statistics = square_matrices * 8 * most_inputs * most_inputs;
  memory.quantizer = static_cast<double>(layers.working_bytes());
  memory.output = 0.5 * floats(model.embedding.weight()) + static_cast<double>(layers.stored_bytes());
  memory.window = (compares ? 2.0 : 1.0) * 4 * static_cast<double>(window_tokens) * static_cast<double>(c.hidden + std::max(c.ffn, c.heads * c.head_dim));
  const double tokens = static_cast<double>(window_tokens), head_inputs = static_cast<double>(c.heads * c.head_dim);
  memory.forward = 4 * tokens * (4 * static_cast<double>(c.hidden) + 3 * static_cast<double>(c.ffn) + 3 * head_inputs)  // activations
                   + 4 * tokens * tokens * threads                                                                      // attention
                   + 2 * 8 * tokens * most_inputs;                                                                      // terms of Gram matrices
  memory.windows = memory.resident = windows;
  if (limit == 0) return memory;
#ifdef M_MMAP_THRESHOLD  // matrices go back to the system when they are freed, instead of leaving holes
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  if (memory.peak() <= static_cast<double>(limit)) return memory;
  const double room = (static_cast<double>(limit) - memory.without_windows()) / memory.window;
  if (room < 2)
    support::fail("--memory: the model and one layer's quantization take ", bytes_text(memory.without_windows() + 2 * memory.window),
                  "; give more, a shorter --context, or a model in parts");
  memory.resident = static_cast<std::size_t>(room);
  return memory;
}

/// How long a calibrated run takes: a block's forward passes and statistics on a few windows, and layers on a few of their rows.
struct TimePlan {
  double window_seconds = 0;  ///< a block's stages on one window
  double block_seconds = 0;   ///< what follows from the statistics of a block
  double choice_seconds = 0;  ///< of telling which blocks need which levels
  std::optional<basin::MeasuredCost> layers;

  [[nodiscard]] double calibration(std::size_t windows, Index blocks) const noexcept {
    return static_cast<double>(blocks) * (block_seconds + window_seconds * static_cast<double>(windows));
  }
};

/// Measures them: a few seconds where layers are small. Needs a window of tokens at least.
[[nodiscard]] inline TimePlan measure_time(const QuantizeArguments& arguments, const Model& model, const Stages& original_stages,
                                           const Stages& stages, std::span<const Token> tokens, const BlockRange& range,
                                           std::span<const basin::LayerShape> layers, const PartQuantizer& quantizer,
                                           const basin::RunContext& context, int threads) {
  TimePlan time;
  const Index first = range.first;
  // Tokens enough that statistics of few windows make layers no harder than those of all.
  Index most_inputs = 0;
  for (const basin::LayerShape& layer : layers) most_inputs = std::max(most_inputs, layer.n_in);
  const Index num_windows = std::clamp<Index>(4 * most_inputs / arguments.window, 1, std::min<Index>(8, static_cast<Index>(tokens.size()) / arguments.window));
  const auto sample = static_cast<std::size_t>(num_windows * arguments.window);
  const Block& block = model.blocks[static_cast<std::size_t>(first)];
  QuantizedInputs inputs({model, stages, tokens.first(sample), arguments.window}, original_stages, first, arguments.compensation,
                         arguments.is_asymmetric(), context);
  struct Case {
    Matrix weight;
    basin::Matrix<double> hessian;
    std::optional<basin::Matrix<double>> drift;
  };
  std::map<Index, Case> cases;  // by number of inputs
  for (const Stage stage : all_stages) {
    const bool is_wanted = !parts_behind(stage).empty();
    support::Stopwatch forward;
    const auto targets = inputs(first, stage, block, block, is_wanted);
    time.window_seconds += forward.seconds() / static_cast<double>(num_windows);
    if (!is_wanted) continue;
    support::Stopwatch statistics;
    const basin::Matrix<double> hessian = targets->hessian();
    for (const Part part : parts_behind(stage)) {
      Matrix target = targets->target(part, hessian, context);
      Case& stand_in = cases[target.cols()];
      if (stand_in.weight.rows() < target.rows()) stand_in = {std::move(target), hessian, targets->drift()};
    }
    time.block_seconds += statistics.seconds();
  }
  basin::RunContext serial = context;
  serial.executor = {};
  constexpr double efficiency = 0.9;  // of further threads
  const double speedup = 1 + efficiency * (threads - 1);
  const auto cost_of = [&](const PartQuantizer& way) {
    const auto quantize = [&](Index n_out, Index n_in) {
      const Case& stand_in = cases.at(n_in);
      const Index stride = std::max<Index>(1, stand_in.weight.rows() / n_out);  // rows from all heads
      Matrix rows(n_out, n_in);
      for (Index o = 0; o < n_out; ++o) rows.row(o) = stand_in.weight.row(o * stride);
      static_cast<void>(way({rows, stand_in.hessian, stand_in.drift ? &*stand_in.drift : nullptr, {}}, serial));
    };
    return basin::MeasuredCost::measure(layers, quantize).on_threads(speedup);
  };
  time.layers = cost_of(quantizer);
  if (!arguments.chooses_levels()) return time;

  const double trials = arguments.target_bits ? static_cast<double>(arguments.candidates.size()) : arguments.rule == SensitivityRule::loss ? 2 : 1;
  const basin::MeasuredCost trial = cost_of(arguments.trial_quantizer("gptq"));
  for (const basin::LayerShape& layer : layers) time.choice_seconds += trials * trial.seconds(layer.n_out, layer.n_in);
  time.choice_seconds += time.calibration(tokens.size() / static_cast<std::size_t>(arguments.window), range.last + 1);
  if (arguments.rule != SensitivityRule::kl) return time;
  const auto num_blocks = static_cast<Index>(model.blocks.size());
  const double sample_tokens = static_cast<double>(std::min(tokens.size(), static_cast<std::size_t>(arguments.rule_tokens)));
  const bool compares = arguments.compensation.strength > 0 || arguments.is_asymmetric();  // runs two models
  const double block_pass = time.window_seconds / (compares ? 2 : 1) * sample_tokens / arguments.window;
  for (Index b = range.first; b <= range.last; ++b) time.choice_seconds += trials * static_cast<double>(num_blocks - b) * block_pass;
  const Matrix hidden = Matrix::Constant(64, model.config.hidden, 0.1f);
  support::Stopwatch head;
  static_cast<void>(logits(model, original_stages, hidden));
  time.choice_seconds += 2 * trials * static_cast<double>(range.last - range.first + 1) * sample_tokens / 64 * head.seconds();
  return time;
}

/// The plan as a table: layers of one kind in one line.
inline void print_plan(const basin::QuantizationPlan& plan, const MemoryPlan& memory, const TimePlan& time, Index blocks) {
  struct Line {
    const basin::PlannedLayer* layer;
    int count = 0;
    double bytes = 0, seconds = 0;
  };
  std::vector<std::pair<std::string, Line>> lines;
  for (const basin::PlannedLayer& layer : plan.layers) {
    const std::string key = layer.shape.name.substr(layer.shape.name.rfind('.') + 1) + " " + layer.codomain;
    auto found = std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return line.first == key; });
    if (found == lines.end()) found = lines.insert(lines.end(), {key, Line{&layer}});
    Line& line = found->second;
    ++line.count;
    line.bytes += static_cast<double>(layer.stored_bytes);
    line.seconds += layer.seconds;
  }
  std::printf("%-22s %6s %13s %12s %9s %-15s %10s %8s\n", "layers", "number", "shape", "bits/weight", "rho", "", "stored", "time");
  for (const auto& [key, line] : lines) {
    const basin::PlannedLayer& l = *line.layer;
    const std::string shape = basin::concat(l.shape.n_out, " x ", l.shape.n_in);
    char rho[24] = "";
    if (l.rho > 0) std::snprintf(rho, sizeof rho, "%.3g", l.rho);
    std::printf("%-22s %6d %13s %12.3f %9s %-15s %10s %8s\n", key.c_str(), line.count, shape.c_str(), l.bits_per_weight.total(), rho,
                l.rho > 0 ? std::string(to_string(basin::rho_regime(l.rho))).c_str() : "", bytes_text(line.bytes).c_str(),
                support::clock_text(line.seconds).c_str());
  }
  const double calibration = time.calibration(memory.windows, blocks);
  std::printf("all %zu layers: %.3f bits/weight, %s\n", plan.layers.size(), plan.bits_per_weight(),
              bytes_text(static_cast<double>(plan.stored_bytes())).c_str());
  const std::string choosing = time.choice_seconds > 0 ? support::clock_text(time.choice_seconds) + " choosing levels, " : "";
  std::printf("time: %s%s quantizing and %s calibrating, %s in all\n", choosing.c_str(), support::clock_text(plan.seconds()).c_str(),
              support::clock_text(calibration).c_str(), support::clock_text(time.choice_seconds + plan.seconds() + calibration).c_str());
  std::printf("memory: %s at most: model %s, calibration windows %s (%zu of %zu at once), quantized layers %s, a window's pass %s, a layer's work %s\n",
              bytes_text(memory.peak()).c_str(), bytes_text(memory.model + memory.blocks).c_str(),
              bytes_text(memory.window * static_cast<double>(std::min(memory.windows, memory.resident))).c_str(), std::min(memory.windows, memory.resident),
              memory.windows, bytes_text(memory.kept).c_str(), bytes_text(memory.forward).c_str(), bytes_text(std::max(memory.statistics + memory.quantizer, memory.output)).c_str());
}

}  // namespace llama
