#pragma once

#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/check_hessian.hpp>
#include <basin/metric/damping.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace basin {
/// The factors of a damped Hessian in blocks of b inputs; see block_ldl().
struct BlockLdl {
  Matrix<double> backwards;  ///< T with its rows and columns from last to first, [n, n]
  Matrix<double> diagonal;   ///< D, [n, b]: block i is rows i*b to (i + 1)*b - 1
  double damping = 0;        ///< what was added to the diagonal of H

  /// T: upper triangular with identity diagonal blocks.
  [[nodiscard]] auto upper() const noexcept { return backwards.reverse(); }
};

/// The factorization behind error feedback, without an inverse.
///
///     H + damping I = T blockdiag(D) T^T,   T upper triangular with identity diagonal blocks
///
/// For b = 1 and U the upper Cholesky factor of the inverse, (H + damping I)^-1 = U^T U, as GPTQ has it:
/// D_k = 1 / U_kk^2 and T^-1 = D^1/2 U.
///
/// Shapes    H: [n, n];  order: [n], which input stands at which place of T and D; empty for as they are.
/// Cost      one Cholesky factorization, n^3 / 6 multiply-adds in double, shared out, and two matrices
///           of H's size beside T.
/// Accuracy  that of damped_cholesky: ten times more damping where H + damping I is not positive definite.
///           H = 0 gives T = I, D = 0. The same bits for every executor.
/// @param damping  as a fraction of mean(diag H).
/// @throws ShapeError if H is not square, or n not a multiple of b.
/// @throws ValueError if H is not finite, not symmetric or not positive semidefinite, or the damping is
///         negative.
/// Source    GPTQ, arXiv:2210.17323, in the form of QuIP, arXiv:2307.13304; blocks as in QuIP#.
[[nodiscard]] inline BlockLdl block_ldl(ConstMatrixRef<double> hessian, double damping, Index block_size = 1,
                                        const std::vector<Index>& order = {}, const RunContext& context = {}) {
  const Matrix<double> symmetric = detail::symmetric_hessian(hessian, context);
  const Index n = symmetric.rows(), b = block_size;
  if (b < 1 || n % b != 0)
    raise<ShapeError>("block_ldl: blocks of ", b, " inputs do not divide the ", n, " inputs of H");
  BASIN_ASSERT(order.empty() || static_cast<Index>(order.size()) == n);
  const double shift = relative_damping(symmetric, damping);
  BlockLdl factors{Matrix<double>::Identity(n, n), Matrix<double>::Zero(n, b), 0};
  if (symmetric.isZero(0)) return factors;

  // A lower factor of H read backwards is, read backwards, an upper one of H.
  std::vector<Index> inputs = order;
  if (order.empty())
    for (Index i = 0; i < n; ++i) inputs.push_back(i);
  std::reverse(inputs.begin(), inputs.end());
  Matrix<double>& lower = factors.backwards;
  for_each_range(context, n, 16, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const double* from = symmetric.row(inputs[static_cast<std::size_t>(i)]).data();
      for (Index j = 0; j <= i; ++j) lower(i, j) = from[inputs[static_cast<std::size_t>(j)]];
    }
  });
  DampedCholesky cholesky = damped_cholesky(lower, shift, context);
  factors.damping = cholesky.damping;
  lower = std::move(cholesky.lower);

  // Columns of blocks are divided by their diagonal block.
  Matrix<double> inverses(n, b);
  for (Index i = 0; i < n; i += b) {
    const Matrix<double> corner = lower.block(i, i, b, b);
    factors.diagonal.middleRows(n - i - b, b) = (corner * corner.transpose()).reverse();
    inverses.middleRows(i, b) = corner.triangularView<Eigen::Lower>().solve(Matrix<double>::Identity(b, b));
  }
  for_each_range(context, n / b, 16, [&](Index begin, Index end) {
    for (Index i = begin * b; i < end * b; i += b) {
      auto rows = lower.middleRows(i, b);
      if (b == 1)
        rows.leftCols(i).array() *= inverses.col(0).head(i).transpose().array();
      else
        for (Index j = 0; j < i; j += b) rows.middleCols(j, b) = (rows.middleCols(j, b) * inverses.middleRows(j, b)).eval();
      rows.middleCols(i, b).setIdentity();
    }
  });
  return factors;
}

}  // namespace basin
