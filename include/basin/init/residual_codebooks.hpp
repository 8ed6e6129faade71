#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/codebook/row_scales.hpp>
#include <basin/codebook/weighted_em.hpp>
#include <basin/core/error.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>
#include <cstddef>

namespace basin {
/// Codebooks one after the other, each clustering what the earlier ones leave.
///
///     R = W / s;   for m: (C[m], z[m]) = cluster(m, R);  R -= C[m][z[m]]
///
/// `cluster(m, residual, scales)` returns a Clustering<T> of the residual [O * J, D].
/// Source    AQLM, arXiv:2401.06118.
/// @throws ShapeError if g_out does not divide n_out, or the layer is not padded to groups of g.
template <std::floating_point T, class Cluster>
[[nodiscard]] AdditiveWeight<T> residual_codebooks(const LayerObjective<T>& layer, const Scheme& scheme,
                                                   const Cluster& cluster, const RunContext& context) {
  AdditiveWeight<T> weight{.n_out = layer.n_out(),
                           .n_in = layer.n_in(),
                           .codebooks = AdditiveCodebook<T>(scheme),
                           .codes = {},
                           .scales = row_scales<T>(layer.weight(), scheme.out_group_size)};
  if (layer.padded_in() != scheme.num_in_groups(layer.n_in()) * scheme.in_group_size)
    raise<ShapeError>("the layer is padded to ", layer.padded_in(), " inputs, but groups of ",
                      scheme.in_group_size, " need ", scheme.num_in_groups(layer.n_in()) * scheme.in_group_size);
  const Index in_groups = scheme.num_in_groups(layer.n_in());
  weight.codes = Codes(weight.scales.size(), in_groups, scheme.num_codebooks);
  Matrix<T> residual =
      normalized_groups<T>(layer.weight(), weight.scales, scheme.in_group_size, scheme.out_group_size);
  for (Index m = 0; m < scheme.num_codebooks; ++m) {
    context.check_stop();
    const Clustering<T> found = cluster(m, residual, weight.scales);
    weight.codebooks.codebook(m) = found.codewords;
    for (Index n = 0; n < residual.rows(); ++n) {
      const auto code = found.codes[static_cast<std::size_t>(n)];
      weight.codes(n / in_groups, n % in_groups, m) = code;
      residual.row(n) -= found.codewords.row(code);
    }
    context.report({.stage = "init", .step = m, .fraction = static_cast<double>(m + 1) / scheme.num_codebooks});
  }
  return weight;
}

/// Codebooks once more, each for what all others leave.
///
///     R = W / s - sum_m C[m][z[m]];
///     `sweeps` times, for m: R += C[m][z[m]];  (C[m], z[m]) = refine(C[m], z[m], R);  R -= C[m][z[m]]
///
/// `refine(residual, clustering)` improves a Clustering<T> of the residual [O * J, D].
/// Source    the alternation of iterated conditional modes; in vector quantization it makes residual
///           codebooks additive ones.
template <std::floating_point T, class Refine>
void revisit_codebooks(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, Index sweeps, const Refine& refine,
                       const RunContext& context) {
  const Index in_groups = weight.num_in_groups();
  Matrix<T> residual = normalized_groups<T>(layer.weight(), weight.scales, weight.scheme().in_group_size,
                                            weight.scheme().out_group_size);
  const auto add_codebook = [&](Index m, T sign) {
    for_each_range(context, weight.num_out_groups(), 32, [&](Index begin, Index end) {
      for (Index n = begin * in_groups; n < end * in_groups; ++n)
        residual.row(n) += sign * weight.codebooks.codebook(m).row(weight.codes(n / in_groups, n % in_groups, m));
    });
  };
  for (Index m = 0; m < weight.codes.num_codebooks(); ++m) add_codebook(m, T(-1));
  for (Index sweep = 0; sweep < sweeps; ++sweep)
    for (Index m = 0; m < weight.codes.num_codebooks(); ++m) {
      context.check_stop();
      add_codebook(m, T(1));
      Clustering<T> clustering{weight.codebooks.codebook(m), {}};
      clustering.codes.reserve(static_cast<std::size_t>(residual.rows()));
      for (Index n = 0; n < residual.rows(); ++n)
        clustering.codes.push_back(weight.codes(n / in_groups, n % in_groups, m));
      refine(residual, clustering);
      weight.codebooks.codebook(m) = clustering.codewords;
      for (Index n = 0; n < residual.rows(); ++n)
        weight.codes(n / in_groups, n % in_groups, m) = clustering.codes[static_cast<std::size_t>(n)];
      add_codebook(m, T(-1));
    }
}

}  // namespace basin
