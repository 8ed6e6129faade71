#pragma once

#include <basin/core/config.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <optional>

namespace basin {
/// The Cholesky factor of a shifted matrix, its tiles shared out.
///
///     H + shift I = L L^T
///
/// Shapes    H: [n, n], of which the lower triangle is read;  L: [n, n], zero above the diagonal.
/// Cost      n^3 / 6 multiply-adds, one matrix of H's size.
/// Accuracy  || L L^T - H - shift I || <= n eps tr(H + shift I). The same bits for every executor.
/// Source    the right-looking blocked factorization of LAPACK.
/// @return   nothing where a pivot is not positive: H + shift I is not positive definite, up to rounding.
[[nodiscard]] inline std::optional<Matrix<double>> shifted_cholesky(ConstMatrixRef<double> hessian, double shift,
                                                                    const RunContext& context = {}) {
  BASIN_ASSERT(hessian.rows() == hessian.cols());
  constexpr Index tile = 128;
  const Index n = hessian.rows();
  Matrix<double> lower(n, n);
  for_each_range(context, n, tile, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      lower.row(i).head(i) = hessian.row(i).head(i);
      lower(i, i) = hessian(i, i) + shift;
      lower.row(i).tail(n - i - 1).setZero();
    }
  });
  for (Index done = 0; done < n; done += tile) {
    const Index width = std::min(tile, n - done), next = done + width;
    auto corner = lower.block(done, done, width, width);
    if (Eigen::LLT<MatrixRef<double>>(corner).info() != Eigen::Success) return std::nullopt;
    for_each_range(context, n - next, tile / 2, [&](Index begin, Index end) {
      auto rows = lower.block(next + begin, done, end - begin, width);
      corner.transpose().triangularView<Eigen::Upper>().solveInPlace<Eigen::OnTheRight>(rows);
    });
    // What is left of H loses the panel's share, one task per tile of its lower triangle.
    const Index tiles = (n - next + tile - 1) / tile;
    context.for_each(tiles * (tiles + 1) / 2, [&](Index task) {
      Index row = 0;
      while (task > row) task -= ++row;
      const Index top = next + row * tile, left = next + task * tile;
      const auto upper_panel = lower.block(top, done, std::min(tile, n - top), width);
      const auto left_panel = lower.block(left, done, std::min(tile, n - left), width);
      auto rest = lower.block(top, left, upper_panel.rows(), left_panel.rows());
      if (top == left)
        rest.selfadjointView<Eigen::Lower>().rankUpdate(upper_panel, -1.0);
      else
        rest.noalias() -= upper_panel * left_panel.transpose();
    });
  }
  return lower;
}

}  // namespace basin
