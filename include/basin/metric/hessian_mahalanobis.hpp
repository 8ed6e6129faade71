#pragma once

#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/concepts.hpp>

#include <Eigen/Cholesky>

#include <concepts>

namespace basin {
/// Squared Mahalanobis distance under one calibration-Hessian block.
///
///     d(w, c) = (w - c)^T H (w - c) = || L^T w - L^T c ||^2,   H = L L^T
///
/// Shapes    w, c: [g];  H: [g, g];  g = in_group_size. H is factored once and not kept.
/// Units     squared output error per calibration token when H = X^T X / n_tokens.
/// Cost      construction O(g^3); whiten and squared_distance O(g^2), one temporary each.
///           Loops over many pairs whiten both sides once, then use Euclidean distance.
/// Accuracy  relative error <= 8 g eps cond(H), against a long-double quadratic form (tested).
/// Source    E-step of OA-EM, arXiv:2604.08118.
template <std::floating_point T>
class HessianMahalanobis {
 public:
  using value_type = T;
  /// @param hessian     [g, g], symmetric positive definite; see metric/damping.hpp.
  /// @throws ShapeError if empty or not square.
  /// @throws ValueError if not finite, not symmetric, or not positive definite.
  explicit HessianMahalanobis(ConstMatrixRef<T> hessian) {
    if (hessian.rows() == 0 || hessian.rows() != hessian.cols())
      raise<ShapeError>("HessianMahalanobis: H must be [g, g], got [", hessian.rows(), ", ",
                        hessian.cols(), "]");
    // isApprox alone lets a stray infinity through: inf <= eps * inf.
    if (!hessian.allFinite() || !hessian.isApprox(hessian.transpose()))
      raise<ValueError>("HessianMahalanobis: H must be finite and symmetric");
    const Eigen::LLT<Matrix<T>> llt(hessian);
    if (llt.info() != Eigen::Success)
      raise<ValueError>("HessianMahalanobis: H is not positive definite; raise the damping");
    upper_ = llt.matrixU();
  }

  [[nodiscard]] Index dim() const noexcept { return upper_.rows(); }
  /// L^T w, shape [g]: the space where this metric is Euclidean.
  [[nodiscard]] Vector<T> whiten(ConstVectorRef<T> w) const {
    BASIN_ASSERT(w.size() == dim());
    return upper_.template triangularView<Eigen::Upper>() * w;
  }
  [[nodiscard]] T squared_distance(ConstVectorRef<T> w, ConstVectorRef<T> c) const {
    return whiten(w - c).squaredNorm();
  }

 private:
  Matrix<T> upper_;  // L^T, [g, g]; entries below the diagonal are zero
};
static_assert(DistancePolicy<HessianMahalanobis<float>>);

}  // namespace basin
