#pragma once

#include "../support/aligned_buffer.hpp"
#include "../support/fail.hpp"
#include "input_path.hpp"

#include <basin/core/config.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/half.hpp>
#include <basin/core/types.hpp>
#include <basin/kernels.hpp>
#include <basin/layout/level_layer.hpp>
#include <basin/layout/pack_levels.hpp>
#include <basin/layout/pack_w2.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace llama {
/// Levels in units of a power of two: {-1.5, -0.5, 0.5, 1.5} are {-3, -1, 1, 3} halves.
struct IntegerLevels {
  std::array<std::int8_t, 4> values{};  ///< ascending; those that no code stands for lie above the others
  float unit = 1;
};

/// The levels of a layer as the kernels want them, or nothing: of zero points, of more than four levels, and of values that
/// are no small integers in ones, halves, quarters or eighths.
[[nodiscard]] inline std::optional<IntegerLevels> integer_levels(const basin::LevelLayer& layer) {
  constexpr int most = basin::PackedLevels::max_level;
  if (!layer.zero_points.empty() || layer.levels.empty() || layer.levels.size() > 4) return std::nullopt;
  for (const float unit : {1.0f, 0.5f, 0.25f, 0.125f}) {
    std::array<int, 4> values{};
    bool fits = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float value = i < layer.levels.size() ? layer.levels[i] / unit : static_cast<float>(values[i - 1] + 1);
      fits = fits && value >= -most && value <= most && value == static_cast<float>(static_cast<int>(value));
      if (fits) values[i] = static_cast<int>(value);
    }
    if (!fits || values.back() - values.front() > most) continue;
    IntegerLevels integers{.unit = unit};
    std::transform(values.begin(), values.end(), integers.values.begin(), [](int value) { return static_cast<std::int8_t>(value); });
    return integers;
  }
  return std::nullopt;
}

/// A layer of scalar levels as this engine keeps it: packed once, multiplied as integers with rounded inputs.
class PackedLevelLinear {
 public:
  /// @throws std::runtime_error if the layer has no integer_levels or is too wide for the kernels.
  PackedLevelLinear(const basin::LevelLayer& stored, const basin::kernels::KernelSet& kernels)
      : memory_(basin::packed_levels_bytes(stored.n_out, stored.n_in)), kernels_(&kernels) {
    const auto refuse = [&](const char* why) {
      support::fail("cannot pack a layer of scalar levels [", stored.n_out, ", ", stored.n_in, "]: ", why, "; use --product dense");
    };
    const std::optional<IntegerLevels> levels = integer_levels(stored);
    if (!levels) refuse("its levels are not up to four small integers times a power of two, or have zero points");
    const auto n_in = static_cast<std::size_t>(stored.n_in), row_bytes = basin::w2_bytes(n_in);
    std::vector<std::uint8_t> codes(stored.scales.size() * row_bytes);
    std::vector<float> scales(stored.scales.size());
    for (std::size_t o = 0; o < scales.size(); ++o) {
      basin::pack_w2(std::span(stored.codes).subspan(o * n_in, n_in), std::span(codes).subspan(o * row_bytes, row_bytes));
      scales[o] = basin::half_to_float(stored.scales[o]) * levels->unit;
    }
    basin::LevelView view{.n_out = stored.n_out, .n_in = stored.n_in, .codes = codes.data(), .scales = scales.data()};
    std::copy(levels->values.begin(), levels->values.end(), view.levels);
    const basin::LevelsResult packed = basin::pack_levels(view, memory_.span());
    if (packed.error != basin::LevelsError::none) refuse(basin::describe(packed.error));
    layer_ = packed.layer;
  }

  /// y = x W^T: x [n, n_in], y [n, n_out].
  void apply(const IntegerInputs& x, basin::Matrix<float>& y, const basin::ExecutorRef& executor) const {
    BASIN_ASSERT(x.n_in == layer_.n_in);
    constexpr Index rows = 256, few_tokens = 8;  // rows per task; tokens that LevelMatvec takes
    y.resize(x.tokens, layer_.n_out);
    // Waking threads costs more than a small product.
    const bool small = x.tokens * layer_.n_out < (Index{1} << 22) / layer_.n_in;
    basin::for_each_range(small ? basin::ExecutorRef() : executor, layer_.n_out, rows, [&](Index first, Index last) {
      if (x.tokens <= few_tokens)
        return kernels_->level_matvec(layer_, x.format, x.workspace, x.tokens, first, last, &y(0, first), y.outerStride());
      static thread_local support::AlignedBuffer scratch;
      kernels_->level_matmul.run(layer_, x.format, x.workspace, x.tokens, first, last, &y(0, first), y.outerStride(),
                                 scratch.require(kernels_->level_matmul.scratch_size(x.tokens)));
    });
  }

 private:
  support::AlignedBuffer memory_;
  basin::PackedLevels layer_;
  const basin::kernels::KernelSet* kernels_;
};

}  // namespace llama
