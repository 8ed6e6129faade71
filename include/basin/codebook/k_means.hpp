#pragma once

#include <basin/codebook/assign.hpp>
#include <basin/codebook/weighted_em.hpp>
#include <basin/core/random.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace basin {
/// Where k-means puts its first codewords.
enum class KMeansStart {
  random_vectors,  ///< on distinct vectors drawn at random
  first_vectors    ///< on the first K vectors: reproducible across implementations
};

/// Lloyd's k-means from a random start.
///
/// Shapes    vectors: [N, D];  blocks: identities, one for all vectors or one per input group (then
///           padded inputs count for nothing);  result: K codewords and N codes.
/// Cost      N K D multiply-adds an iteration.
/// Accuracy  exact assignments, means summed in double. Where N < K the last K - N codewords are zero.
/// Source    AQLM, arXiv:2401.06118, its iteration count and its convergence test.
struct KMeans {
  Index max_iterations = 100;
  /// Train on this many vectors per codeword, drawn in whole rows; all vectors get codes.
  std::optional<Index> max_points_per_centroid{};
  KMeansStart start = KMeansStart::random_vectors;

  template <std::floating_point T>
  [[nodiscard]] Clustering<T> cluster(ConstMatrixRef<T> vectors, const HessianBlocks& blocks, Index size,
                                      SplitMix64 random, const RunContext& context = {}) const {
    Clustering<T> all{Matrix<T>::Zero(size, vectors.cols()),
                      std::vector<Codes::value_type>(static_cast<std::size_t>(vectors.rows()))};
    place_codewords<T>(vectors, random, all.codewords);
    const Index in_groups = blocks.num_groups();
    const Index out_groups = vectors.rows() / in_groups;
    const Index wanted =
        max_points_per_centroid ? (*max_points_per_centroid * size + in_groups - 1) / in_groups : out_groups;
    const WeightedEm lloyd{.max_rounds = max_iterations, .movement_check_interval = 10};
    if (wanted >= out_groups) {
      assign<T>(vectors, all.codewords, blocks, all.codes, context);
      lloyd.refine<T>(vectors, blocks, {}, all, context);
      return all;
    }
    std::vector<Index> rows = distinct_indices(out_groups, std::max<Index>(1, wanted), random);
    std::sort(rows.begin(), rows.end());
    Matrix<T> sample(static_cast<Index>(rows.size()) * in_groups, vectors.cols());
    for (std::size_t i = 0; i < rows.size(); ++i)
      sample.middleRows(static_cast<Index>(i) * in_groups, in_groups) =
          vectors.middleRows(rows[i] * in_groups, in_groups);
    Clustering<T> trained{all.codewords,
                          std::vector<Codes::value_type>(static_cast<std::size_t>(sample.rows()))};
    assign<T>(sample, trained.codewords, blocks, trained.codes, context);
    lloyd.refine<T>(sample, blocks, {}, trained, context);
    all.codewords = std::move(trained.codewords);
    assign<T>(vectors, all.codewords, blocks, all.codes, context);
    return all;
  }

  /// `count` of the numbers 0 .. n - 1, each at most once, in random order.
  [[nodiscard]] static std::vector<Index> distinct_indices(Index n, Index count, SplitMix64& random) {
    std::vector<Index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), Index{0});
    count = std::min(n, count);
    for (Index i = 0; i < count; ++i) {
      const Index other = i + static_cast<Index>(random.below(static_cast<std::uint64_t>(n - i)));
      std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(other)]);
    }
    order.resize(static_cast<std::size_t>(count));
    return order;
  }

 private:
  template <std::floating_point T>
  void place_codewords(ConstMatrixRef<T> vectors, SplitMix64& random, Matrix<T>& codewords) const {
    if (start == KMeansStart::first_vectors) {
      const Index count = std::min(codewords.rows(), vectors.rows());
      codewords.topRows(count) = vectors.topRows(count);
      return;
    }
    const std::vector<Index> chosen = distinct_indices(vectors.rows(), codewords.rows(), random);
    for (std::size_t k = 0; k < chosen.size(); ++k)
      codewords.row(static_cast<Index>(k)) = vectors.row(chosen[k]);
  }
};

}  // namespace basin
