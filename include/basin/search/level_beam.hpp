#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/levels/nearest_level.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/level_beam_tile.hpp>
#include <basin/search/detail/level_rows.hpp>
#include <basin/search/feedback_factor.hpp>
#include <basin/search/order.hpp>

#include <algorithm>
#include <cstdint>

namespace basin {
/// Error feedback that keeps several hypotheses per row: the K-best search of integer least squares.
///
///     minimise sum_k D_k eta_k^2,   eta_k = w_k + r_{<k} T_{<k,k} - q_k,   H + damping I = T D T^T
///
/// Input by input every hypothesis takes its two nearest levels, each with feedback of its own, and the
/// beam_size best go on: the loss so far is what stays if all later inputs could make up for it exactly. Then
/// sweeps of coordinate descent; a row takes the codes if its loss falls. beam_size = 1 without sweeps is
/// ErrorFeedback.
///
/// Cost      that of ErrorFeedback, and about beam_size * 64 multiply-adds per code.
/// Accuracy  no row's loss rises, under the undamped H. A wider beam is better on average, not row by row.
/// Ties      lower loss, then the better parent, then the nearer level, then the lower one.
/// Errors    ShapeError for a foreign weight; ValueError for a beam_size outside 1 to 4096, or as ErrorFeedback.
/// Source    K-best sphere decoding, over the factorization of GPTQ, arXiv:2210.17323.
struct LevelBeam {
  int beam_size = 8;
  double damping = 0.01;  ///< of H, relative to mean(diag H)
  VisitOrder order = VisitOrder::natural;
  int sweeps = 20;

  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t seed = 0, std::uint64_t pass = 0,
              const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    if (beam_size < 1 || beam_size > 4096) raise<ValueError>("LevelBeam: beam_size must be in [1, 4096], got ", beam_size);
    context.check_stop();
    LevelWeight<T> found = weight;
    const FeedbackFactor<T> factor(layer.hessian(), {.damping = damping, .order = order}, seed, pass, context);
    const NearestLevel<T> levels(weight.levels);
    for_each_range(context, layer.n_out(), feedback_rows, [&](Index begin, Index end) {
      detail::LevelBeamTile<T> tile(factor, layer.weight(), levels, found, beam_size, begin, end - begin);
      for (Index p = 0; p * factor.panel_inputs() < factor.n_in(); ++p) {
        if (context.stop.stop_requested()) return;
        tile.search_panel(p);
      }
      tile.finish();
    });
    detail::refine_codes(layer, found, sweeps, context);
    detail::keep_better_rows(layer, found, weight, context);
  }
};
static_assert(Searcher<LevelBeam, LevelWeight<float>>);

}  // namespace basin
