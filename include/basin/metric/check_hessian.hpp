#pragma once

#include <basin/core/error.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/cholesky.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

namespace basin {
namespace detail {
/// Whether all values are finite: 0 x is NaN otherwise.
template <class Dense>
[[nodiscard]] bool is_finite(const Dense& values) {
  using T = typename Dense::Scalar;
  return (T(0) * values.array()).sum() == T(0);
}

/// Position of the first entry that is NaN or infinite, or {-1, -1}.
template <class Dense>
[[nodiscard]] std::pair<Index, Index> first_not_finite(const Dense& values) {
  for (Index i = 0; i < values.rows(); ++i) {
    if (is_finite(values.row(i))) continue;
    for (Index j = 0; j < values.cols(); ++j)
      if (!std::isfinite(values(i, j))) return {i, j};
  }
  return {-1, -1};
}

/// @throws ValueError naming the first entry of H that is NaN or infinite.
inline void check_finite_hessian(ConstMatrixRef<double> hessian) {
  if (const auto [row, column] = first_not_finite(hessian); row >= 0)
    raise<ValueError>("H[", row, ", ", column, "] is not finite; a calibration batch held NaN or infinity");
}

/// The largest |H - H^T|, by tiles, so that H^T is read along cache lines too; throws as checked_hessian(),
/// eigenvalues unseen.
[[nodiscard]] inline double checked_asymmetry(ConstMatrixRef<double> hessian, const RunContext& context) {
  constexpr Index tile = 64;
  const Index n = hessian.rows();
  if (hessian.cols() != n) raise<ShapeError>("H must be square, got [", n, ", ", hessian.cols(), "]");
  if (n == 0) return 0;
  Matrix<double> extents = Matrix<double>::Zero((n + tile - 1) / tile, 3);  // |H|, |H - H^T|, whether one is not finite
  for_each_range(context, n, tile, [&](Index i, Index end) {
    auto extent = extents.row(i / tile);
    for (Index j = i; j < n; j += tile) {
      const Index rows = end - i, columns = std::min(tile, n - j);
      const auto upper = hessian.block(i, j, rows, columns);
      const Matrix<double> lower = hessian.block(j, i, columns, rows).transpose();
      extent(0) = std::max({extent(0), upper.cwiseAbs().maxCoeff(), lower.cwiseAbs().maxCoeff()});
      extent(1) = std::max(extent(1), (upper - lower).cwiseAbs().maxCoeff());
      if (!is_finite(upper) || !is_finite(lower)) extent(2) = 1;
    }
  });
  if (!extents.col(2).isZero(0)) check_finite_hessian(hessian);
  const double largest = extents.col(0).maxCoeff(), asymmetry = extents.col(1).maxCoeff();
  if (asymmetry > 1e-6 * largest)
    raise<ValueError>("H must be symmetric, but |H - H^T| reaches ", asymmetry, " where |H| reaches ", largest);
  return asymmetry;
}

/// H with rounding asymmetry averaged away; throws as checked_asymmetry().
[[nodiscard]] inline Matrix<double> symmetric_hessian(ConstMatrixRef<double> hessian, const RunContext& context) {
  constexpr Index tile = 64;
  const bool is_symmetric = checked_asymmetry(hessian, context) == 0;
  const Index n = hessian.rows();
  Matrix<double> mean(n, n);
  for_each_range(context, n, tile, [&](Index i, Index end) {
    const Index rows = end - i;
    mean.middleRows(i, rows) = hessian.middleRows(i, rows);
    for (Index j = 0; j < n && !is_symmetric; j += tile) {
      const Index columns = std::min(tile, n - j);
      const Matrix<double> mirrored = hessian.block(j, i, columns, rows).transpose();
      mean.block(i, j, rows, columns) = 0.5 * (mean.block(i, j, rows, columns) + mirrored);
    }
  });
  return mean;
}
}  // namespace detail

/// @throws ValueError naming the first entry of W that is NaN or infinite.
template <std::floating_point T>
void check_finite_weight(ConstMatrixRef<T> weight) {
  const auto [row, column] = detail::first_not_finite(weight);
  if (row >= 0)
    raise<ValueError>("W[", row, ", ", column, "] is not finite; repair the checkpoint before quantizing it");
}

/// H with rounding asymmetry averaged away.
///
/// Accuracy  asymmetry up to 1e-6 of the largest entry, and negative eigenvalues down to -1e-6 tr(H),
///           count as rounding (float32 files have both).
/// Cost      one Cholesky factorization, n_in^3 / 6 multiply-adds, shared out.
/// @throws ShapeError if H is not square.
/// @throws ValueError if H has an entry that is NaN or infinite, differs from its transpose, or is
///         indefinite (then it is not X^T X of anything).
[[nodiscard]] inline Matrix<double> checked_hessian(ConstMatrixRef<double> hessian, const RunContext& context = {}) {
  Matrix<double> symmetric = detail::symmetric_hessian(hessian, context);
  const double shift = 1e-6 * symmetric.diagonal().cwiseAbs().sum();
  if (!symmetric.isZero(0) && !shifted_cholesky(symmetric, shift, context))
    raise<ValueError>("H must be positive semidefinite, but it has a clearly negative eigenvalue; pass X^T X / n_tokens");
  return symmetric;
}

}  // namespace basin
