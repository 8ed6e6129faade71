#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/codebook/row_scales.hpp>
#include <basin/codebook/weighted_em.hpp>
#include <basin/core/error.hpp>
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

}  // namespace basin
