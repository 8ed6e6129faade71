#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/metric/damping.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <Eigen/Cholesky>

#include <algorithm>

namespace basin {
/// What an error in group j costs once all other groups have reacted to it as well as they can: the
/// Schur complement of the damped Hessian.
///
///     H_j = [ ((H + lambda m I)^-1)_jj ]^-1,   m = tr(H) / n_in
///
/// H_j <= H_jj + lambda m I, and flatter: codewords are spread where the search, which moves the other
/// groups too, will need them. lambda = 0 is the exact complement, lambda to infinity Euclidean.
///
/// Shapes    H: [n_in, n_in]; ceil(n_in / g) blocks [g, g], zero where the last group is padded.
/// Units     squared output error per token of normalised weights.
/// Cost      one Cholesky (n_in^3 / 6) and one triangular inverse (n_in^3 / 6) in double; two
///           matrices of H's size.
/// Accuracy  relative error about n_in eps cond(H + lambda m I); for H = 0 all blocks are zero. If
///           rounding makes H + lambda m I indefinite, lambda is raised tenfold until it is not.
struct ConditionalBlocks {
  double lambda = 0.1;

  [[nodiscard]] HessianBlocks blocks(ConstMatrixRef<double> hessian, Index g, const RunContext& context = {}) const {
    const Index n_in = hessian.rows();
    if (n_in < 1 || hessian.cols() != n_in || g < 1)
      raise<ShapeError>("ConditionalBlocks: H must be [n_in, n_in] and the group size at least 1, got [", n_in,
                        ", ", hessian.cols(), "] and ", g);
    HessianBlocks blocks((n_in + g - 1) / g, g);
    const double damping = relative_damping(hessian, lambda);
    if (!(mean_diagonal(hessian) > 0)) return blocks;
    const Matrix<double> lower = damped_cholesky(hessian, damping, context).lower;

    // (L L^T)^-1 = X^T X with X = L^-1. A panel of X's columns is zero above its own rows.
    const Index groups_per_panel = std::max<Index>(1, 128 / g);
    for_each_range(context, blocks.num_groups(), groups_per_panel, [&](Index first, Index last) {
      const Index begin = first * g;
      const Index width = std::min(last * g, n_in) - begin;
      const Index height = n_in - begin;
      Eigen::MatrixXd panel = Eigen::MatrixXd::Identity(height, width);
      lower.bottomRightCorner(height, height).triangularView<Eigen::Lower>().solveInPlace(panel);
      for (Index j = first; j < last; ++j) {
        const Index real = std::min(g, n_in - j * g);
        const Index offset = j * g - begin;
        const auto columns = panel.block(offset, offset, height - offset, real);
        const Matrix<double> inverse = columns.transpose() * columns;
        const Matrix<double> block =
            Eigen::LLT<Matrix<double>>(inverse).solve(Matrix<double>::Identity(real, real));
        blocks.block(j).topLeftCorner(real, real) = 0.5 * (block + block.transpose());
      }
    });
    return blocks;
  }
};
static_assert(MetricPolicy<ConditionalBlocks>);

}  // namespace basin
