#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/simd.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
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
/// Codewords lie in chunks of one SIMD register each. Vectors in the lanes, a scan finds the chunk with the
/// smallest score, and nothing else of it; then, codewords in the lanes, the chunk says which.
///
/// Shapes    codewords: [K, D], D = g_out * g;  H: [g, g]. The table is [padded K, D + 1]: -H c_k and the
///           constant, infinite in the padding; it is kept by codewords and, in chunks, by dimensions.
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
        num_chunks_((size + chunk_size - 1) / chunk_size),
        values_(static_cast<std::size_t>(num_chunks_ * chunk_size * stride())),
        chunks_(values_.size()) {
    double trace = 0;
    for (Index a = 0; a < g; ++a) trace += block[a * g + a];
    is_zero_ = !(trace > 0);
    if (is_zero_) return;
    // A power of two: the order of distances does not feel it, and T cannot overflow.
    const double unit = std::exp2(-std::ilogb(trace));
    largest_ = g == 8 ? fill<8>(unit) : g == 4 ? fill<4>(unit) : fill<Eigen::Dynamic>(unit);
    // Rounding of the stored table and of D fused or unfused multiply-adds, relative to
    // |constant| + sum |v_d| |h_d| (Cauchy-Schwarz); then that of double, which built the table and
    // decides in the end, relative to sum_ab |x_a| |H_ab| |y_b| <= tr(H) |x| |y|.
    const double n = static_cast<double>(dim());
    const double working = (2 * n + 6) * std::numeric_limits<T>::epsilon() / 2;
    double_error_ = (2 * n + 6) * std::numeric_limits<double>::epsilon() / 2 * unit * trace;
    error_at_zero_ = working * largest_.constant + double_error_ * largest_.squared_norm +
                     (n + 2) * static_cast<double>(std::numeric_limits<T>::min());
    error_per_norm_ = working * std::sqrt(largest_.squared_projection) +
                      2 * double_error_ * std::sqrt(largest_.squared_norm);
    error_per_square_ = double_error_;
  }

  [[nodiscard]] Index dim() const noexcept { return g_ * out_group_size_; }
  [[nodiscard]] Index size() const noexcept { return size_; }
  /// All distances are 0.
  [[nodiscard]] bool is_zero() const noexcept { return is_zero_; }
  /// -H c_k and the constant, in units of the table.
  [[nodiscard]] const T* row(Index k) const noexcept { return values_.data() + k * stride(); }
  /// Over all codewords: |constant|, |H c_k| and |c_k|.
  [[nodiscard]] double largest_constant() const noexcept { return largest_.constant; }
  [[nodiscard]] double largest_projection() const noexcept { return std::sqrt(largest_.squared_projection); }
  [[nodiscard]] double largest_norm() const noexcept { return std::sqrt(largest_.squared_norm); }
  /// How far the double that built this table and decides in the end may be off for v: this times (|v| + |c_k|)^2.
  [[nodiscard]] double double_error() const noexcept { return double_error_; }

  static constexpr Index tile_width = 2 * simd::lanes<T>;
  static constexpr Index chunk_size = simd::lanes<T>;

  /// What scan() finds of every lane's vector.
  struct Found {
    T limit[tile_width];   ///< the smallest score and the margin: nobody above it is nearest
    T chunk[tile_width];   ///< where the smallest score is
    T unsure[tile_width];  ///< 1 where another chunk reaches down to the limit, or nothing is a number
  };

  /// Scores `tile_width` vectors, one per lane; tile: [D, tile_width].
  template <int FixedDim>
  BASIN_ALWAYS_INLINE void scan(const T* BASIN_RESTRICT tile, Found& found) const noexcept {
    using Batch = simd::Batch<T>;
    constexpr int lanes = simd::lanes<T>;
    const Index d_end = FixedDim > 0 ? FixedDim : dim();
    const Batch infinity(std::numeric_limits<T>::infinity());
    Batch best0 = infinity, best1 = infinity, second0 = infinity, second1 = infinity, where0(T(0)), where1(T(0));
    const T* row = values_.data();
    for (Index chunk = 0; chunk < num_chunks_; ++chunk) {
      Batch least0 = infinity, least1 = infinity;
      for (Index k = 0; k < chunk_size; ++k, row += d_end + 1) {
        Batch score0(row[d_end]);
        Batch score1 = score0;
        for (Index d = 0; d < d_end; ++d) {
          const Batch h(row[d]);
          score0 = xsimd::fma(h, simd::load(tile + tile_width * d), score0);
          score1 = xsimd::fma(h, simd::load(tile + tile_width * d + lanes), score1);
        }
        least0 = xsimd::min(least0, score0);
        least1 = xsimd::min(least1, score1);
      }
      const Batch here(static_cast<T>(chunk));
      where0 = xsimd::select(least0 < best0, here, where0);
      where1 = xsimd::select(least1 < best1, here, where1);
      second0 = xsimd::min(second0, xsimd::max(least0, best0));
      second1 = xsimd::min(second1, xsimd::max(least1, best1));
      best0 = xsimd::min(best0, least0);
      best1 = xsimd::min(best1, least1);
    }
    Batch norm0(T(0)), norm1(T(0));
    for (Index d = 0; d < d_end; ++d) {
      const Batch v0 = simd::load(tile + tile_width * d), v1 = simd::load(tile + tile_width * d + lanes);
      norm0 = xsimd::fma(v0, v0, norm0);
      norm1 = xsimd::fma(v1, v1, norm1);
    }
    const Batch limit0 = best0 + padded_margin(norm0), limit1 = best1 + padded_margin(norm1);
    simd::store(found.limit, limit0);
    simd::store(found.limit + lanes, limit1);
    simd::store(found.chunk, where0);
    simd::store(found.chunk + lanes, where1);
    simd::store(found.unsure, xsimd::select(second0 > limit0, Batch(T(0)), Batch(T(1))));
    simd::store(found.unsure + lanes, xsimd::select(second1 > limit1, Batch(T(0)), Batch(T(1))));
  }

  /// The nearest codeword of the vector v that was in lane `lane` of a scan.
  template <int FixedDim>
  [[nodiscard]] BASIN_ALWAYS_INLINE Index choose(const T* v, const Found& found, Index lane) const noexcept {
    using Batch = simd::Batch<T>;
    const Index d_end = FixedDim > 0 ? FixedDim : dim();
    const Index chunk = static_cast<Index>(found.chunk[lane]);
    const T* column = chunks_.data() + chunk * chunk_size * (d_end + 1);
    Batch score = simd::load(column + chunk_size * d_end);
    for (Index d = 0; d < d_end; ++d) score = xsimd::fma(Batch(v[d]), simd::load(column + chunk_size * d), score);
    const std::uint64_t candidates = simd::mask<T>(score <= Batch(found.limit[lane]));
    if (int{found.unsure[lane] == T(0)} & int{std::has_single_bit(candidates)})  // one branch
      return chunk * chunk_size + std::countr_zero(candidates);
    return resolve(v, found.limit[lane]);
  }

  /// The nearest codeword of one vector, codewords in the lanes.
  template <int FixedDim>
  [[nodiscard]] BASIN_NEVER_INLINE Index find(const T* v) const noexcept {
    using Batch = simd::Batch<T>;
    const Index d_end = FixedDim > 0 ? FixedDim : dim();
    const Batch infinity(std::numeric_limits<T>::infinity());
    Batch best = infinity, second = infinity, where(T(0));
    const T* column = chunks_.data();
    for (Index chunk = 0; chunk < num_chunks_; ++chunk, column += chunk_size * (d_end + 1)) {
      Batch score = simd::load(column + chunk_size * d_end);
      for (Index d = 0; d < d_end; ++d) score = xsimd::fma(Batch(v[d]), simd::load(column + chunk_size * d), score);
      where = xsimd::select(score < best, Batch(static_cast<T>(chunk)), where);
      second = xsimd::min(second, xsimd::max(score, best));
      best = xsimd::min(best, score);
    }
    T bests[chunk_size], chunks[chunk_size], squared_norm = 0;
    simd::store(bests, best);
    simd::store(chunks, where);
    for (Index d = 0; d < d_end; ++d) squared_norm += v[d] * v[d];
    T limit[chunk_size];
    simd::store(limit, Batch(*std::min_element(bests, bests + chunk_size)) + padded_margin(Batch(squared_norm)));
    const std::uint64_t candidates = simd::mask<T>(best <= Batch(limit[0]));
    if (simd::mask<T>(second <= Batch(limit[0])) == 0 && std::has_single_bit(candidates)) {
      const int lane = std::countr_zero(candidates);
      return static_cast<Index>(chunks[lane]) * chunk_size + lane;
    }
    return resolve(v, limit[0]);
  }

  /// The nearest codeword of v by direct differences, among those whose score may be within the limit.
  [[nodiscard]] Index resolve(const T* v, T limit) const noexcept {
    double squared_norm = 0;
    for (Index d = 0; d < dim(); ++d) squared_norm += static_cast<double>(v[d]) * static_cast<double>(v[d]);
    // These scores may be rounded in another order than those of the scan.
    const double bound = static_cast<double>(limit) + margin(squared_norm);
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
    constexpr double infinity = std::numeric_limits<double>::infinity();
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
      // Infinite bounds leave every vector to resolve(); a maximum would lose what is not a number.
      if (!(own.constant < infinity && own.squared_norm < infinity)) own = {infinity, infinity, infinity};
      largest.constant = std::max(largest.constant, std::abs(own.constant));
      largest.squared_projection = std::max(largest.squared_projection, own.squared_projection);
      largest.squared_norm = std::max(largest.squared_norm, own.squared_norm);
    }
    for (Index k = size_; k < num_chunks_ * chunk_size; ++k)
      values_[static_cast<std::size_t>(k * stride() + dim())] = std::numeric_limits<T>::infinity();
    T* column = chunks_.data();
    for (Index first = 0; first < num_chunks_ * chunk_size; first += chunk_size)
      for (Index d = 0; d < stride(); ++d)
        for (Index k = 0; k < chunk_size; ++k) *column++ = values_[static_cast<std::size_t>((first + k) * stride() + d)];
    return largest;
  }

  [[nodiscard]] Index stride() const noexcept { return dim() + 1; }
  /// Twice the largest error of a score of v: two scores further apart than this are in true order.
  [[nodiscard]] double margin(double squared_norm) const noexcept {
    return 2 * (error_at_zero_ + error_per_norm_ * std::sqrt(squared_norm) + error_per_square_ * squared_norm);
  }
  /// margin() in T, with room for its own rounding and for that of a score plus margin: the latter is at
  /// most an eighth of a score's error.
  [[nodiscard]] simd::Batch<T> padded_margin(const simd::Batch<T>& squared_norm) const noexcept {
    using Batch = simd::Batch<T>;
    constexpr double slack = 2.25;
    return xsimd::fma(Batch(static_cast<T>(slack * error_per_norm_)), xsimd::sqrt(squared_norm),
                      xsimd::fma(Batch(static_cast<T>(slack * error_per_square_)), squared_norm,
                                 Batch(static_cast<T>(slack * error_at_zero_))));
  }

  const T* codewords_;
  const double* block_;
  Index size_, g_, out_group_size_, num_chunks_;
  bool is_zero_ = false;
  Extent largest_;
  double double_error_ = 0, error_at_zero_ = 0, error_per_norm_ = 0, error_per_square_ = 0;
  AlignedVector<T> values_, chunks_;
};

}  // namespace basin::detail
