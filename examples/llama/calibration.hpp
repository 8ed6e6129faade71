#pragma once

#include "../support/fail.hpp"
#include "forward.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace llama {
/// The linear layers that read what a stage leaves: quantized together, from one Gram matrix.
inline std::span<const Part> parts_behind(Stage stage) {
  static constexpr Part parts[] = {k_proj, v_proj, q_proj, o_proj, up_proj, gate_proj, down_proj};
  const std::span<const Part> all(parts);
  switch (stage) {
    case Stage::attention_input: return all.subspan(0, 3);
    case Stage::attend: return all.subspan(3, 1);
    case Stage::ffn_input: return all.subspan(4, 2);
    case Stage::activate: return all.subspan(6, 1);
    default: return {};
  }
}

/// Windows of a calibration text on their way through a model, stage by stage.
///
///     Calibration calibration(model, stages, tokens, 1024);
///     for (Block& block : model.blocks)
///       for (Stage stage : all_stages) {
///         GramAccumulator gram(...);
///         calibration.advance(stage, block, [&](MatrixView x) { gram.add(x); });
///         for (Part part : parts_behind(stage)) block.parts[part] = quantized(...);
///       }
///
/// Every layer is so calibrated behind the quantized ones before it, at the cost of one forward pass.
/// Memory    hidden + ffn floats per token.
class Calibration {
 public:
  /// What the linear layers of a stage read, [window, n_in]; called once per window, in order.
  using Hook = std::function<void(MatrixView input)>;

  /// Cuts the tokens into whole windows; a remainder is dropped.
  Calibration(const Model& model, const Stages& stages, std::span<const Token> tokens, Index window)
      : stages_(stages), cache_(model.config, window) {
    const auto length = static_cast<std::size_t>(window);
    for (std::size_t at = 0; at + length <= tokens.size(); at += length)
      windows_.push_back({embed(model, tokens.subspan(at, length)), {}});
    if (windows_.empty())
      support::fail("calibration needs at least one window of ", window, " tokens, got ", tokens.size(),
                    "; give a longer text");
  }

  [[nodiscard]] std::size_t num_windows() const noexcept { return windows_.size(); }

  void advance(Stage stage, const Block& block, const Hook& hook = {}) {
    for (Activations& window : windows_) {
      cache_.length = 0;  // attention stays inside its window
      stages_.run(stage, block, window, cache_);
      if (hook && stage != Stage::finish) hook(window.input);
    }
  }
  /// The residual stream of one window; after Stage::finish the block's output.
  [[nodiscard]] const Matrix& hidden(std::size_t window) const { return windows_.at(window).hidden; }

 private:
  const Stages& stages_;
  KvCache cache_;
  std::vector<Activations> windows_;
};

}  // namespace llama
