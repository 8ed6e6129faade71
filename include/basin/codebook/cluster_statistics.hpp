#pragma once

#include <basin/codebook/codes.hpp>
#include <basin/core/config.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace basin {
/// Everything that an M-step needs to know about an assignment.
///
///     A_k = sum_{n in S_k} w_n H_j(n),   y_k[p] = sum_{n in S_k} w_n H_j(n) v_n[p],   S_k = {n: z_n = k}
///
/// so that F as a function of codeword k is c A_k c^T - 2 c . y_k + constant, one such term per row p.
///
/// Shapes    A: [K, g * g];  y: [K, D];  mass: [K] = sum of w_n;  count: [K].
/// Cost      N D additions, then K J g (g + D) multiply-adds for codewords in use: H_j is applied to
///           sums, not to vectors. A few copies of A and y, nothing of size K J.
/// Accuracy  double throughout; ranges and their order depend on sizes alone, so that the result does
///           not depend on the executor.
/// Source    closed-form M-step for OA-EM.
struct ClusterStatistics {
  Index g = 0;
  Matrix<double> a, y;
  Vector<double> mass;
  std::vector<Index> count;

  ClusterStatistics() = default;
  ClusterStatistics(Index size, Index dim, Index group_size)
      : g(group_size),
        a(Matrix<double>::Zero(size, group_size * group_size)),
        y(Matrix<double>::Zero(size, dim)),
        mass(Vector<double>::Zero(size)),
        count(static_cast<std::size_t>(size)) {}

  [[nodiscard]] Index size() const noexcept { return y.rows(); }
  [[nodiscard]] Index dim() const noexcept { return y.cols(); }
  /// A_k, [g, g].
  [[nodiscard]] ConstMatrixMap<double> normal_matrix(Index k) const { return {a.row(k).data(), g, g}; }
  /// y_k, [g_out, g].
  [[nodiscard]] ConstMatrixMap<double> right_side(Index k) const { return {y.row(k).data(), dim() / g, g}; }

  ClusterStatistics& operator+=(const ClusterStatistics& other) {
    a += other.a;
    y += other.y;
    mass += other.mass;
    for (std::size_t k = 0; k < count.size(); ++k) count[k] += other.count[k];
    return *this;
  }
};

namespace detail {
/// Counts and sums of the vectors of one group column, folded into statistics through H_j.
template <std::floating_point T>
class ColumnSums {
 public:
  ColumnSums(Index size, Index dim)
      : dim_(dim),
        sums_(static_cast<std::size_t>(size * dim)),
        mass_(static_cast<std::size_t>(size)),
        count_(static_cast<std::size_t>(size)) {}

  /// `count` vectors that lie `stride` apart, their codes `code_stride` apart; no weights: all 1. Between two
  /// folds either all vectors have weights or none.
  void add(const T* vectors, Index stride, const Codes::value_type* codes, Index code_stride, Index count,
           const double* weights) {
    switch (dim_) {
      case 4: return add_fixed<4>(vectors, stride, codes, code_stride, count, weights);
      case 8: return add_fixed<8>(vectors, stride, codes, code_stride, count, weights);
      default: return add_fixed<0>(vectors, stride, codes, code_stride, count, weights);
    }
  }
  void fold_into(ClusterStatistics& to, const double* block, bool has_weights) {
    const Index g = to.g;
    for (const Index k : touched_) {
      const auto slot = static_cast<std::size_t>(k);
      if (!has_weights) mass_[slot] = static_cast<double>(count_[slot]);
      double* BASIN_RESTRICT sum = sums_.data() + k * dim_;
      double* BASIN_RESTRICT a = to.a.row(k).data();
      double* BASIN_RESTRICT y = to.y.row(k).data();
      for (Index i = 0; i < g * g; ++i) a[i] += mass_[slot] * block[i];
      for (Index p = 0; p < dim_; p += g)
        for (Index b = 0; b < g; ++b)  // H_j is symmetric: its row b is its column b
          for (Index i = 0; i < g; ++i) y[p + i] += sum[p + b] * block[b * g + i];
      to.mass(k) += mass_[slot];
      to.count[slot] += count_[slot];
      mass_[slot] = 0;
      count_[slot] = 0;
      std::fill(sum, sum + dim_, 0.0);
    }
    touched_.clear();
  }

 private:
  template <int FixedDim>
  void add_fixed(const T* v, Index stride, const Codes::value_type* codes, Index code_stride, Index count,
                 const double* weights) {
    const Index dim = FixedDim > 0 ? FixedDim : dim_;
    for (Index n = 0; n < count; ++n, v += stride, codes += code_stride) {
      const std::size_t slot = *codes;
      double* BASIN_RESTRICT sum = sums_.data() + static_cast<Index>(slot) * dim;
      if (count_[slot]++ == 0) touched_.push_back(static_cast<Index>(slot));
      if (weights == nullptr) {
        for (Index d = 0; d < dim; ++d) sum[d] += static_cast<double>(v[d]);
        continue;
      }
      mass_[slot] += weights[n];
      for (Index d = 0; d < dim; ++d) sum[d] += weights[n] * static_cast<double>(v[d]);
    }
  }

  Index dim_;
  std::vector<double> sums_, mass_;
  std::vector<Index> count_, touched_;
};
}  // namespace detail

/// Statistics of the assignment `codes`. row_weights: [O], w of group (o, j) is row_weights(o); empty
/// stands for ones. Precondition: the shapes of assign(), codes below `size`.
template <std::floating_point T>
[[nodiscard]] ClusterStatistics cluster_statistics(ConstMatrixRef<T> vectors,
                                                   std::span<const Codes::value_type> codes, Index size,
                                                   const HessianBlocks& blocks,
                                                   const Vector<double>& row_weights,
                                                   const RunContext& context = {}) {
  const Index dim = vectors.cols(), g = blocks.group_size(), in_groups = blocks.num_groups();
  const Index out_groups = vectors.rows() / in_groups;
  constexpr Index rows_per_unit = 4096;
  const Index units_per_group = (out_groups + rows_per_unit - 1) / rows_per_unit;
  const Index units = in_groups * units_per_group;
  const Index footprint = size * (g * g + dim);
  const Index parts = std::clamp<Index>((Index{1} << 24) / footprint, 1, std::min<Index>(8, units));
  std::vector<ClusterStatistics> partial(static_cast<std::size_t>(parts));
  context.for_each(parts, [&](Index part) {
    ClusterStatistics& own = partial[static_cast<std::size_t>(part)];
    own = ClusterStatistics(size, dim, g);
    detail::ColumnSums<T> sums(size, dim);
    for (Index unit = part * units / parts; unit < (part + 1) * units / parts; ++unit) {
      const Index j = unit / units_per_group;
      const Index begin = unit % units_per_group * rows_per_unit;
      const Index end = std::min(out_groups, begin + rows_per_unit);
      const Index first = begin * in_groups + j;
      sums.add(vectors.data() + first * vectors.outerStride(), in_groups * vectors.outerStride(),
               codes.data() + first, in_groups, end - begin,
               row_weights.size() == 0 ? nullptr : row_weights.data() + begin);
      if (unit + 1 == (part + 1) * units / parts || (unit + 1) % units_per_group == 0)
        sums.fold_into(own, blocks.block(j).data(), row_weights.size() != 0);
    }
  });
  for (std::size_t part = 1; part < partial.size(); ++part) partial[0] += partial[part];
  return std::move(partial[0]);
}

}  // namespace basin
