#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/cholesky.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace basin {
/// m = tr(H) / n, the yardstick of every damping; 0 for an empty H.
[[nodiscard]] inline double mean_diagonal(ConstMatrixRef<double> hessian) {
  return hessian.rows() == 0 ? 0.0 : hessian.diagonal().mean();
}

/// fraction * tr(H) / n: what relative damping adds to the diagonal.
/// @throws ValueError if the fraction is negative or not finite.
[[nodiscard]] inline double relative_damping(ConstMatrixRef<double> hessian, double fraction) {
  if (!(fraction >= 0) || fraction > 1e300)
    raise<ValueError>("damping must be a finite fraction of mean(diag H), at least 0, got ", fraction);
  return fraction * mean_diagonal(hessian);
}

namespace detail {
/// factor(damping), an optional, until it holds a value: with ten times more damping at every failure, up to
/// tr(H) / n. Throws as damped_cholesky().
template <class Factor>
[[nodiscard]] auto factor_damped(ConstMatrixRef<double> hessian, double damping, Factor&& factor) {
  if (!std::isfinite(damping) || !std::isfinite(mean_diagonal(hessian)))
    raise<ValueError>("damped_cholesky: the diagonal of H and its damping must be finite; ",
                      "a calibration batch held NaN or infinity");
  const double yardstick = std::max(0.0, mean_diagonal(hessian));
  const double limit = std::max(damping, yardstick);
  for (;; damping = std::max(10 * damping, 1e-10 * yardstick)) {
    if (auto found = factor(damping)) return *std::move(found);
    if (!(10 * damping <= limit) || limit == 0)
      raise<ValueError>("H is not positive definite even with ", damping,
                        " added to its diagonal; it is not X^T X / n_tokens");
  }
}
}  // namespace detail

/// A Cholesky factor and the damping that it took to exist.
struct DampedCholesky {
  Matrix<double> lower;  ///< L, [n, n]; entries above the diagonal are zero
  double damping = 0;    ///< what was added to the diagonal
};

/// H + damping I = L L^T, with ten times more damping at every failure, up to tr(H) / n.
///
/// Shapes    H: [n, n], symmetric positive semidefinite up to rounding, not zero.
/// Cost      n^3 / 6 multiply-adds a try, shared out; one copy of H.
/// Accuracy  a failed try with damping 0 is followed by 1e-10 * tr(H) / n.
/// @throws ShapeError if H is not square.
/// @throws ValueError if the diagonal or the damping is not finite, or H + damping I is not positive
///         definite within that limit.
[[nodiscard]] inline DampedCholesky damped_cholesky(ConstMatrixRef<double> hessian, double damping,
                                                    const RunContext& context = {}) {
  if (hessian.rows() != hessian.cols())
    raise<ShapeError>("damped_cholesky: H must be square, got [", hessian.rows(), ", ", hessian.cols(), "]");
  return detail::factor_damped(hessian, damping, [&](double shift) -> std::optional<DampedCholesky> {
    auto lower = shifted_cholesky(hessian, shift, context);
    if (!lower || !lower->allFinite()) return std::nullopt;
    return DampedCholesky{*std::move(lower), shift};
  });
}

}  // namespace basin
