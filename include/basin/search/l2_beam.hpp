#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/candidates.hpp>
#include <basin/search/detail/column_tables.hpp>
#include <basin/search/detail/run_beam.hpp>
#include <basin/search/detail/scan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace basin {
namespace detail {
/// Beam search over the codes of one weight group at a time, under the Euclidean norm of its real inputs.
template <class T>
class L2GroupSearch {
 public:
  L2GroupSearch(const AdditiveWeight<T>& weight, const TransposedCodebooks<T>& transposed, int beam_size)
      : weight_(weight),
        transposed_(transposed),
        beam_size_(beam_size),
        g_(weight.scheme().in_group_size),
        depth_(weight.codebooks.codeword_size()),
        target_(at(depth_)),
        slope_(at(depth_)),
        counts_(at(depth_), T(1)),
        energy_(at(weight.codebooks.num_codebooks() * transposed.padded_size())),
        scores_(at(transposed.padded_size())) {
    measure_codewords(g_);
  }

  /// Better codes for group (o, j) of W, or those it has; sizes as LayerObjective::weight().
  [[nodiscard]] CodeTuple search(const Matrix<T>& reference, Index o, Index j) {
    const Index g_out = weight_.scheme().out_group_size;
    const Index real = std::min(g_, weight_.n_in - j * g_);
    if (real != real_) measure_codewords(real);
    for (Index p = 0; p < g_out; ++p)
      for (Index i = 0; i < g_; ++i)
        target_[at(p * g_ + i)] = i < real ? reference(o * g_out + p, j * g_ + i) / weight_.scales(o) : T(0);

    CodeTuple stored{};
    const auto tuple = weight_.codes.tuple(o, j);
    std::copy(tuple.begin(), tuple.end(), stored.begin());
    const double start = loss(stored);
    hypotheses_.assign(1, stored);
    for (Index m = 0; m < weight_.codes.num_codebooks(); ++m) choose(m);
    // The scores are rounded; the decision to move is not.
    return loss(hypotheses_[0]) < start ? hypotheses_[0] : stored;
  }

 private:
  void measure_codewords(Index real) {
    real_ = real;
    for (Index d = 0; d < depth_; ++d) counts_[at(d)] = d % g_ < real ? T(1) : T(0);
    std::fill(energy_.begin(), energy_.end(), std::numeric_limits<T>::infinity());
    for (Index m = 0; m < weight_.codebooks.num_codebooks(); ++m)
      for (Index k = 0; k < weight_.codebooks.size(); ++k) {
        const T* codeword = weight_.codebooks.codeword(m, k);
        T sum = 0;
        for (Index d = 0; d < depth_; ++d) sum += counts_[at(d)] * codeword[d] * codeword[d];
        energy_[at(m * transposed_.padded_size() + k)] = sum;
      }
  }

  /// What a tuple without codebook `without` leaves of coordinate d of the target.
  [[nodiscard]] double residual(const CodeTuple& codes, Index without, Index d) const noexcept {
    double left = static_cast<double>(target_[at(d)]);
    for (Index m = 0; m < weight_.codes.num_codebooks(); ++m)
      if (m != without) left -= static_cast<double>(weight_.codebooks.codeword(m, codes[at(m)])[d]);
    return counts_[at(d)] != T(0) ? left : 0.0;
  }
  [[nodiscard]] double loss(const CodeTuple& codes) const noexcept {
    double sum = 0;
    for (Index d = 0; d < depth_; ++d) sum += residual(codes, -1, d) * residual(codes, -1, d);
    return sum;
  }

  void choose(Index m) {
    const bool is_last = m + 1 == weight_.codes.num_codebooks();
    CandidateList candidates(is_last ? 1 : beam_size_);
    for (std::size_t h = 0; h < hypotheses_.size(); ++h) {
      const CodeTuple& codes = hypotheses_[h];
      double base = 0;
      for (Index d = 0; d < depth_; ++d) {
        const double left = residual(codes, m, d);
        base += left * left;
        slope_[at(d)] = static_cast<T>(-2 * left);
      }
      accumulate_scores(energy_.data() + m * transposed_.padded_size(), transposed_.codebook(m), slope_.data(), depth_,
                        transposed_.padded_size(), scores_.data());
      // The highest score that may still enter, rounding included.
      const auto bound = [&] {
        const double score = candidates.limit() - base;
        return static_cast<T>(score + 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * (std::abs(score) + base));
      };
      for (Index k = 0;; ++k) {
        k = find_at_most(scores_.data(), bound(), k, transposed_.padded_size());
        if (k >= weight_.codebooks.size()) break;
        // The present code is scored like the others, so that equal codewords tie exactly.
        Candidate candidate{base + static_cast<double>(scores_[at(k)]), static_cast<int>(h), 0, k != codes[at(m)], codes};
        candidate.codes[at(m)] = static_cast<Codes::value_type>(k);
        candidates.insert(candidate);
      }
    }
    hypotheses_.clear();
    for (std::size_t n = 0; n < candidates.size(); ++n) hypotheses_.push_back(candidates[n].codes);
  }

  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const AdditiveWeight<T>& weight_;
  const TransposedCodebooks<T>& transposed_;
  int beam_size_;
  Index g_, depth_, real_ = 0;
  AlignedVector<T> target_, slope_, counts_;  // [D]; counts: 1 for a real input, 0 for a padded one
  AlignedVector<T> energy_;                   // [M, padded K], infinite past K
  AlignedVector<T> scores_;                   // [padded K]
  std::vector<CodeTuple> hypotheses_;
};
}  // namespace detail

/// Beam search without a Hessian: every weight group for itself, under the Euclidean norm.
///
///     minimise || w / s - sum_m C[m][z[m]] ||^2 per group, codebook by codebook from the codes at hand
///
/// It lowers || W - What ||^2, not the layer objective tr(dW H dW^T), which may rise. beam_size
/// hypotheses live from codebook to codebook and one is left after the last; beam_size = 1 is a sweep
/// of coordinate descent.
///
/// Shapes    any scheme, any n_in; padded inputs count for nothing. Rows with s = 0 stay.
/// Cost      beam_size * M * K * n_out * n_in multiply-adds.
/// Accuracy  no group's distance rises: the old and new codes are compared in double.
/// Ties      lower loss, then the codes already there, then the earlier parent, then smaller codes.
/// Errors    as BeamSearch.
/// Source    the search without inputs of AQLM and PV-tuning, arXiv:2405.14852.
struct L2Beam {
  int beam_size = 4;

  /// Visits groups in no order that matters: seed and pass are not looked at.
  template <class T>
  void search(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    detail::check_beam(beam_size, weight.scheme());
    context.check_stop();
    const detail::TransposedCodebooks<T> transposed(weight.codebooks);
    for_each_range(context, weight.num_out_groups(), 16, [&](Index begin, Index end) {
      if (context.stop.stop_requested()) return;
      detail::L2GroupSearch<T> group(weight, transposed, beam_size);
      for (Index o = begin; o < end; ++o) {
        if (weight.scales(o) == T(0)) continue;
        for (Index j = 0; j < weight.num_in_groups(); ++j) {
          const detail::CodeTuple codes = group.search(layer.weight(), o, j);
          std::copy_n(codes.begin(), weight.codes.num_codebooks(), weight.codes.row(o) + j * weight.codes.num_codebooks());
        }
      }
    });
    context.check_stop();
  }
};
static_assert(Searcher<L2Beam>);

}  // namespace basin
