#pragma once

#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/check_hessian.hpp>

#include <algorithm>
#include <concepts>
#include <limits>

namespace basin {
/// What every quantizer of a linear layer minimises, on inputs padded to whole groups.
///
///     L(What) = tr((W - What) H (W - What)^T),   H = X^T X / n_tokens
///
/// Shapes    W: [n_out, n_in];  H: [n_in, n_in];  both are kept padded with zero columns (and zero
///           rows of H) to padded_in() = g * ceil(n_in / g), so padding costs nothing under L.
/// Units     L is the squared output error per token, summed over output rows.
/// Accuracy  losses are evaluated in double whatever T is; T is what searches and updates work in.
/// Cost      loss: n_out * n_in^2 / 2 multiply-adds in double.
template <std::floating_point T>
class LayerObjective {
 public:
  using value_type = T;
  /// Rows that a task handles at a time: fixed, so that sums never depend on the number of threads.
  static constexpr Index rows_per_task = 96;
  /// Inputs at a time in a quadratic form.
  static constexpr Index columns_per_block = 192;

  /// @throws ShapeError if W is empty, H is not [n_in, n_in], or group_size < 1.
  /// @throws ValueError if W or H is not finite, or H not symmetric (rounding is symmetrised away)
  ///         or not positive semidefinite.
  LayerObjective(ConstMatrixRef<T> weight, ConstMatrixRef<double> hessian, Index group_size,
                 const RunContext& context = {})
      : n_in_(weight.cols()) {
    if (weight.rows() < 1 || weight.cols() < 1)
      raise<ShapeError>("LayerObjective: W must not be empty, got [", weight.rows(), ", ", weight.cols(), "]");
    if (group_size < 1) raise<ShapeError>("LayerObjective: group size must be at least 1, got ", group_size);
    if (hessian.rows() != n_in_ || hessian.cols() != n_in_)
      raise<ShapeError>("LayerObjective: W is [", weight.rows(), ", ", n_in_, "], so H must be [", n_in_, ", ",
                        n_in_, "], got [", hessian.rows(), ", ", hessian.cols(), "]");
    check_finite_weight<T>(weight);
    hessian_ = checked_hessian(hessian, context);

    const Index padded = (n_in_ + group_size - 1) / group_size * group_size;
    weight_ = Matrix<T>::Zero(weight.rows(), padded);
    weight_.leftCols(n_in_) = weight;
    if (padded > n_in_) hessian_.conservativeResizeLike(Matrix<double>::Zero(padded, padded));
    hessian_t_.resize(padded, padded);
    for_each_range(context, padded, rows_per_task, [&](Index begin, Index end) {
      hessian_t_.middleRows(begin, end - begin) = hessian_.middleRows(begin, end - begin).template cast<T>();
    });
    weight_product_.resize(n_out(), padded);
    Vector<double> energies(n_out());
    for_each_range(context, n_out(), rows_per_task, [&](Index begin, Index end) {
      const Matrix<double> rows = weight_.middleRows(begin, end - begin).template cast<double>();
      const Matrix<double> product = rows * hessian_;
      weight_product_.middleRows(begin, end - begin) = product.template cast<T>();
      energies.segment(begin, end - begin) = product.cwiseProduct(rows).rowwise().sum();
    });
    weight_energy_ = energies.sum();
  }

  [[nodiscard]] Index n_out() const noexcept { return weight_.rows(); }
  [[nodiscard]] Index n_in() const noexcept { return n_in_; }
  [[nodiscard]] Index padded_in() const noexcept { return weight_.cols(); }
  /// W, padded: [n_out, padded_in].
  [[nodiscard]] const Matrix<T>& weight() const noexcept { return weight_; }
  /// H, padded: [padded_in, padded_in].
  [[nodiscard]] const Matrix<double>& hessian() const noexcept { return hessian_; }
  /// H in the working precision.
  [[nodiscard]] const Matrix<T>& working_hessian() const noexcept { return hessian_t_; }
  /// W H, shape [n_out, padded_in].
  [[nodiscard]] const Matrix<T>& weight_product() const noexcept { return weight_product_; }
  /// tr(W H W^T), the loss of quantizing everything to zero.
  [[nodiscard]] double weight_energy() const noexcept { return weight_energy_; }

  /// The objective of every stride-th block of `block_rows` output rows, from the first block on.
  /// Precondition: block_rows divides n_out.
  [[nodiscard]] LayerObjective sample(Index stride, Index block_rows = 1) const {
    BASIN_ASSERT(stride >= 1 && block_rows >= 1 && n_out() % block_rows == 0);
    const Index blocks = (n_out() / block_rows + stride - 1) / stride;
    LayerObjective sampled = *this;
    for (Index b = 0; b < blocks; ++b) {
      sampled.weight_.middleRows(b * block_rows, block_rows) = weight_.middleRows(b * stride * block_rows, block_rows);
      sampled.weight_product_.middleRows(b * block_rows, block_rows) =
          weight_product_.middleRows(b * stride * block_rows, block_rows);
    }
    sampled.weight_.conservativeResize(blocks * block_rows, Eigen::NoChange);
    sampled.weight_product_.conservativeResize(blocks * block_rows, Eigen::NoChange);
    sampled.weight_energy_ = sampled.weight_.template cast<double>()
                                 .cwiseProduct(sampled.weight_product_.template cast<double>())
                                 .sum();
    return sampled;
  }

  /// r_o H r_o^T for every row of R = W - What, shape [n_out]; What: [n_out, padded_in].
  [[nodiscard]] Vector<double> row_losses(const Matrix<T>& decoded, const RunContext& context = {}) const {
    BASIN_ASSERT(decoded.rows() == n_out() && decoded.cols() == padded_in());
    Vector<double> losses(n_out());
    for_each_range(context, n_out(), rows_per_task, [&](Index begin, Index end) {
      const Matrix<double> error =
          (weight_.middleRows(begin, end - begin) - decoded.middleRows(begin, end - begin)).template cast<double>();
      auto own = losses.segment(begin, end - begin);
      own.setZero();
      // H is symmetric: what stands above its diagonal blocks counts twice.
      for (Index c = 0; c < padded_in(); c += columns_per_block) {
        const Index width = std::min(columns_per_block, padded_in() - c);
        const auto here = error.middleCols(c, width);
        Matrix<double> product = here * hessian_.block(c, c, width, width);
        if (c > 0) product.noalias() += 2 * error.leftCols(c) * hessian_.block(0, c, c, width);
        own += product.cwiseProduct(here).rowwise().sum();
      }
    });
    return losses;
  }
  [[nodiscard]] double loss(const Matrix<T>& decoded, const RunContext& context = {}) const {
    return row_losses(decoded, context).sum();
  }
  /// L / tr(W H W^T); 0 when both vanish.
  [[nodiscard]] double relative_error(double loss) const noexcept {
    if (weight_energy_ > 0) return loss / weight_energy_;
    return loss > 0 ? std::numeric_limits<double>::infinity() : 0;
  }

 private:
  Index n_in_;
  Matrix<T> weight_;
  Matrix<double> hessian_;
  Matrix<T> hessian_t_;
  Matrix<T> weight_product_;
  double weight_energy_;
};

}  // namespace basin
