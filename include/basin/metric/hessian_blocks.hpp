#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

namespace basin {
/// One metric per input group: groups share a codebook, not a metric.
///
///     d_j(v, c) = sum_p (v[p] - c[p]) H_j (v[p] - c[p])^T,   p = 0..g_out-1
///
/// Shapes    J blocks of [g, g], each symmetric positive semidefinite; rows and columns that stand
///           for padded inputs are zero.
/// Source    E- and M-step metric of OA-EM, arXiv:2604.08118.
class HessianBlocks {
 public:
  HessianBlocks() = default;
  /// J zero blocks.
  HessianBlocks(Index num_groups, Index group_size)
      : group_size_(group_size), values_(Matrix<double>::Zero(num_groups * group_size, group_size)) {
    if (num_groups < 1 || group_size < 1)
      raise<ShapeError>("HessianBlocks: needs at least one group of one input, got ", num_groups, " of ",
                        group_size);
  }

  [[nodiscard]] Index num_groups() const noexcept { return group_size_ == 0 ? 0 : values_.rows() / group_size_; }
  [[nodiscard]] Index group_size() const noexcept { return group_size_; }
  /// H_j, shape [g, g].
  [[nodiscard]] auto block(Index j) const { return values_.middleRows(j * group_size_, group_size_); }
  [[nodiscard]] auto block(Index j) { return values_.middleRows(j * group_size_, group_size_); }

 private:
  Index group_size_ = 0;
  Matrix<double> values_;  // blocks on top of each other, [J * g, g]
};

}  // namespace basin
