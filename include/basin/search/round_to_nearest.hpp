#pragma once

#include <basin/codebook/level_scales.hpp>
#include <basin/codebook/level_weight.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/level_rows.hpp>

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
    detail::check_same_layer(layer, weight);
    context.check_stop();
    LevelWeight<T> nearest = weight;
    nearest_codes<T>(layer.weight(), nearest, context);
    detail::keep_better_rows(layer, nearest, weight, context);
  }
};
static_assert(Searcher<RoundToNearest, LevelWeight<float>>);

}  // namespace basin
