#pragma once

#include <basin/codebook/clip_search.hpp>
#include <basin/codebook/level_scales.hpp>
#include <basin/codebook/level_weight.hpp>
#include <basin/init/concepts.hpp>
#include <basin/levels/concepts.hpp>
#include <basin/levels/mirror_no_zero.hpp>

#include <concepts>
#include <cstdint>
#include <utility>

namespace basin {
/// A scalar level set as the start: a scale per row by search, and the nearest code of every weight.
///
///     Quantizer(EuclideanBlocks{}, FixedLevels{}, search, LevelScales{}).quantize(W, H, MirrorNoZero{})
///
/// Shapes    any. Where n_in is padded for groups, padded inputs have codes too.
/// Cost      that of ClipSearch, and of refine_scales where it is asked for.
/// Accuracy  deterministic; nothing is random.
/// Source    Qift, arXiv:2606.02823.
struct FixedLevels {
  ClipSearch clip{};
  /// Rounds of refine_scales behind the search, which then lower the squared error further.
  int refinements = 0;

  /// Neither the blocks nor the Hessian are looked at. @throws ValueError as ClipSearch.
  template <std::floating_point T, LevelSet L>
  [[nodiscard]] LevelWeight<T> initialize(const LayerObjective<T>& layer, const HessianBlocks&, const L&, std::uint64_t,
                                          const RunContext& context) const {
    const ConstMatrixRef<T> weight(layer.weight());
    ClippedScales<T> found = clip.search<L, T>(weight, context);
    LevelWeight<T> quantized{{L::values.begin(), L::values.end()}, Matrix<std::uint8_t>(weight.rows(), weight.cols()),
                             std::move(found.scales), std::move(found.zero_points)};
    if (refinements > 0) refine_scales<T>(weight, quantized, refinements, context);
    else nearest_codes<T>(weight, quantized, context);
    context.check_stop();
    return quantized;
  }
};
static_assert(Initializer<FixedLevels, float, MirrorNoZero> && Initializer<FixedLevels, double, MirrorNoZero>);

}  // namespace basin
