#pragma once

#include <basin/codebook/int16_lanes.hpp>
#include <basin/codebook/nearest_table.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace basin::detail {
/// The scores of a NearestTable in integers: two multiply-adds of int16 in the lane of one of fp32.
///
///     q = round(v / a),  p_k = round(-H c_k / b),  score_k = round(constant_k / (a b)) + q . p_k
///
/// b serves the table, a a block of vectors. No score overflows int32. a b score_k is off by at most
///
///     error(|v|) = |v| max_k |-H c_k - b p_k| + a sqrt(D) .51 b max_k |p_k| + 200 a b + what NearestTable grants double,
///
/// so that a codeword alone within twice that of the smallest score is nearest. Where it is not alone NearestTable
/// decides: the codes are the same ones.
///
/// Shapes    codewords: [K, D], D = 4, 8 or 16. [padded K, D] int16 by codewords and, in chunks of 16, by dimensions.
/// Cost      K D / 2 multiply-adds of int16 pairs per vector; of normal vectors and K = 256 1 in 110 is decided anew.
class Int16Table {
 public:
  static constexpr Index chunk_size = 16, parts = 2, tile_width = 16 * parts;
  /// Vectors that share a scale.
  static constexpr Index block_size = 256;

  /// Whether integers can stand for the scores of this table, and pay.
  [[nodiscard]] static bool fits(const NearestTable<float>& table) noexcept {
    const Index dim = table.dim();
    return (dim == 4 || dim == 8 || dim == 16) && table.size() >= 32 && !table.is_zero() &&
           in_range(table.largest_projection()) && table.largest_constant() < 0x1p80 && table.largest_norm() < 0x1p60;
  }

  /// Borrows the table for as long as it lives. @pre fits(table)
  explicit Int16Table(const NearestTable<float>& table)
      : table_(&table),
        pairs_(table.dim() / 2),
        num_chunks_((table.size() + chunk_size - 1) / chunk_size),
        per_unit_(largest_rounded / table.largest_projection()),
        rows_(static_cast<std::size_t>(padded_size() * pairs_)),
        columns_(rows_.size()),
        constants_(static_cast<std::size_t>(padded_size()), std::numeric_limits<float>::infinity()) {
    BASIN_ASSERT(fits(table));
    const double unit = 1 / per_unit_;
    double largest = 0;
    for (Index k = 0; k < table.size(); ++k) {
      const float* row = table.row(k);
      double left = 0;
      const auto rounded = [&](Index d) {
        const double value = std::nearbyint(static_cast<double>(row[d]) * per_unit_);
        const double difference = static_cast<double>(row[d]) - value * unit;
        left += difference * difference;
        return static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
      };
      for (Index j = 0; j < pairs_; ++j)
        rows_[static_cast<std::size_t>(k * pairs_ + j)] =
            static_cast<std::int32_t>((rounded(2 * j) & 0xffffu) | rounded(2 * j + 1) << 16);
      largest = std::max(largest, left);
      constants_[static_cast<std::size_t>(k)] = row[table.dim()];
    }
    std::int32_t* column = columns_.data();
    for (Index first = 0; first < padded_size(); first += chunk_size)
      for (Index j = 0; j < pairs_; ++j)
        for (Index k = 0; k < chunk_size; ++k) *column++ = rows_[static_cast<std::size_t>((first + k) * pairs_ + j)];
    // The second term is the rounding of the fp32 table.
    rounding_ = std::sqrt(largest) + 0x1p-23 * table.largest_projection();
  }

  /// Codewords in whole chunks.
  [[nodiscard]] Index padded_size() const noexcept { return num_chunks_ * chunk_size; }

