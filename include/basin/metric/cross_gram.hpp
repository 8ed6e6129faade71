#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>

namespace basin {
/// Streams what two signals of the same tokens have in common.
///
///     C = Z^T X / n_tokens over everything added so far
///
/// Shapes    Z: [tokens, n_left], X: [tokens, n_right], one token per row;  C: [n_left, n_right].
/// Cost      t n_left n_right multiply-adds in double a batch, in tiles that the executor may share out.
/// Accuracy  products of float inputs are exact, sums are in double: an entry is within eps |Z|^T |X|.
///           Bit-identical for every executor.
class CrossGramAccumulator {
 public:
  /// @throws ShapeError unless both sizes are at least 1.
  CrossGramAccumulator(Index n_left, Index n_right) {
    if (n_left < 1 || n_right < 1)
      raise<ShapeError>("CrossGramAccumulator: needs at least one column on both sides, got ", n_left, " and ", n_right);
    sum_ = Matrix<double>::Zero(n_left, n_right);
  }

  [[nodiscard]] Index n_left() const noexcept { return sum_.rows(); }
  [[nodiscard]] Index n_right() const noexcept { return sum_.cols(); }
  [[nodiscard]] Index num_tokens() const noexcept { return num_tokens_; }

  /// Adds a batch of tokens.
  /// @throws ShapeError if the shapes are not [t, n_left] and [t, n_right].
  /// @throws ValueError if an entry is NaN or infinite. The accumulator is then as it was.
  void add(ConstMatrixRef<float> left, ConstMatrixRef<float> right, const RunContext& context = {}) {
    if (left.cols() != n_left() || right.cols() != n_right() || left.rows() != right.rows())
      raise<ShapeError>("CrossGramAccumulator: a batch must be [t, ", n_left(), "] and [t, ", n_right(), "], got [",
                        left.rows(), ", ", left.cols(), "] and [", right.rows(), ", ", right.cols(), "]");
    if (!left.allFinite() || !right.allFinite())
      raise<ValueError>("CrossGramAccumulator: a batch is not finite; a layer before this one overflows");
    for (Index begin = 0; begin < left.rows(); begin += rows_per_step) {
      const Index rows = std::min(rows_per_step, left.rows() - begin);
      add_part(left.middleRows(begin, rows).cast<double>(), right.middleRows(begin, rows).cast<double>(), context);
    }
    num_tokens_ += left.rows();
  }

  /// C; zero before the first token.
  [[nodiscard]] Matrix<double> mean() const {
    return num_tokens_ == 0 ? sum_ : Matrix<double>(sum_ / static_cast<double>(num_tokens_));
  }

 private:
  static constexpr Index tile = 256;
  static constexpr Index rows_per_step = 1024;

  /// Every tile is one task with sums of its own.
  void add_part(const Matrix<double>& left, const Matrix<double>& right, const RunContext& context) {
    const Index tiles_down = (n_left() + tile - 1) / tile, tiles_across = (n_right() + tile - 1) / tile;
    context.for_each(tiles_down * tiles_across, [&](Index task) {
      const Index row = task / tiles_across * tile, column = task % tiles_across * tile;
      const Index height = std::min(tile, n_left() - row), width = std::min(tile, n_right() - column);
      sum_.block(row, column, height, width).noalias() +=
          left.middleCols(row, height).transpose() * right.middleCols(column, width);
    });
  }

  Matrix<double> sum_;
  Index num_tokens_ = 0;
};

}  // namespace basin
