#pragma once

#include <basin/codebook/weighted_em.hpp>
#include <basin/core/error.hpp>
#include <basin/init/concepts.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/residual_codebooks.hpp>

#include <concepts>
#include <cstdint>

namespace basin {
/// Output-aware EM: residual k-means, each codebook refined under the metric of its inputs before the
/// next one sees what it leaves.
///
///     R = W / s;   for m: (C[m], z[m]) = k-means(R);
///                  `rounds` times: C[m] = argmin_C F(C, z[m]),  z[m] = argmin_z F(C[m], z);
///                  R -= C[m][z[m]]
///     `sweeps` times, for m: the same with `sweep_rounds` on R = W / s less all codebooks but m
///     F(C, z) = sum_oj d_j(R[o, j], C[z[o, j]])
///
/// Shapes    any scheme; J blocks [g, g] from a MetricPolicy, which also decides the damping.
/// Units     codewords are in normalised weights; F in squared output error per token of W / s.
/// Cost      k-means plus (rounds + sweeps * sweep_rounds) * M * N K D multiply-adds.
/// Accuracy  with MStep::exact F never rises. rounds = 0, or blocks that are all zero, give the result
///           of `kmeans` bit for bit.
/// Source    OA-EM, arXiv:2604.08118, there with 3 rounds of MStep::adam on DiagonalBlocks after 100
///           iterations of k-means. Ours: the exact M-step, time moved from k-means to rounds, sweeps.
struct OaEm {
  Index rounds = 20;
  MStep m_step = MStep::exact;
  AdamSteps adam{};
  /// Weigh row o by s[o]^2, its share in the output error; the paper does not.
  bool row_weighting = false;
  EmptyClusters empty = EmptyClusters::keep;
  /// How often every codebook is refined again for what all others leave, once the last one is there;
  /// the paper does not. Nothing where rounds = 0 or the scheme has one codebook.
  Index sweeps = 0;
  Index sweep_rounds = 5;
  /// The start. Iterations here matter less than rounds, which see the inputs.
  Greedy kmeans{.max_iterations = 20};

  /// @throws ShapeError if g_out does not divide n_out or the blocks are not J of [g, g].
  template <std::floating_point T>
  [[nodiscard]] AdditiveWeight<T> initialize(const LayerObjective<T>& layer, const HessianBlocks& blocks,
                                             const Scheme& scheme, std::uint64_t seed,
                                             const RunContext& context) const {
    const Index in_groups = scheme.num_in_groups(layer.n_in());
    if (blocks.group_size() != scheme.in_group_size || blocks.num_groups() != in_groups)
      raise<ShapeError>("OaEm: needs ", in_groups, " metric blocks of ", scheme.in_group_size, " inputs, got ",
                        blocks.num_groups(), " of ", blocks.group_size());
    double trace = 0;
    for (Index j = 0; j < in_groups; ++j) trace += blocks.block(j).trace();
    const WeightedEm em{.max_rounds = trace > 0 ? rounds : 0, .m_step = m_step, .adam = adam, .empty = empty};
    const auto refine = [&](const WeightedEm& steps, const Matrix<T>& residual, const Vector<T>& scales,
                            Clustering<T>& clustering) {
      Vector<double> weights;
      if (row_weighting) weights = scales.template cast<double>().cwiseAbs2();
      steps.refine<T>(residual, blocks, weights, clustering, context);
    };
    AdditiveWeight<T> weight = residual_codebooks<T>(
        layer, scheme,
        [&](Index m, const Matrix<T>& residual, const Vector<T>& scales) {
          Clustering<T> clustering = kmeans.cluster(layer, scheme, m, residual, seed, context);
          refine(em, residual, scales, clustering);
          return clustering;
        },
        context);
    if (sweeps > 0 && em.max_rounds > 0 && scheme.num_codebooks > 1) {
      WeightedEm again = em;
      again.max_rounds = sweep_rounds;
      revisit_codebooks<T>(
          layer, weight, sweeps,
          [&](const Matrix<T>& residual, Clustering<T>& clustering) { refine(again, residual, weight.scales, clustering); },
          context);
    }
    return weight;
  }
};
static_assert(Initializer<OaEm, float> && Initializer<OaEm, double>);

}  // namespace basin
