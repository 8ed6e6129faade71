#pragma once

#include <basin/codebook/additive_codebook.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/types.hpp>
#include <basin/search/detail/candidates.hpp>
#include <basin/search/detail/coarse_scan.hpp>
#include <basin/search/detail/column_tables.hpp>
#include <basin/search/detail/scan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace basin::detail {
/// A hypothesis at the group that is to be decided.
template <class T>
struct MoveStart {
  double loss;             ///< less the reward for zero codes
  int index, origin;       ///< now, and at the start of the group
  const CodeTuple* codes;  ///< of the group
  const T* product;        ///< its P at the group: [g_out, g]
  Index product_stride;
  T scale;
};

/// Finds the best ways to replace the moved codes of a hypothesis.
///
/// Without its moved codewords y the residual is r + y, so the loss of new ones is a constant plus
/// s^2 (sum of their energies and cross terms) - 2 s c . (P + y H): one table look-up per codeword, and one per
/// pair of codewords.
template <class T>
class MoveScan {
 public:
  /// Codebooks up to this size are paired through a table of all pairs.
  static constexpr Index largest_table = 1024;

  /// @param tables  of the group that is visited; they and the codebooks must outlive this.
  MoveScan(const AdditiveCodebook<T>& codebooks, const TransposedCodebooks<T>& transposed, const ColumnTables<T>& tables,
           int beam_size, double sparsity)
      : codebooks_(codebooks),
        transposed_(transposed),
        tables_(tables),
        beam_(beam_size),
        sparsity_(sparsity),
        padded_size_(transposed.padded_size()) {
    for (AlignedVector<T>* scores : {&first_scores_, &second_scores_, &grown_}) scores->resize(at(padded_size_));
    for (AlignedVector<std::uint8_t>* bytes : {&coarse_, &rooms_, &open_}) bytes->resize(at(padded_size_));
    open_rows_.resize(at(padded_size_));
    for (AlignedVector<T>* vector : {&moved_, &weighted_, &slope_}) vector->resize(at(codebooks.codeword_size()));
  }

  [[nodiscard]] bool uses_table() const noexcept { return codebooks_.size() <= largest_table; }

  /// Offers every change that can enter `candidates`. `pair` is used for pairs, if uses_table().
  void scan(const MoveStart<T>& from, const Move& move, const PairTable<T>& pair, CandidateList& candidates) {
    const Index g = codebooks_.scheme().in_group_size, depth = codebooks_.codeword_size();
    const T* c1 = codebooks_.codeword(move.first, code(from, move.first));
    const T* c2 = move.is_pair() ? codebooks_.codeword(move.second, code(from, move.second)) : nullptr;
    for (Index d = 0; d < depth; ++d) moved_[at(d)] = from.scale * (c2 ? c1[d] + c2[d] : c1[d]);
    tables_.multiply(moved_.data(), weighted_.data());
    double base = from.loss;
    for (Index d = 0; d < depth; ++d) {
      const T here = from.product[d / g * from.product_stride + d % g];
      base += static_cast<double>(moved_[at(d)]) * (2 * static_cast<double>(here) + static_cast<double>(weighted_[at(d)]));
      slope_[at(d)] = T(-2) * (here + weighted_[at(d)]) / from.scale;
    }
    const double unit = static_cast<double>(from.scale) * static_cast<double>(from.scale);
    const Scoring scoring{base + sparsity_ * zeros_moved(from, move), unit, 1 / unit, static_cast<T>(sparsity_ / unit)};
    score_codebook(move.first, scoring, first_scores_);
    if (!move.is_pair()) return take_single(from, move, scoring, candidates);
    score_codebook(move.second, scoring, second_scores_);
    if (uses_table())
      take_pairs(from, move, pair, scoring, candidates);
    else
      grow_pairs(from, move, scoring, candidates);
  }

 private:
  /// loss(k) = base + unit * score(k): scores are in units of the squared scale.
  struct Scoring {
    double base;
    double unit, per_unit;
    T zero_reward;
    [[nodiscard]] double loss(T score) const noexcept { return base + unit * static_cast<double>(score); }
    /// A score that no candidate below `limit` exceeds, rounding included.
    [[nodiscard]] T bound(double limit) const noexcept {
      const double score = (limit - base) * per_unit;
      return static_cast<T>(score + 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                                        (std::abs(score) + std::abs(base) * per_unit));
    }
  };

  [[nodiscard]] static Index code(const MoveStart<T>& from, int codebook) noexcept { return (*from.codes)[at(codebook)]; }
  [[nodiscard]] static int zeros_moved(const MoveStart<T>& from, const Move& move) noexcept {
    return (code(from, move.first) == 0) + (move.is_pair() && code(from, move.second) == 0);
  }

  void score_codebook(Index m, const Scoring& scoring, AlignedVector<T>& scores) {
    accumulate_scores(tables_.energy(m), transposed_.codebook(m), slope_.data(), codebooks_.codeword_size(), padded_size_,
                      scores.data());
    scores[0] -= scoring.zero_reward;
  }

