#pragma once

#include <basin/codebook/k_means.hpp>
#include <basin/core/random.hpp>
#include <basin/init/concepts.hpp>
#include <basin/init/residual_codebooks.hpp>
#include <basin/metric/euclidean_blocks.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

namespace basin {
/// Residual k-means on normalised weights: the classic start of additive quantization, blind to inputs.
///
///     R = W / s;   for m: C[m] = k-means(R), z[m] = nearest, R -= C[m][z[m]]
///
/// Shapes    any scheme; O * J groups are clustered, padded inputs count for nothing.
/// Units     codewords are in normalised weights, about 1 / sqrt(g_out n_in).
/// Cost      max_iterations * M * N K D multiply-adds in T at most.
/// Accuracy  deterministic in the seed, whatever the executor.
/// Source    AQLM, arXiv:2401.06118.
struct Greedy {
  Index max_iterations = 100;
  /// Train on this many groups per codeword, drawn at random; none trains on all.
  std::optional<Index> max_points_per_centroid{};
  KMeansStart start = KMeansStart::random_vectors;

  /// The blocks are not looked at. @throws ShapeError if g_out does not divide n_out.
  template <std::floating_point T>
  [[nodiscard]] AdditiveWeight<T> initialize(const LayerObjective<T>& layer, const HessianBlocks&,
                                             const Scheme& scheme, std::uint64_t seed,
                                             const RunContext& context) const {
    return residual_codebooks<T>(
        layer, scheme,
        [&](Index m, const Matrix<T>& residual, const Vector<T>&) {
          return cluster(layer, scheme, m, residual, seed, context);
        },
        context);
  }

  /// k-means of the residual that codebook m is for.
  template <std::floating_point T>
  [[nodiscard]] Clustering<T> cluster(const LayerObjective<T>& layer, const Scheme& scheme, Index m,
                                      const Matrix<T>& residual, std::uint64_t seed,
                                      const RunContext& context) const {
    const Index g = scheme.in_group_size;
    // Without padding one block serves all groups, and one table all vectors.
    const Index inputs = layer.padded_in() == layer.n_in() ? g : layer.n_in();
    const KMeans k_means{max_iterations, max_points_per_centroid, start};
    return k_means.cluster<T>(residual, EuclideanBlocks::identity(inputs, g), scheme.codebook_size(),
                              keyed_random(seed, {static_cast<std::uint64_t>(m)}), context);
  }
};
static_assert(Initializer<Greedy, float> && Initializer<Greedy, double>);

}  // namespace basin
