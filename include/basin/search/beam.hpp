#pragma once

#include <basin/search/concepts.hpp>
#include <basin/search/detail/run_beam.hpp>
#include <basin/search/order.hpp>

#include <cstdint>
#include <vector>

namespace basin {
/// Beam search over the codes of a row under the full Hessian, one code at a time: the reference
/// searcher of AQLM.
///
///     minimise r H r^T per output group,  r = w - s * decoded,  hypotheses kept: beam_size
///
/// Shapes    any scheme, any n_in (padded), g_out rows share a hypothesis.
/// Cost      per pass n_out * n_in^2 + beam_size * M * (n_out * n_in / g) * K * D multiply-adds.
/// Accuracy  rows whose best hypothesis does not improve beyond rounding keep their codes; the loss
///           recurrence agrees with a recomputation to 1e-10 (double) and 1e-4 (float), tested.
/// Ties      lower loss, then the codes already there, then the earlier parent, then smaller codes.
/// Errors    ValueError for a beam_size below 1 or above K^M; ShapeError for a foreign weight.
/// Source    AQLM, arXiv:2401.06118.
struct BeamSearch {
  int beam_size = 4;
  VisitOrder order = VisitOrder::natural;
  /// Loss forgiven for every code that is 0; drives codes to 0 as it grows.
  double sparsity = 0;

  template <class T>
  void search(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, std::uint64_t seed, std::uint64_t pass,
              const RunContext& context = {}) const {
    detail::run_beam(layer, weight, beam_size, order, sparsity, seed, pass, context, [](const std::vector<Index>& codebooks) {
      std::vector<detail::Move> moves;
      for (const Index m : codebooks) moves.push_back({static_cast<int>(m), -1});
      return moves;
    });
  }
};
static_assert(Searcher<BeamSearch>);

}  // namespace basin