  /// The nearest codewords of `count` vectors, up to block_size, that lie `stride` apart; their codes lie `code_stride`
  /// apart; constants: room for padded_size(). False, and no code is written, where the vectors have no common scale:
  /// not finite, all zero, or far from 1.
  template <int Dim, class Lanes = Int16Lanes, class Code>
  [[nodiscard]] bool assign(const float* vectors, Index stride, Index count, Code* codes, Index code_stride,
                            std::int32_t* constants) const noexcept {
    BASIN_ASSERT(Dim == 2 * pairs_ && count >= 1 && count <= block_size);
    constexpr Index pairs = Dim / 2;
    alignas(64) float tile[Dim * block_size];
    alignas(64) float squared_norms[block_size];
    const double norm = 1.00001 * transpose<Dim, Lanes>(vectors, stride, count, tile, squared_norms);
    if (!in_range(norm)) return false;

    const double projection = table_->largest_projection();
    const auto per_vector = static_cast<float>(
        std::min(32000 / norm, 0.98 * 0x1p30 / ((norm * projection + table_->largest_constant()) * per_unit_)));
    const double per_score = static_cast<double>(per_vector) * per_unit_;
    if (!(per_score > 0x1p-100 && per_score < 0x1p100) || !(per_vector > 0x1p-100f)) return false;
    const double exact = table_->double_error() * (table_->largest_norm() + norm) * (table_->largest_norm() + norm);
    const double at_zero = 2 * (0.51 * std::sqrt(double{Dim}) * (projection + rounding_) * per_unit_ + 200 + exact * per_score);
    const Margin margin{static_cast<float>(1.001 * 2 * rounding_ * per_score), static_cast<float>(1.001 * at_zero)};
    if (!(margin.per_norm * norm + margin.at_zero < 0x1p29)) return false;

    const typename Lanes::Floats scale = Lanes::all(static_cast<float>(per_score)), top = Lanes::all(0x1p30f);
    for (Index k = 0; k < padded_size(); k += 16)
      Lanes::store(constants + k, Lanes::round(Lanes::min(Lanes::multiply(Lanes::load(constants_.data() + k), scale), top)));

    alignas(64) std::int32_t rounded[pairs * tile_width], limit[tile_width], first[tile_width];
    for (Index begin = 0; begin < count; begin += tile_width) {
      for (Index part = 0; part < parts; ++part)
        for (Index j = 0; j < pairs; ++j) {
          const auto value = [&](Index d) {
            return Lanes::round(Lanes::multiply(Lanes::load(tile + (begin + 16 * part) * Dim + 16 * d), Lanes::all(per_vector)));
          };
          Lanes::store(rounded + (part * pairs + j) * 16, Lanes::pairs(value(2 * j), value(2 * j + 1)));
        }
      scan<pairs, Lanes>(rounded, constants, squared_norms + begin, margin, limit, first);
      // Codes as if every chunk had one candidate; `several` has a bit set where one has more.
      Code found[tile_width];
      std::uint32_t candidates[tile_width], several = 0;
      for (Index part = 0; part < parts; ++part)
        for (Index lane = 0; lane < 16; ++lane) {
          const Index n = 16 * part + lane, chunk = first[n];
          const std::int32_t *column = columns_.data() + chunk * pairs, *own = rounded + part * pairs * 16 + lane;
          typename Lanes::Ints score = Lanes::load(constants + chunk);
          for (Index j = 0; j < pairs; ++j) score = Lanes::dot(score, Lanes::load(column + 16 * j), Lanes::all(own[16 * j]));
          candidates[n] = Lanes::at_most(score, Lanes::all(limit[n]));
          found[n] = static_cast<Code>(chunk + std::countr_zero(candidates[n]));
          several |= candidates[n] & (candidates[n] - 1);
        }
      const Index filled = std::min(tile_width, count - begin);
      if (several != 0)
        for (Index n = 0; n < filled; ++n)
          if (!std::has_single_bit(candidates[n]))
            found[n] = static_cast<Code>(table_->template find<Dim>(vectors + (begin + n) * stride));
      for (Index n = 0; n < filled; ++n) codes[(begin + n) * code_stride] = found[n];
    }
    return true;
  }

 private:
  struct Margin {
    float per_norm, at_zero;
  };
  /// |p_k|: 15 bits are left for |q|, and one for the constant.
  static constexpr double largest_rounded = 23170;

  [[nodiscard]] static bool in_range(double norm) noexcept { return norm > 0x1p-40 && norm < 0x1p50; }

