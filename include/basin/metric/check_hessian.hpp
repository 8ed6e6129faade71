#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <utility>

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

/// (H + H^T) / 2 and the largest |H - H^T|, by tiles, so that H^T is read along cache lines too.
struct Symmetrized {
  Matrix<double> mean;
  double asymmetry = 0;

  explicit Symmetrized(ConstMatrixRef<double> hessian) : mean(hessian.rows(), hessian.cols()) {
    constexpr Index tile = 64;
    const Index n = hessian.rows();
    for (Index i = 0; i < n; i += tile)
      for (Index j = i; j < n; j += tile) {
        const Index rows = std::min(tile, n - i), columns = std::min(tile, n - j);
        const auto upper = hessian.block(i, j, rows, columns);
        const Matrix<double> lower = hessian.block(j, i, columns, rows).transpose();
        asymmetry = std::max(asymmetry, (upper - lower).cwiseAbs().maxCoeff());
        mean.block(i, j, rows, columns) = 0.5 * (upper + lower);
        if (i != j) mean.block(j, i, columns, rows) = mean.block(i, j, rows, columns).transpose();
      }
  }
};
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
/// Cost      one Cholesky factorization, n_in^3 / 3.
/// @throws ShapeError if H is not square.
/// @throws ValueError if H has an entry that is NaN or infinite, differs from its transpose, or is
///         indefinite (then it is not X^T X of anything).
[[nodiscard]] inline Matrix<double> checked_hessian(ConstMatrixRef<double> hessian) {
  if (hessian.rows() != hessian.cols())
    raise<ShapeError>("H must be square, got [", hessian.rows(), ", ", hessian.cols(), "]");
  const auto [row, column] = detail::first_not_finite(hessian);
  if (row >= 0)
    raise<ValueError>("H[", row, ", ", column, "] is not finite; a calibration batch held NaN or infinity");
  const double largest = hessian.size() == 0 ? 0.0 : hessian.cwiseAbs().maxCoeff();
  detail::Symmetrized symmetrized(hessian);
  if (symmetrized.asymmetry > 1e-6 * largest)
    raise<ValueError>("H must be symmetric, but |H - H^T| reaches ", symmetrized.asymmetry, " where |H| reaches ", largest);
  Matrix<double> symmetric = std::move(symmetrized.mean);
  if (largest > 0) {
    Matrix<double> shifted = symmetric;
    shifted.diagonal().array() += 1e-6 * symmetric.diagonal().cwiseAbs().sum();
    if (Eigen::LLT<Eigen::Ref<Matrix<double>>>(shifted).info() != Eigen::Success)
      raise<ValueError>("H must be positive semidefinite, but it has a clearly negative eigenvalue; pass X^T X / n_tokens");
  }
  return symmetric;
}

}  // namespace basin
