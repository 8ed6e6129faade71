#pragma once

#include <basin/codebook/level_scales.hpp>
#include <basin/codebook/level_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/search/concepts.hpp>

#include <cstdint>

namespace basin {
/// The nearest level of every weight, one by one: the baseline, blind to how errors of different inputs add up.
/// A row takes its nearest codes only if that lowers its loss.
///
/// Cost      levels.size() - 1 comparisons a weight, and two losses: n_out n_in^2 multiply-adds in double.
/// Ties      the lower level; a row whose loss does not fall keeps its codes, and so does one of scale 0.
/// Errors    ShapeError if the weight is not one of this layer.
struct RoundToNearest {
  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const RunContext& context = {}) const {
    if (weight.n_out() != layer.n_out() || weight.n_in() != layer.padded_in() || weight.scales.size() != weight.n_out())
      raise<ShapeError>("RoundToNearest: the layer is [", layer.n_out(), ", ", layer.padded_in(), "], the quantized weight [",
                        weight.n_out(), ", ", weight.n_in(), "] with ", weight.scales.size(), " scales");
    context.check_stop();
    LevelWeight<T> nearest = weight;
    nearest_codes<T>(layer.weight(), nearest, context);
    if (nearest.codes == weight.codes) return;
    const Vector<double> before = layer.row_losses(weight.decode(context), context);
    const Vector<double> after = layer.row_losses(nearest.decode(context), context);
    for (Index o = 0; o < weight.n_out(); ++o)
      if (after(o) < before(o)) weight.codes.row(o) = nearest.codes.row(o);
  }
};
static_assert(Searcher<RoundToNearest, LevelWeight<float>>);

}  // namespace basin
