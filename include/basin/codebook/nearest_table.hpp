#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/simd.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>

namespace basin::detail {
/// (v - c) H (v - c)^T summed over the rows of a codeword, by direct differences in double.
template <std::floating_point T>
[[nodiscard]] double block_distance(const T* v, const T* c, const double* block, Index g,
                                    Index out_group_size) noexcept {
  double distance = 0;
  for (Index p = 0; p < out_group_size; ++p, v += g, c += g)
    for (Index a = 0; a < g; ++a) {
      double row = 0;
      for (Index b = 0; b < g; ++b)
        row += block[a * g + b] * (static_cast<double>(v[b]) - static_cast<double>(c[b]));
      distance += row * (static_cast<double>(v[a]) - static_cast<double>(c[a]));
    }
  return distance;
}

/// The codewords of one codebook as one metric H sees them.
///
///     d(v, c_k) = v H v^T + 2 s_k(v),   s_k(v) = c_k H c_k^T / 2 - v . (H c_k)
///
/// s_k picks the nearest codeword with D multiply-adds. In T it is off by at most error(|v|), so only
/// codewords within twice that of the smallest score can be nearest in exact arithmetic; where there
/// is more than one, block_distance decides.
///
/// Shapes    codewords: [K, D], D = g_out * g;  H: [g, g]. The table is [K, D + 2]: -H c_k, the
///           constant, and k itself.
template <std::floating_point T>
class NearestTable {
 public:
  /// Borrows codewords and block for as long as it lives.
  NearestTable(const T* codewords, Index size, const double* block, Index g, Index out_group_size)
      : codewords_(codewords),
        block_(block),
        size_(size),
        g_(g),
        out_group_size_(out_group_size),
        values_(static_cast<std::size_t>(size * stride())) {
    double trace = 0;
    for (Index a = 0; a < g; ++a) trace += block[a * g + a];
    is_zero_ = !(trace > 0);
    if (is_zero_) return;
    // A power of two: the order of distances does not feel it, and T cannot overflow.
    const double unit = std::exp2(-std::ilogb(trace));
    const Extent largest = g == 8 ? fill<8>(unit) : g == 4 ? fill<4>(unit) : fill<Eigen::Dynamic>(unit);
    // Rounding of the stored table and of D fused or unfused multiply-adds, relative to
    // |constant| + sum |v_d| |h_d| (Cauchy-Schwarz); then that of double, which built the table and
    // decides in the end, relative to sum_ab |x_a| |H_ab| |y_b| <= tr(H) |x| |y|.
    const double n = static_cast<double>(dim());
    const double working = (2 * n + 6) * std::numeric_limits<T>::epsilon() / 2;
    const double exact = (2 * n + 6) * std::numeric_limits<double>::epsilon() / 2 * unit * trace;
    error_at_zero_ = working * largest.constant + exact * largest.squared_norm +
                     (n + 2) * static_cast<double>(std::numeric_limits<T>::min());
    error_per_norm_ =
        working * std::sqrt(largest.squared_projection) + 2 * exact * std::sqrt(largest.squared_norm);
    error_per_square_ = exact;
  }

  [[nodiscard]] Index dim() const noexcept { return g_ * out_group_size_; }
  [[nodiscard]] Index size() const noexcept { return size_; }
  /// All distances are 0.
  [[nodiscard]] bool is_zero() const noexcept { return is_zero_; }

  static constexpr Index tile_width = 2 * simd::lanes<T>;

  /// Scores `tile_width` vectors, one per lane: the smallest score, where it is first found, and whether
  /// the second smallest is too close to it to be sure. Both flags and indices come back as T.
  ///
  /// Shapes    tile: [D, tile_width];  best, index, unsure: [tile_width].
  template <int FixedDim>
  BASIN_ALWAYS_INLINE void scan(const T* BASIN_RESTRICT tile, T* BASIN_RESTRICT best, T* BASIN_RESTRICT index,
                                T* BASIN_RESTRICT unsure) const noexcept {
    using Batch = simd::Batch<T>;
    constexpr int lanes = simd::lanes<T>;
    const Index d_end = FixedDim > 0 ? FixedDim : dim();
    const T infinity = std::numeric_limits<T>::infinity();
    Batch best0(infinity), best1(infinity), second0(infinity), second1(infinity), index0(T(0)), index1(T(0));
    const T* row = values_.data();
    for (Index k = 0; k < size_; ++k, row += d_end + 2) {
      Batch score0(row[d_end]);
      Batch score1 = score0;
      for (Index d = 0; d < d_end; ++d) {
        const Batch h(row[d]);
        score0 = xsimd::fma(h, simd::load(tile + tile_width * d), score0);
        score1 = xsimd::fma(h, simd::load(tile + tile_width * d + lanes), score1);
      }
      const Batch here(row[d_end + 1]);
      index0 = xsimd::select(score0 < best0, here, index0);
      index1 = xsimd::select(score1 < best1, here, index1);
      second0 = xsimd::min(second0, xsimd::max(score0, best0));
      second1 = xsimd::min(second1, xsimd::max(score1, best1));
      best0 = xsimd::min(best0, score0);
      best1 = xsimd::min(best1, score1);
    }
    Batch norm0(T(0)), norm1(T(0));
    for (Index d = 0; d < d_end; ++d) {
      const Batch v0 = simd::load(tile + tile_width * d), v1 = simd::load(tile + tile_width * d + lanes);
      norm0 = xsimd::fma(v0, v0, norm0);
      norm1 = xsimd::fma(v1, v1, norm1);
    }
    simd::store(best, best0);
    simd::store(best + lanes, best1);
    simd::store(index, index0);
    simd::store(index + lanes, index1);
    simd::store(unsure, is_unsure(second0 - best0, norm0));
    simd::store(unsure + lanes, is_unsure(second1 - best1, norm1));
  }

