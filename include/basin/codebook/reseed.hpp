#pragma once

#include <basin/codebook/cluster_statistics.hpp>
#include <basin/codebook/nearest_table.hpp>
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
/// What becomes of a codeword that no vector chose.
enum class EmptyClusters {
  keep,   ///< it stays where it is and may win vectors later
  reseed  ///< it moves to the vector that is served worst
};

/// w_n d_n, the share of every vector in F. Shapes and weights as in cluster_statistics(). Cost N D g.
template <std::floating_point T>
[[nodiscard]] std::vector<double> clustering_distances(ConstMatrixRef<T> vectors, const Matrix<T>& codewords,
                                                       std::span<const Codes::value_type> codes,
                                                       const HessianBlocks& blocks,
                                                       const Vector<double>& row_weights,
                                                       const RunContext& context = {}) {
  const Index g = blocks.group_size(), in_groups = blocks.num_groups(), dim = vectors.cols();
  std::vector<double> distances(codes.size());
  for_each_range(context, vectors.rows(), 8192, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const auto slot = static_cast<std::size_t>(n);
      const double weight = row_weights.size() == 0 ? 1.0 : row_weights(n / in_groups);
      distances[slot] = weight * detail::block_distance(vectors.data() + n * vectors.outerStride(),
                                                        codewords.data() + codes[slot] * dim,
                                                        blocks.block(n % in_groups).data(), g, dim / g);
    }
  });
  return distances;
}

/// F = sum_n w_n d_n.
template <std::floating_point T>
[[nodiscard]] double clustering_objective(ConstMatrixRef<T> vectors, const Matrix<T>& codewords,
                                          std::span<const Codes::value_type> codes, const HessianBlocks& blocks,
                                          const Vector<double>& row_weights, const RunContext& context = {}) {
  double sum = 0;
  for (const double distance : clustering_distances<T>(vectors, codewords, codes, blocks, row_weights, context))
    sum += distance;
  return sum;
}

/// Moves every empty codeword (smallest first) to the vector with the largest share of F (the first on
/// ties) and gives it that vector. Vectors alone in their cluster stay, equal vectors are used once.
///
/// Cost      N D g, and a heap of N.
/// Accuracy  F falls by the shares of the moved vectors: it never rises.
/// @return how many codewords moved; fewer than were empty only where no vector is off its codeword.
template <std::floating_point T>
Index reseed_empty(ConstMatrixRef<T> vectors, const HessianBlocks& blocks, const Vector<double>& row_weights,
                   Matrix<T>& codewords, std::span<Codes::value_type> codes, const RunContext& context = {}) {
  std::vector<Index> count(static_cast<std::size_t>(codewords.rows()));
  for (const auto code : codes) ++count[code];
  if (std::find(count.begin(), count.end(), 0) == count.end()) return 0;

  using Entry = std::pair<double, Index>;
  const std::vector<double> distances =
      clustering_distances<T>(vectors, codewords, codes, blocks, row_weights, context);
  std::vector<Entry> heap;
  for (std::size_t n = 0; n < distances.size(); ++n)
    if (distances[n] > 0) heap.emplace_back(distances[n], -static_cast<Index>(n));
  std::make_heap(heap.begin(), heap.end());

  std::vector<Index> used;
  for (Index k = 0; k < codewords.rows(); ++k) {
    if (count[static_cast<std::size_t>(k)] != 0) continue;
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Index n = -heap.back().second;
      heap.pop_back();
      auto& code = codes[static_cast<std::size_t>(n)];
      const bool is_copy = std::any_of(used.begin(), used.end(), [&](Index other) {
        return vectors.row(other) == vectors.row(n);
      });
      if (count[code] < 2 || is_copy) continue;
      --count[code];
      code = static_cast<Codes::value_type>(k);
      ++count[code];
      codewords.row(k) = vectors.row(n);
      used.push_back(n);
      break;
    }
    if (heap.empty()) break;
  }
  return static_cast<Index>(used.size());
}

}  // namespace basin
