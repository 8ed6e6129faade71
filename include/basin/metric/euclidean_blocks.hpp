#pragma once

#include <basin/core/types.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/metric/hessian_blocks.hpp>

namespace basin {
/// The identity for every group: clustering that does not look at the inputs.
///
///     H_j = I
///
/// Shapes    H: [n_in, n_in], only its size counts; ceil(n_in / g) blocks [g, g], zero where the last
///           group is padded.
/// Units     squared error of normalised weights.
/// Cost      n_in * g writes.
/// Accuracy  exact; also for H = 0.
struct EuclideanBlocks {
  [[nodiscard]] HessianBlocks blocks(ConstMatrixRef<double> hessian, Index g) const {
    return identity(hessian.cols(), g);
  }
  /// The same without a Hessian at hand.
  [[nodiscard]] static HessianBlocks identity(Index n_in, Index g) {
    if (n_in < 1 || g < 1)
      raise<ShapeError>("EuclideanBlocks: needs inputs and a group size, got ", n_in, " and ", g);
    HessianBlocks blocks((n_in + g - 1) / g, g);
    for (Index i = 0; i < n_in; ++i) blocks.block(i / g)(i % g, i % g) = 1;
    return blocks;
  }
};
static_assert(MetricPolicy<EuclideanBlocks>);

}  // namespace basin
