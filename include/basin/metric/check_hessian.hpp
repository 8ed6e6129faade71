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
/// Position of the first entry that is NaN or infinite, or {-1, -1}.
template <class Dense>
[[nodiscard]] std::pair<Index, Index> first_not_finite(const Dense& values) {
  for (Index i = 0; i < values.rows(); ++i)
    for (Index j = 0; j < values.cols(); ++j)
      if (!std::isfinite(values(i, j))) return {i, j};
  return {-1, -1};
}

/// @throws ValueError naming the first entry of H that is NaN or infinite.
inline void check_finite_hessian(ConstMatrixRef<double> hessian, const RunContext& context) {
  constexpr Index rows = 64;
  std::vector<char> is_finite(static_cast<std::size_t>((hessian.rows() + rows - 1) / rows));
  for_each_range(context.executor, hessian.rows(), rows, [&](Index begin, Index end) {
    is_finite[static_cast<std::size_t>(begin / rows)] = hessian.middleRows(begin, end - begin).allFinite();
  });
  if (std::find(is_finite.begin(), is_finite.end(), 0) == is_finite.end()) return;
  const auto [row, column] = first_not_finite(hessian);
  raise<ValueError>("H[", row, ", ", column, "] is not finite; a calibration batch held NaN or infinity");
}

/// (H + H^T) / 2, the largest |H| and the largest |H - H^T|, by tiles, so that H^T is read along cache
/// lines too.
struct Symmetrized {
  Matrix<double> mean;
  double largest = 0, asymmetry = 0;

  Symmetrized(ConstMatrixRef<double> hessian, const RunContext& context) : mean(hessian.rows(), hessian.cols()) {
    constexpr Index tile = 64;
    const Index n = hessian.rows();
    Matrix<double> extents = Matrix<double>::Zero((n + tile - 1) / tile, 2);
    for_each_range(context.executor, n, tile, [&](Index i, Index end) {
      auto extent = extents.row(i / tile);
      extent(0) = hessian.middleRows(i, end - i).cwiseAbs().maxCoeff();
      for (Index j = i; j < n; j += tile) {
        const Index rows = end - i, columns = std::min(tile, n - j);
        const auto upper = hessian.block(i, j, rows, columns);
        const Matrix<double> lower = hessian.block(j, i, columns, rows).transpose();
        extent(1) = std::max(extent(1), (upper - lower).cwiseAbs().maxCoeff());
        mean.block(i, j, rows, columns) = 0.5 * (upper + lower);
        if (i != j) mean.block(j, i, columns, rows) = mean.block(i, j, rows, columns).transpose();
      }
    });
    if (n == 0) return;
    largest = extents.col(0).maxCoeff();
    asymmetry = extents.col(1).maxCoeff();
  }
};

/// H with rounding asymmetry averaged away, its eigenvalues unseen; throws as checked_hessian().
[[nodiscard]] inline Matrix<double> symmetric_hessian(ConstMatrixRef<double> hessian, const RunContext& context) {
  if (hessian.rows() != hessian.cols())
    raise<ShapeError>("H must be square, got [", hessian.rows(), ", ", hessian.cols(), "]");
  check_finite_hessian(hessian, context);
  Symmetrized symmetrized(hessian, context);
  if (symmetrized.asymmetry > 1e-6 * symmetrized.largest)
    raise<ValueError>("H must be symmetric, but |H - H^T| reaches ", symmetrized.asymmetry, " where |H| reaches ",
                      symmetrized.largest);
  return std::move(symmetrized.mean);
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
/// Cost      one Cholesky factorization, n_in^3 / 3, shared out.
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
