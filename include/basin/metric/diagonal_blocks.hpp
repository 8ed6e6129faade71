#pragma once

#include <basin/core/types.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/metric/damping.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <algorithm>

namespace basin {
namespace detail {
/// H_jj + damping I on the real inputs, zero on the padded ones.
[[nodiscard]] inline HessianBlocks shifted_diagonal_blocks(ConstMatrixRef<double> hessian, Index g,
                                                           double damping) {
  const Index n_in = hessian.rows();
  if (n_in < 1 || hessian.cols() != n_in || g < 1)
    raise<ShapeError>("metric policy: H must be [n_in, n_in] and the group size at least 1, got [", n_in, ", ",
                      hessian.cols(), "] and ", g);
  HessianBlocks blocks((n_in + g - 1) / g, g);
  for (Index j = 0; j < blocks.num_groups(); ++j) {
    const Index real = std::min(g, n_in - j * g);
    auto block = blocks.block(j);
    block.topLeftCorner(real, real) = hessian.block(j * g, j * g, real, real);
    block.diagonal().head(real).array() += damping;
  }
  return blocks;
}
}  // namespace detail

/// The metric of the OA-EM paper: what an error in group j costs while all other groups stand still.
///
///     H_j = H_jj + damping m I,   m = tr(H) / n_in
///
/// Shapes    H: [n_in, n_in]; ceil(n_in / g) blocks [g, g], zero where the last group is padded.
/// Units     squared output error per token of normalised weights.
/// Cost      n_in * g copies.
/// Accuracy  exact; H = 0 gives zero blocks.
/// Source    OA-EM, arXiv:2604.08118, with its 1 % damping.
struct DiagonalBlocks {
  double damping = 0.01;

  [[nodiscard]] HessianBlocks blocks(ConstMatrixRef<double> hessian, Index g) const {
    return detail::shifted_diagonal_blocks(hessian, g, relative_damping(hessian, damping));
  }
};
static_assert(MetricPolicy<DiagonalBlocks>);

}  // namespace basin
