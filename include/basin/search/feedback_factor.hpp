#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/random.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/check_hessian.hpp>
#include <basin/metric/damping.hpp>
#include <basin/search/detail/panel_ldl.hpp>
#include <basin/search/order.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace basin {
/// How error feedback treats a Hessian.
struct FeedbackOptions {
  double damping = 0.01;  ///< of H, relative to mean(diag H)
  Index width = 1;        ///< inputs that are quantized together: 1 for scalars, 8 for E8P, 16 for a trellis
  VisitOrder order = VisitOrder::natural;  ///< `descending` is act-order
  Index block_inputs = 128;                ///< inputs between two products with everything before; results do not depend on it
  bool zero_dead_inputs = false;           ///< quantize 0 where H_ii = 0: for inputs that are 0 at run time too
};

/// What error feedback needs of a Hessian, made once for any number of weights that read the same inputs.
///
///     H + damping I = T blockdiag(D) T^T;   optionally K = strength triu(C T^-T) D^-1
///
/// C = Z^T X / n is what the drift of the inputs, Z = X_original - X, has in common with the inputs now;
/// triu keeps what is above the diagonal blocks.
///
/// Shapes    H, C: [n_in, n_in];  n_in a multiple of `width`.
/// Cost      n_in^3 / 6 multiply-adds in T, in double where the damping is below `least_damping`; n_in^3 / 2 in
///           double for K.
/// Accuracy  T D T^T is H + damping I but for 2 eps sqrt(H_ii H_jj) per entry from rounding T once, and about as
///           much from products of 128 terms in T. Without these where the damping is below `least_damping`, since
///           a nearly singular H shows them. The same bits for every executor and any block_inputs.
/// @throws   as block_ldl(), the reference, and for block_inputs below 1.
/// Source    GPTQ, arXiv:2210.17323; C and K: GPTAQ, arXiv:2504.02692.
template <std::floating_point T>
class FeedbackFactor {
 public:
  using value_type = T;
  /// The relative damping from which on rounding to T may enter the factorization.
  static constexpr double least_damping = 1e-3;

  explicit FeedbackFactor(ConstMatrixRef<double> hessian, const FeedbackOptions& options = {}, std::uint64_t seed = 0,
                          std::uint64_t pass = 0, const RunContext& context = {})
      : FeedbackFactor(hessian, ConstMatrixRef<double>(Matrix<double>(0, 0)), 0, options, seed, pass, context) {}

  /// With asymmetric calibration.
  /// @throws ShapeError if C is not [n_in, n_in]. @throws ValueError if C or the strength is not finite.
  [[nodiscard]] static FeedbackFactor with_drift(ConstMatrixRef<double> hessian, ConstMatrixRef<double> drift,
                                                 const FeedbackOptions& options = {}, double strength = 0.25,
                                                 const RunContext& context = {}) {
    if (drift.rows() != hessian.rows() || drift.cols() != hessian.rows())
      raise<ShapeError>("FeedbackFactor: H is [", hessian.rows(), ", ", hessian.cols(), "], so the drift must be too, got [",
                        drift.rows(), ", ", drift.cols(), "]");
    if (!drift.allFinite() || !std::isfinite(strength))
      raise<ValueError>("FeedbackFactor: the drift and its strength must be finite");
    return FeedbackFactor(hessian, drift, strength, options, 0, 0, context);
  }

  [[nodiscard]] Index n_in() const noexcept { return static_cast<Index>(inputs_.size()); }
  [[nodiscard]] Index width() const noexcept { return width_; }
  /// Inputs per panel, a multiple of width().
  [[nodiscard]] Index panel_inputs() const noexcept { return panel_; }
  /// Which input is quantized at a place.
  [[nodiscard]] Index input(Index place) const noexcept { return inputs_[at(place)]; }
  [[nodiscard]] bool is_zeroed(Index place) const noexcept { return is_zeroed_[at(place)] != 0; }
  /// D of the block that begins at a place, [width, width].
  [[nodiscard]] auto diagonal(Index place) const noexcept { return diagonal_.middleRows(place, width_); }
  [[nodiscard]] double damping() const noexcept { return damping_; }
  [[nodiscard]] bool has_drift() const noexcept { return !drift_.empty(); }
  /// T above the diagonal blocks, for the places of a panel: [panel_inputs() * (p + 1), panel_inputs()], row by
  /// row; what is not above them is not to be read.
  [[nodiscard]] const T* feedback(Index panel) const noexcept { return feedback_.data() + offset(panel); }
  [[nodiscard]] const T* drift(Index panel) const noexcept { return drift_.data() + offset(panel); }

