#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/types.hpp>
#include <basin/search/detail/column_products.hpp>
#include <basin/search/feedback_factor.hpp>

#include <algorithm>
#include <cstddef>

namespace basin::detail {
/// Up to feedback_rows rows of a weight on their way through error feedback, stored column by column in the
/// order of places, each column padded to whole strips.
template <class T>
class FeedbackTile {
 public:
  FeedbackTile(const FeedbackFactor<T>& factor, ConstMatrixRef<T> weight, Index first_row, Index num_rows)
      : factor_(factor),
        weight_(weight),
        first_row_(first_row),
        num_rows_(num_rows),
        stride_((num_rows + strip_rows<T> - 1) / strip_rows<T> * strip_rows<T>),
        original_(at(factor.panel_inputs() * stride_)),
        target_(original_.size()),
        residual_(at(factor.n_in() * stride_)) {}

  [[nodiscard]] Index first_row() const noexcept { return first_row_; }
  [[nodiscard]] Index num_rows() const noexcept { return num_rows_; }
  /// From one column of a tile to the next.
  [[nodiscard]] Index stride() const noexcept { return stride_; }
  /// W and the targets of the open panel, by places inside it: [panel_inputs(), stride()].
  [[nodiscard]] const T* original() const noexcept { return original_.data(); }
  [[nodiscard]] T* target() noexcept { return target_.data(); }
  /// W - What at all places, [n_in, stride()].
  [[nodiscard]] T* residual() noexcept { return residual_.data(); }

  /// Targets of a panel: W and what all places before it send.
  void open(Index panel) {
    const Index first = panel * factor_.panel_inputs();
    const Index columns = std::min(factor_.panel_inputs(), factor_.n_in() - first);
    for (Index c = 0; c < columns; ++c)
      for (Index r = 0; r < num_rows_; ++r)
        original_[at(c * stride_ + r)] =
            factor_.is_zeroed(first + c) ? T(0) : weight_(first_row_ + r, factor_.input(first + c));
    target_ = original_;
    add(residual_.data(), factor_.feedback(panel), first, columns, target_.data());
  }
  /// out[:, 0..columns) += from[:, 0..depth) * factors.
  void add(const T* from, const T* factors, Index depth, Index columns, T* out) const noexcept {
    add_column_products(from, stride_, stride_, factors, factor_.panel_inputs(), depth, columns, out, stride_);
  }

 private:
  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const FeedbackFactor<T>& factor_;
  ConstMatrixRef<T> weight_;
  Index first_row_, num_rows_, stride_;
  AlignedVector<T> original_, target_, residual_;
};

}  // namespace basin::detail