  /// tile[n / 16, d, n % 16] = v_n[d], zero for n >= count, and |v_n|^2. Returns the largest |v_n|, infinite where
  /// one is not finite.
  template <int Dim, class Lanes>
  [[nodiscard]] static double transpose(const float* vectors, Index stride, Index count, float* tile, float* squared_norms) noexcept {
    using Floats = typename Lanes::Floats;
    const Index lanes = (count + tile_width - 1) / tile_width * tile_width;
    alignas(64) float copies[Dim * block_size];
    if (stride != Dim || count != lanes) {
      for (Index n = 0; n < count; ++n) std::memcpy(copies + n * Dim, vectors + n * stride, Dim * sizeof(float));
      std::fill(copies + count * Dim, copies + lanes * Dim, 0.0f);
      vectors = copies;
    }
    Floats largest = Lanes::all(0.0f), total = largest;
    for (Index begin = 0; begin < lanes; begin += 16, vectors += 16 * Dim, tile += 16 * Dim) {
      Floats x[Dim], y[Dim];
      for (Index d = 0; d < Dim; ++d) x[d] = Lanes::load(vectors + 16 * d);
      // Every round sends the lowest bit of an element's place to the top of its register's number.
      for (Index step = 1; step < Dim; step *= 2) {
        for (Index i = 0; i < Dim / 2; ++i) {
          y[i] = Lanes::even(x[2 * i], x[2 * i + 1]);
          y[Dim / 2 + i] = Lanes::odd(x[2 * i], x[2 * i + 1]);
        }
        for (Index d = 0; d < Dim; ++d) x[d] = y[d];
      }
      Floats sum = Lanes::all(0.0f);
      for (Index d = 0; d < Dim; ++d) {
        sum = Lanes::multiply_add(x[d], x[d], sum);
        Lanes::store(tile + 16 * d, x[d]);
      }
      Lanes::store(squared_norms + begin, sum);
      largest = Lanes::max(largest, sum);
      total = Lanes::add(total, sum);  // a maximum can lose what is not a number, a sum does not
    }
    float of_lane[16], totals[16];
    Lanes::store(of_lane, largest);
    Lanes::store(totals, total);
    for (const float sum : totals)
      if (!(sum < std::numeric_limits<float>::infinity())) return std::numeric_limits<double>::infinity();
    return std::sqrt(static_cast<double>(*std::max_element(of_lane, of_lane + 16)));
  }

  /// Of every lane's vector the first codeword of the chunk that has the smallest score, and the limit above which nobody
  /// is nearest: above all scores where another chunk reaches down to it.
  template <Index Pairs, class Lanes>
  BASIN_ALWAYS_INLINE void scan(const std::int32_t* BASIN_RESTRICT rounded, const std::int32_t* BASIN_RESTRICT constants,
                                const float* squared_norms, const Margin& margin, std::int32_t* limit,
                                std::int32_t* first) const noexcept {
    using Ints = typename Lanes::Ints;
    const Ints top = Lanes::all(std::int32_t{1} << 30);
    Ints v[parts][Pairs], best[parts], second[parts], where[parts];
    for (Index part = 0; part < parts; ++part) {
      best[part] = second[part] = top;
      where[part] = Lanes::all(0);
      for (Index j = 0; j < Pairs; ++j) v[part][j] = Lanes::load(rounded + (part * Pairs + j) * 16);
    }
    const std::int32_t* row = rows_.data();
    for (Index chunk = 0; chunk < padded_size(); chunk += chunk_size) {
      Ints least[parts];
      for (Index part = 0; part < parts; ++part) least[part] = top;
      for (Index k = 0; k < chunk_size; ++k, row += Pairs) {
        const Ints constant = Lanes::all(constants[chunk + k]);
        Ints score[parts];
        for (Index part = 0; part < parts; ++part) score[part] = constant;
        for (Index j = 0; j < Pairs; ++j) {
          const Ints p = Lanes::all(row[j]);
          for (Index part = 0; part < parts; ++part) score[part] = Lanes::dot(score[part], v[part][j], p);
        }
        for (Index part = 0; part < parts; ++part) least[part] = Lanes::min(least[part], score[part]);
      }
      const Ints here = Lanes::all(static_cast<std::int32_t>(chunk));
      for (Index part = 0; part < parts; ++part) {
        where[part] = Lanes::where_less(least[part], best[part], here, where[part]);
        second[part] = Lanes::min(second[part], Lanes::max(least[part], best[part]));
        best[part] = Lanes::min(best[part], least[part]);
      }
    }
    const Ints everybody = Lanes::all(std::numeric_limits<std::int32_t>::max());
    for (Index part = 0; part < parts; ++part) {
      const typename Lanes::Floats norm = Lanes::square_root(Lanes::load(squared_norms + 16 * part));
      const typename Lanes::Floats room = Lanes::multiply_add(Lanes::all(margin.per_norm), norm, Lanes::all(margin.at_zero));
      const Ints bound = Lanes::add(best[part], Lanes::round(room));
      Lanes::store(limit + 16 * part, Lanes::where_less(bound, second[part], bound, everybody));
      Lanes::store(first + 16 * part, where[part]);
    }
  }

  const NearestTable<float>* table_;
  Index pairs_, num_chunks_;
  double per_unit_;  ///< 1 / b
  double rounding_ = 0;
  AlignedVector<std::int32_t> rows_, columns_;
  AlignedVector<float> constants_;
};

}  // namespace basin::detail
