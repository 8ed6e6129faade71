#pragma once

#include <basin/core/scheme.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/run_beam.hpp>
#include <basin/search/order.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace basin {
/// Beam search under the full Hessian that chooses the codes of a group in pairs, over all K^2
/// combinations. One code at a time sticks in pairwise local minima; pairs leave them, for 15-19 %
/// lower layer error at the same bits.
///
///     minimise r H r^T per output group;  for M = 2 each group's code tuple is chosen at once,
///     for M > 2 neighbouring pairs (0,1), (1,2), ..., (M-1,0) are chosen in turn, M = 1 is BeamSearch
///
/// Cost      per pass n_out * n_in^2 multiply-adds and, for every pair, hypothesis and weight group,
///           at most K^2 byte additions, of which a bound skips most.
/// Accuracy  the scan is exact: what it skips is proven above the beam. Codebooks of more than 10 bits
///           have no table of pairs; the most promising first codes get their exact best partners.
/// Ties, errors  as BeamSearch.
/// Source    this library (docs/search/joint_beam.md).
struct JointBeam {
  /// Hypotheses kept; none asks for 4, for 6 at 7 bits and 8 below, where a scan costs a quarter and less.
  std::optional<int> beam_size{};
  VisitOrder order = VisitOrder::natural;
  /// Loss forgiven for every code that is 0.
  double sparsity = 0;

  template <class T>
  void search(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, std::uint64_t seed, std::uint64_t pass,
              const RunContext& context = {}) const {
    detail::run_beam(layer, weight, beam_size.value_or(default_beam(weight.scheme())), order, sparsity, seed, pass, context, [](const std::vector<Index>& codebooks) {
      std::vector<detail::Move> moves;
      const std::size_t count = codebooks.size();
      if (count == 1) moves.push_back({static_cast<int>(codebooks[0]), -1});
      const std::size_t pairs = count == 2 ? 1 : count == 1 ? 0 : count;
      // The earlier codebook first: it has the larger codewords, which makes the bounds tighter.
      for (std::size_t i = 0; i < pairs; ++i) {
        const auto [first, second] = std::minmax(codebooks[i], codebooks[(i + 1) % count]);
        moves.push_back({static_cast<int>(first), static_cast<int>(second)});
      }
      return moves;
    });
  }

  /// What beam_size stands for where it is left open.
  [[nodiscard]] static int default_beam(const Scheme& scheme) noexcept {
    const int tuple_bits = std::min(scheme.num_codebooks * scheme.bits_per_code, 3);
    return std::min(std::clamp(4 + 2 * (8 - scheme.bits_per_code), 4, 8), 1 << tuple_bits);
  }
};
static_assert(Searcher<JointBeam>);

}  // namespace basin
