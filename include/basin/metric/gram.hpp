#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

namespace basin {
/// Streams calibration inputs into the Hessian of a layer.
///
///     H <- H n / (n + t);  n <- n + t;  H <- H + (X / sqrt(n))^T (X / sqrt(n)),   t = rows of X
///
/// Shapes    X: [tokens, n_in], one token per row, any number of rows;  H: [n_in, n_in].
/// Units     H = X^T X / n_tokens over everything added so far.
/// Cost      t n_in^2 / 2 multiply-adds in double a batch, in tiles that the executor may share out.
/// Accuracy  products of float inputs are exact, sums are in double; relative error of an entry
///           <= (n_tokens + 4 batches) eps sqrt(H_ii H_jj). Bit-identical for every executor.
/// Source    the accumulation rule of AQLM, arXiv:2401.06118.
class GramAccumulator {
 public:
  /// @throws ShapeError if n_in < 1.
  explicit GramAccumulator(Index n_in) {
    if (n_in < 1) raise<ShapeError>("GramAccumulator: needs at least one input, got ", n_in);
    upper_ = Matrix<double>::Zero(n_in, n_in);
  }

  [[nodiscard]] Index n_in() const noexcept { return upper_.rows(); }
  [[nodiscard]] Index num_tokens() const noexcept { return num_tokens_; }
  [[nodiscard]] Index num_batches() const noexcept { return num_batches_; }

  /// Adds a batch of tokens.
  /// @throws ShapeError if it is not [any, n_in]. @throws ValueError naming batch, row and column of an
  ///         entry that is NaN, infinite or beyond 1e150. The accumulator is then as it was.
  void add(ConstMatrixRef<float> batch, const RunContext& context = {}) { add_batch(batch, context); }
  void add(ConstMatrixRef<double> batch, const RunContext& context = {}) { add_batch(batch, context); }

  /// Adds what another accumulator has seen. Rounding depends on the order of merges: keep it fixed.
  ///
  ///     H <- H n / (n + n') + H' n' / (n + n')
  ///
  /// @throws ShapeError if the other one has another n_in.
  void merge(const GramAccumulator& other) {
    if (other.n_in() != n_in())
      raise<ShapeError>("GramAccumulator: cannot merge one of ", other.n_in(), " inputs into one of ", n_in());
    const Index total = num_tokens_ + other.num_tokens_;
    if (total > 0) {
      upper_ = upper_ * (static_cast<double>(num_tokens_) / static_cast<double>(total)) +
               other.upper_ * (static_cast<double>(other.num_tokens_) / static_cast<double>(total));
    }
    num_tokens_ = total;
    num_batches_ += other.num_batches_;
  }

  /// H, symmetric; zero before the first token.
  [[nodiscard]] Matrix<double> hessian() const {
    Matrix<double> full = upper_;
    full.triangularView<Eigen::StrictlyLower>() = full.transpose();
    return full;
  }

 private:
  static constexpr Index tile = 256;
  static constexpr Index rows_per_step = 1024;

  template <class Batch>
  void add_batch(const Batch& batch, const RunContext& context) {
    if (batch.cols() != n_in())
      raise<ShapeError>("GramAccumulator: batch ", num_batches_, " must be [tokens, ", n_in(), "], got [",
                        batch.rows(), ", ", batch.cols(), "]");
    check_values(batch);
    if (batch.rows() > 0) {
      const auto total = static_cast<double>(num_tokens_ + batch.rows());
      const double keep = static_cast<double>(num_tokens_) / total;
      const double scale = 1 / std::sqrt(total);
      for (Index begin = 0; begin < batch.rows(); begin += rows_per_step) {
        const Index rows = std::min(rows_per_step, batch.rows() - begin);
        const Matrix<double> part = batch.middleRows(begin, rows).template cast<double>() * scale;
        add_part(part, begin == 0 ? keep : 1.0, context);
      }
    }
    num_tokens_ += batch.rows();
    ++num_batches_;
  }
  template <class Batch>
  void check_values(const Batch& batch) const {
    for (Index row = 0; row < batch.rows(); ++row) {
      // Comparisons with NaN are false.
      if ((batch.row(row).array().abs() <= largest(batch)).all()) continue;
      for (Index column = 0; column < batch.cols(); ++column)
        if (!(std::abs(batch(row, column)) <= largest(batch)))
          raise<ValueError>("GramAccumulator: batch ", num_batches_, ", row ", row, ", column ", column,
                            std::isfinite(batch(row, column)) ? " is beyond 1e150" : " is not finite",
                            "; the layer before this one overflows");
    }
  }
  template <class Batch>
  [[nodiscard]] static constexpr typename Batch::Scalar largest(const Batch&) noexcept {
    using Scalar = typename Batch::Scalar;
    return std::same_as<Scalar, float> ? std::numeric_limits<Scalar>::max() : static_cast<Scalar>(1e150);
  }
  /// Every tile is one task with sums of its own.
  void add_part(const Matrix<double>& part, double keep, const RunContext& context) {
    const Index tiles = (n_in() + tile - 1) / tile;
    context.for_each(tiles * (tiles + 1) / 2, [&](Index task) {
      Index left = 0;
      while (task >= tiles - left) task -= tiles - left++;
      const Index row = left * tile, column = (left + task) * tile;
      const Index height = std::min(tile, n_in() - row), width = std::min(tile, n_in() - column);
      auto block = upper_.block(row, column, height, width);
      if (keep != 1.0) block *= keep;
      block.noalias() += part.middleCols(row, height).transpose() * part.middleCols(column, width);
    });
  }

  Matrix<double> upper_;  // below the diagonal only tiles on it are filled
  Index num_tokens_ = 0;
  Index num_batches_ = 0;
};

}  // namespace basin