  /// Twice the largest error of a score of v: two scores further apart than this are in true order.
  [[nodiscard]] double margin(double squared_norm) const noexcept {
    return 2 *
           (error_at_zero_ + error_per_norm_ * std::sqrt(squared_norm) + error_per_square_ * squared_norm);
  }

  /// The nearest codeword of v by direct differences, among those whose score is close to the best.
  [[nodiscard]] Index resolve(const T* v, T best) const noexcept {
    double squared_norm = 0;
    for (Index d = 0; d < dim(); ++d) squared_norm += static_cast<double>(v[d]) * static_cast<double>(v[d]);
    const double bound = static_cast<double>(best) + margin(squared_norm);
    Index nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (Index k = 0; k < size_; ++k) {
      const T* row = values_.data() + k * stride();
      T score = row[dim()];
      for (Index d = 0; d < dim(); ++d) score += row[d] * v[d];
      if (static_cast<double>(score) > bound) continue;
      const double distance = block_distance(v, codewords_ + k * dim(), block_, g_, out_group_size_);
      if (distance < least) {
        least = distance;
        nearest = k;
      }
    }
    return nearest;
  }

 private:
  struct Extent {
    double constant = 0, squared_projection = 0, squared_norm = 0;
  };
  /// Writes the table of unit * H and returns its largest |constant|, |H c|^2 and |c|^2.
  template <int FixedG>
  [[nodiscard]] Extent fill(double unit) {
    using Column = Eigen::Matrix<double, FixedG, 1>;
    using Block = Eigen::Matrix<double, FixedG, FixedG>;
    const Block block = unit * Eigen::Map<const Block>(block_, g_, g_);
    Extent largest;
    for (Index k = 0; k < size_; ++k) {
      T* row = values_.data() + k * stride();
      Extent own;
      for (Index p = 0; p < dim(); p += g_) {
        const Column c = Eigen::Map<const Eigen::Matrix<T, FixedG, 1>>(codewords_ + k * dim() + p, g_)
                             .template cast<double>();
        const Column h = block.lazyProduct(c);
        own.constant += h.dot(c) / 2;
        own.squared_projection += h.squaredNorm();
        own.squared_norm += c.squaredNorm();
        Eigen::Map<Eigen::Matrix<T, FixedG, 1>>(row + p, g_) = -h.template cast<T>();
      }
      row[dim()] = static_cast<T>(own.constant);
      row[dim() + 1] = static_cast<T>(k);
      largest.constant = std::max(largest.constant, std::abs(own.constant));
      largest.squared_projection = std::max(largest.squared_projection, own.squared_projection);
      largest.squared_norm = std::max(largest.squared_norm, own.squared_norm);
    }
    return largest;
  }

  [[nodiscard]] Index stride() const noexcept { return dim() + 2; }
  /// 1 where the gap is within the margin, or not a number.
  [[nodiscard]] simd::Batch<T> is_unsure(const simd::Batch<T>& gap,
                                         const simd::Batch<T>& squared_norm) const noexcept {
    using Batch = simd::Batch<T>;
    constexpr double slack = 2.01;  // twice the error, and the rounding of the margin itself
    const Batch margin = xsimd::fma(Batch(static_cast<T>(slack * error_per_norm_)), xsimd::sqrt(squared_norm),
                                    xsimd::fma(Batch(static_cast<T>(slack * error_per_square_)), squared_norm,
                                               Batch(static_cast<T>(slack * error_at_zero_))));
    return xsimd::select(gap > margin, Batch(T(0)), Batch(T(1)));
  }

  const T* codewords_;
  const double* block_;
  Index size_, g_, out_group_size_;
  bool is_zero_ = false;
  double error_at_zero_ = 0, error_per_norm_ = 0, error_per_square_ = 0;
  AlignedVector<T> values_;
};

}  // namespace basin::detail