 private:
  FeedbackFactor(ConstMatrixRef<double> hessian, ConstMatrixRef<double> drift, double strength, const FeedbackOptions& options,
                 std::uint64_t seed, std::uint64_t pass, const RunContext& context)
      : width_(options.width) {
    const Index n = hessian.rows();
    if (options.block_inputs < 1)
      raise<ValueError>("FeedbackFactor: block_inputs must be at least 1, got ", options.block_inputs);
    if (hessian.cols() != n) raise<ShapeError>("H must be square, got [", n, ", ", hessian.cols(), "]");
    if (width_ < 1 || n < 1 || n % width_ != 0)
      raise<ShapeError>("FeedbackFactor: blocks of ", width_, " inputs do not divide the ", n, " inputs of H");
    panel_ = std::max(width_, options.block_inputs / width_ * width_);
    const bool is_symmetric = detail::checked_asymmetry(hessian, context) == 0;
    SplitMix64 random = keyed_random(seed, {0xfeedb4c, pass});
    for (const Index group : detail::group_order(options.order, hessian.diagonal(), width_, random))
      for (Index i = 0; i < width_; ++i) inputs_.push_back(group * width_ + i);
    is_zeroed_.assign(at(n), 0);
    if (options.zero_dead_inputs && !hessian.isZero(0))
      for (Index k = 0; k < n; ++k) is_zeroed_[at(k)] = hessian(input(k), input(k)) == 0;
    if (is_symmetric)
      factorize(hessian, options.damping, drift, strength, context);
    else
      factorize(ConstMatrixRef<double>(detail::symmetric_hessian(hessian, context)), options.damping, drift, strength, context);
  }

  void factorize(ConstMatrixRef<double> hessian, double fraction, ConstMatrixRef<double> drift, double strength,
                 const RunContext& context) {
    const double shift = relative_damping(hessian, fraction);
    if (hessian.isZero(0)) {
      const Index n = n_in();
      diagonal_ = Matrix<double>::Zero(n, width_);
      feedback_ = panels([](Index i, Index j) { return i == j ? 1.0 : 0.0; }, context);
      if (drift.size() > 0) drift_ = AlignedVector<T>(feedback_.size());
      return;
    }
    if constexpr (!std::same_as<T, double>)
      if (fraction >= least_damping)
        if (auto factors = detail::PanelLdl<T>::factor(hessian, shift, width_, inputs_, context))
          return take(*std::move(factors), shift, drift, strength, context);
    double damping = 0;
    auto factors = detail::factor_damped(hessian, shift, [&](double enough) {
      damping = enough;
      return detail::PanelLdl<double>::factor(hessian, enough, width_, inputs_, context);
    });
    take(std::move(factors), damping, drift, strength, context);
  }

  template <class P>
  void take(detail::PanelLdl<P> factors, double damping, ConstMatrixRef<double> drift, double strength,
            const RunContext& context) {
    const Index n = n_in();
    damping_ = damping;
    diagonal_ = std::move(factors.diagonal());
    if (drift.size() > 0) {
      Matrix<double> upper(n, n);
      for_each_range(context, n, 96, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i)
          for (Index j = 0; j < n; ++j) upper(i, j) = j < i ? 0.0 : static_cast<double>(factors(i, j));
      });
      const Matrix<double> scaled = drift_feedback(upper, drift, strength, context);
      drift_ = panels([&](Index i, Index j) { return scaled(i, j); }, context);
    }
    if constexpr (std::same_as<P, T>)
      if (factors.panel_inputs() == panel_) {
        feedback_ = std::move(factors.panels());
        return;
      }
    feedback_ = panels([&](Index i, Index j) { return factors(i, j); }, context);
  }

  /// K, from T: triu(C T^-T) D^-1 in the order of places.
  [[nodiscard]] Matrix<double> drift_feedback(const Matrix<double>& upper, ConstMatrixRef<double> drift, double strength,
                                              const RunContext& context) const {
    const Index n = n_in();
    Matrix<double> feedback(n, n);
    for_each_range(context, n, 96, [&](Index begin, Index end) {
      auto rows = feedback.middleRows(begin, end - begin);
      for (Index i = begin; i < end; ++i)
        for (Index j = 0; j < n; ++j) feedback(i, j) = strength * drift(input(i), input(j));
      upper.transpose().template triangularView<Eigen::UnitLower>().template solveInPlace<Eigen::OnTheRight>(rows);
      for (Index k = 0; k < n; k += width_)
        rows.middleCols(k, width_) =
            Matrix<double>(diagonal(k)).llt().solve(rows.middleCols(k, width_).transpose()).transpose().eval();
    });
    return feedback;
  }

  [[nodiscard]] Index offset(Index panel) const noexcept { return detail::PanelLdl<T>::offset(panel, panel_); }
  /// Values at (i, j), i not below the diagonal block of j, in panels.
  template <class Upper>
  [[nodiscard]] AlignedVector<T> panels(const Upper& upper, const RunContext& context) const {
    const Index count = (n_in() + panel_ - 1) / panel_;
    AlignedVector<T> packed(at(offset(count)));
    context.for_each(count, [&](Index p) {
      const Index first = p * panel_, end = std::min(first + panel_, n_in());
      for (Index i = 0; i < end; ++i)
        for (Index j = std::max(first, i / width_ * width_); j < end; ++j)
          packed[at(offset(p) + i * panel_ + j - first)] = static_cast<T>(upper(i, j));
    });
    return packed;
  }
  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  Index width_, panel_ = 0;
  double damping_ = 0;
  std::vector<Index> inputs_;
  std::vector<char> is_zeroed_;
  Matrix<double> diagonal_;             // [n_in, width]
  AlignedVector<T> feedback_, drift_;  // panels, one after the other
};

}  // namespace basin
