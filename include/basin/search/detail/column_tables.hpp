#pragma once

#include <basin/codebook/additive_codebook.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/types.hpp>
#include <basin/search/detail/coarse_scan.hpp>
#include <basin/search/detail/scan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace basin::detail {
/// Codes that a search step chooses together: one, or a pair of codebooks.
struct Move {
  int first;
  int second = -1;  ///< -1: `first` alone
  [[nodiscard]] bool is_pair() const noexcept { return second >= 0; }
};

/// The codewords of a pass with the codeword index running fastest: [M][D, padded K].
template <class T>
class TransposedCodebooks {
 public:
  explicit TransposedCodebooks(const AdditiveCodebook<T>& codebooks)
      : padded_size_(padded_scan_size(codebooks.size())), depth_(codebooks.codeword_size()) {
    values_.assign(static_cast<std::size_t>(codebooks.num_codebooks() * depth_ * padded_size_), T(0));
    for (Index m = 0; m < codebooks.num_codebooks(); ++m)
      for (Index k = 0; k < codebooks.size(); ++k)
        for (Index d = 0; d < depth_; ++d)
          values_[static_cast<std::size_t>((m * depth_ + d) * padded_size_ + k)] = codebooks.codeword(m, k)[d];
  }
  [[nodiscard]] Index padded_size() const noexcept { return padded_size_; }
  [[nodiscard]] const T* codebook(Index m) const noexcept { return values_.data() + m * depth_ * padded_size_; }

 private:
  Index padded_size_, depth_;
  AlignedVector<T> values_;
};

/// The cross terms of two codebooks under one Hessian block, and a coarse copy that proves most of
/// them uninteresting at an eighth of the memory traffic.
///
///     cross[k1, k2] = 2 C1[k1] H_jj C2[k2]^T
///     floor(k1, k2) = row_min[k1] + step * coarse[k1, k2]  <=  cross[k1, k2]
template <class T>
struct PairTable {
  AlignedVector<T> cross;              ///< [K, padded K]
  AlignedVector<T> row_min;            ///< [padded K]
  AlignedVector<std::uint8_t> coarse;  ///< [K, padded K], saturating at 255
  T step = 1;
};

/// What all rows share in one input group: codeword energies, cross terms, and H_jj itself.
template <class T>
class ColumnTables {
 public:
  ColumnTables(const AdditiveCodebook<T>& codebooks, const TransposedCodebooks<T>& transposed)
      : codebooks_(codebooks), transposed_(transposed), padded_size_(transposed.padded_size()) {
    energy_.resize(static_cast<std::size_t>(codebooks.num_codebooks() * padded_size_));
    weighted_.resize(static_cast<std::size_t>(codebooks.codeword_size()));
  }

  /// Makes the tables for the block at `hessian` ([g, g], rows `stride` apart).
  void build(const T* hessian, Index stride) {
    const Index g = codebooks_.scheme().in_group_size;
    block_.resize(g, g);
    for (Index i = 0; i < g; ++i)
      for (Index l = 0; l < g; ++l) block_(i, l) = hessian[i * stride + l];
    for (Index m = 0; m < codebooks_.num_codebooks(); ++m) {
      T* energy = energy_.data() + m * padded_size_;
      std::fill(energy, energy + padded_size_, std::numeric_limits<T>::infinity());
      for (Index k = 0; k < codebooks_.size(); ++k) {
        const T* codeword = codebooks_.codeword(m, k);
        weight_codeword(codeword);
        T sum = 0;
        for (Index d = 0; d < codebooks_.codeword_size(); ++d) sum += weighted_[static_cast<std::size_t>(d)] * codeword[d];
        energy[k] = sum;
      }
    }
  }

  /// Fills `table` for two codebooks of the block last built.
  void build_pair(const Move& move, PairTable<T>& table) {
    const Index size = codebooks_.size();
    table.cross.resize(static_cast<std::size_t>(size * padded_size_));
    table.coarse.resize(table.cross.size());
    table.row_min.assign(static_cast<std::size_t>(padded_size_), std::numeric_limits<T>::infinity());
    T widest = 0;
    zero_.assign(static_cast<std::size_t>(padded_size_), T(0));
    for (Index k = 0; k < size; ++k) {
      weight_codeword(codebooks_.codeword(move.first, k));
      for (T& w : weighted_) w *= 2;
      T* row = table.cross.data() + k * padded_size_;
      accumulate_scores(zero_.data(), transposed_.codebook(move.second), weighted_.data(), codebooks_.codeword_size(),
                        padded_size_, row);
      const Extremes<T> range = extremes(row, size);
      table.row_min[static_cast<std::size_t>(k)] = range.least;
      widest = std::max(widest, range.most - range.least);
    }
    // Interesting sums lie near the row's least entry, so the steps are finer than the whole range needs
    // and what lies far above saturates.
    const T step = widest / T(255 * 2.5);
    table.step = std::isnormal(step) ? step : T(1);
    const T per_step = 1 / table.step;
    for (Index k = 0; k < size; ++k) {
      const T* row = table.cross.data() + k * padded_size_;
      std::uint8_t* coarse = table.coarse.data() + k * padded_size_;
      quantize_down(row, table.row_min[static_cast<std::size_t>(k)], per_step, size, coarse);
    }
  }

  /// C[m][k] H_jj C[m][k]^T, infinite past K: [padded K].
  [[nodiscard]] const T* energy(Index m) const noexcept { return energy_.data() + m * padded_size_; }
  /// x H_jj for every output row of a group: x, out [g_out, g].
  void multiply(const T* BASIN_RESTRICT x, T* BASIN_RESTRICT out) const noexcept {
    const Index g = block_.rows();
    for (Index p = 0; p < codebooks_.scheme().out_group_size; ++p)
      for (Index l = 0; l < g; ++l) {
        T sum = 0;
        for (Index i = 0; i < g; ++i) sum += x[p * g + i] * block_(i, l);
        out[p * g + l] = sum;
      }
  }

 private:
  void weight_codeword(const T* codeword) noexcept { multiply(codeword, weighted_.data()); }

  const AdditiveCodebook<T>& codebooks_;
  const TransposedCodebooks<T>& transposed_;
  Index padded_size_;
  Matrix<T> block_;
  AlignedVector<T> energy_, weighted_, zero_;
};

}  // namespace basin::detail
