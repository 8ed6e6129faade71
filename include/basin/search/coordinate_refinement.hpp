#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/level_rows.hpp>

#include <cstdint>

namespace basin {
/// Coordinate descent over the codes of a level weight: one input at a time, each row moves to the level that
/// is best while all its other codes stay.
///
///     q_i <- level nearest to q_i + (R H)_i / H_ii,   R = W - What
///
/// until no code of a row changes, at most `sweeps` times. Exact: the loss over one code is a parabola.
///
/// Cost      n_out n_in^2 multiply-adds for R H, then n_in per changed code and a few operations per code and
///           sweep; the losses that decide are summed in double, n_out n_in^2 multiply-adds.
/// Accuracy  no row's loss rises. In a row that stood still no single change of a code lowers the loss
///           beyond the rounding of T.
/// Ties      the present code, then the lower level. Inputs with H_ii = 0 and rows with s = 0 stay.
/// Errors    ShapeError for a foreign weight; ValueError for negative sweeps.
/// Source    the tuning of QuIP and QuIP#, arXiv:2402.04396, which take the nearest lattice point instead.
struct CoordinateRefinement {
  int sweeps = 20;

  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    context.check_stop();
    LevelWeight<T> found = weight;
    detail::refine_codes(layer, found, sweeps, context);
    detail::keep_better_rows(layer, found, weight, context);
  }
};
static_assert(Searcher<CoordinateRefinement, LevelWeight<float>>);

}  // namespace basin
