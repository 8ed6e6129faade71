#pragma once

#include <basin/core/error.hpp>
#include <basin/core/random.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/search/detail/beam_pass.hpp>
#include <basin/search/order.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace basin::detail {
/// @throws ShapeError if the weight is not one of this layer.
template <class T>
void check_same_layer(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight) {
  if (weight.n_out != layer.n_out() || weight.padded_in() != layer.padded_in() ||
      weight.num_out_groups() * weight.scheme().out_group_size != weight.n_out ||
      weight.scales.size() != weight.num_out_groups() || weight.codes.num_codebooks() != weight.codebooks.num_codebooks())
    raise<ShapeError>("search: the layer is [", layer.n_out(), ", ", layer.padded_in(), "] padded, the quantized weight [",
                      weight.n_out, ", ", weight.padded_in(), "] with ", weight.scales.size(), " scales for ",
                      weight.num_out_groups(), " output groups");
}

/// Checks a beam's width against what there is to choose from.
inline void check_beam(int beam_size, const Scheme& scheme) {
  if (beam_size < 1) raise<ValueError>("beam_size must be at least 1, got ", beam_size);
  const double tuples = std::exp2(scheme.num_codebooks * scheme.bits_per_code);
  if (static_cast<double>(beam_size) > tuples || beam_size > 4096)
    raise<ValueError>("beam_size ", beam_size, " exceeds the ", std::min(tuples, 4096.0), " code tuples that scheme ",
                      to_string(scheme), " can tell apart in a beam; lower beam_size");
}

/// One pass of a beam over all rows. `moves` lists what is chosen at a position when codebooks are
/// taken in a given order.
template <class T, class Moves>
void run_beam(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, int beam_size, VisitOrder visit, double sparsity,
              std::uint64_t seed, std::uint64_t pass, const RunContext& context, Moves&& moves) {
  check_same_layer(layer, weight);
  check_beam(beam_size, weight.scheme());
  context.check_stop();

  const Index groups = weight.num_in_groups(), g = weight.scheme().in_group_size;
  const std::vector<Index> codebooks = identity_order(weight.codebooks.num_codebooks());
  const TransposedCodebooks<T> transposed(weight.codebooks);
  SplitMix64 random = keyed_random(seed, {0x5ea4c4, pass});
  BeamPlan<T> plan{beam_size, sparsity, group_order(visit, layer.hessian().diagonal(), g, random), {},
                   &layer.working_hessian(), &layer, &transposed};
  plan.moves.reserve(static_cast<std::size_t>(groups));
  Matrix<T> reordered;
  for (Index t = 0; t < groups; ++t) {
    std::vector<Index> order = codebooks;
    if (visit == VisitOrder::shuffled) shuffle(order, random);
    plan.moves.push_back(moves(order));
  }
  if (visit != VisitOrder::natural) {
    const Matrix<T>& hessian = layer.working_hessian();
    reordered.resize(hessian.rows(), hessian.cols());
    for_each_range(context, groups, 8, [&](Index begin, Index end) {
      for (Index a = begin; a < end; ++a)
        for (Index b = 0; b < groups; ++b)
          reordered.block(a * g, b * g, g, g) = hessian.block(plan.order[static_cast<std::size_t>(a)] * g,
                                                              plan.order[static_cast<std::size_t>(b)] * g, g, g);
    });
    plan.hessian = &reordered;
  }

  for_each_range(context, weight.num_out_groups(), beam_tile_rows(layer.padded_in()), [&](Index begin, Index end) {
    if (context.stop.stop_requested()) return;
    BeamTile<T>(plan, weight, begin, end - begin).run();
  });
  context.check_stop();
}

}  // namespace basin::detail