  static void propose(const MoveStart<T>& from, const Move& move, Index k1, Index k2, double loss, CandidateList& candidates) {
    Candidate candidate{loss, from.index, from.origin, true, *from.codes};
    candidate.codes[at(move.first)] = static_cast<std::uint16_t>(k1);
    if (move.is_pair()) candidate.codes[at(move.second)] = static_cast<std::uint16_t>(k2);
    if (candidate.codes != *from.codes) candidates.insert(candidate);
  }

  void take_single(const MoveStart<T>& from, const Move& move, const Scoring& scoring, CandidateList& candidates) {
    for (Index k = 0;; ++k) {
      k = find_at_most(first_scores_.data(), scoring.bound(candidates.limit()), k, padded_size_);
      if (k >= codebooks_.size()) return;
      propose(from, move, k, 0, scoring.loss(first_scores_[at(k)]), candidates);
    }
  }

  /// Exactly the best pairs: every pair not proven above the limit by the coarse table is evaluated.
  void take_pairs(const MoveStart<T>& from, const Move& move, const PairTable<T>& pair, const Scoring& scoring,
                  CandidateList& candidates) {
    const Index old1 = code(from, move.first);
    // The current first code and all its partners: they make the limit tight before the scan begins.
    take_row(from, move, pair, scoring, old1, candidates);
    const T least = extremes(second_scores_.data(), codebooks_.size()).least;
    const T per_step = 1 / pair.step;
    quantize_down(second_scores_.data(), least, per_step, padded_size_, coarse_.data());
    // Steps that a sum of coarse entries may reach. A twentieth covers the rounding of both tables.
    const T start = scoring.bound(candidates.limit()) - least;
    measure_room(first_scores_.data(), pair.row_min.data(), start, per_step, T(0.05), padded_size_, rooms_.data(), open_.data());
    open_[at(old1)] = 0;
    const Index count = list_open_rows(open_.data(), padded_size_, open_rows_.data());
    for (Index i = 0;; ++i) {
      i = next_promising(pair.coarse.data(), coarse_.data(), padded_size_, rooms_.data(), open_rows_.data(), i, count);
      if (i == count) return;
      take_row(from, move, pair, scoring, open_rows_[at(i)], candidates);
    }
  }

  void take_row(const MoveStart<T>& from, const Move& move, const PairTable<T>& pair, const Scoring& scoring, Index k1,
                CandidateList& candidates) {
    const T* cross = pair.cross.data() + k1 * padded_size_;
    const T first = first_scores_[at(k1)];
    for (Index k2 = 0;; ++k2) {
      k2 = find_sum_at_most(cross, second_scores_.data(), scoring.bound(candidates.limit()) - first, k2, padded_size_);
      if (k2 >= codebooks_.size()) return;
      propose(from, move, k1, k2, scoring.loss(first + (cross[k2] + second_scores_[at(k2)])), candidates);
    }
  }

  /// For codebooks too large for a table of pairs: the most promising first codes, each with its exact
  /// best second codes.
  void grow_pairs(const MoveStart<T>& from, const Move& move, const Scoring& scoring, CandidateList& candidates) {
    const Index size = codebooks_.size();
    const Index width = std::min<Index>(size, std::max<Index>(16, 4 * beam_));
    std::vector<Index> firsts(at(size));
    std::iota(firsts.begin(), firsts.end(), Index{0});
    std::partial_sort(firsts.begin(), firsts.begin() + width, firsts.end(), [&](Index a, Index b) {
      return first_scores_[at(a)] != first_scores_[at(b)] ? first_scores_[at(a)] < first_scores_[at(b)] : a < b;
    });
    firsts.resize(at(width));
    firsts.push_back(code(from, move.first));
    for (const Index k1 : firsts) {
      tables_.multiply(codebooks_.codeword(move.first, k1), weighted_.data());
      for (T& w : weighted_) w *= 2;
      accumulate_scores(second_scores_.data(), transposed_.codebook(move.second), weighted_.data(), codebooks_.codeword_size(),
                        padded_size_, grown_.data());
      const T first = first_scores_[at(k1)];
      for (Index k2 = 0;; ++k2) {
        k2 = find_at_most(grown_.data(), scoring.bound(candidates.limit()) - first, k2, padded_size_);
        if (k2 >= size) break;
        propose(from, move, k1, k2, scoring.loss(first + grown_[at(k2)]), candidates);
      }
    }
  }

  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const AdditiveCodebook<T>& codebooks_;
  const TransposedCodebooks<T>& transposed_;
  const ColumnTables<T>& tables_;
  const Index beam_;
  const double sparsity_;
  const Index padded_size_;
  AlignedVector<T> first_scores_, second_scores_, grown_;  // [padded K]
  AlignedVector<std::uint8_t> coarse_, rooms_, open_;      // [padded K]
  AlignedVector<std::uint16_t> open_rows_;                 // [padded K]
  AlignedVector<T> moved_, weighted_, slope_;              // [D]
};

}  // namespace basin::detail
