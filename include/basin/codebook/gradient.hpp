#pragma once

#include <basin/codebook/group_sums.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>

namespace basin {
/// Derivatives of a loss in the continuous parameters of an additive weight.
template <std::floating_point T>
struct AdditiveGradient {
  Matrix<double> codewords;  ///< dL/dC, [M * K, D]
  Vector<double> scales;     ///< dL/ds, [O]
};

/// Chain rule from dL/dWhat, which a host may have from any loss.
///
///     dL/dC[m][k] = sum over (o, j) with z[o, j, m] = k of s[o] G[o, j]
///     dL/ds[o]    = sum_j < G[o, j], sum_m C[m][z[o, j, m]] >
///
/// Shapes    gradient G: [n_out, padded_in].
/// Source    AQLM, arXiv:2401.06118.
template <std::floating_point T>
[[nodiscard]] AdditiveGradient<T> chain_rule(const AdditiveWeight<T>& weight, const Matrix<T>& gradient,
                                             const Matrix<T>& unscaled, const RunContext& context = {}) {
  const Index g_out = weight.scheme().out_group_size;
  AdditiveGradient<T> result;
  result.codewords = scatter_groups(weight, gradient, weight.scales.template cast<double>(), context);
  result.scales.resize(weight.num_out_groups());
  for (Index o = 0; o < weight.num_out_groups(); ++o)
    result.scales(o) = gradient.middleRows(o * g_out, g_out)
                           .template cast<double>()
                           .cwiseProduct(unscaled.middleRows(o * g_out, g_out).template cast<double>())
                           .sum();
  return result;
}

/// The gradient of the layer objective L, G = -2 (W - What) H.
template <std::floating_point T>
[[nodiscard]] AdditiveGradient<T> objective_gradient(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight,
                                                     const RunContext& context = {}) {
  const Index g_out = weight.scheme().out_group_size;
  const Matrix<T> unscaled = gather_codewords(weight, weight.codebooks.values(), context);
  Matrix<T> residual = layer.weight();
  for (Index o = 0; o < weight.num_out_groups(); ++o)
    residual.middleRows(o * g_out, g_out) -= weight.scales(o) * unscaled.middleRows(o * g_out, g_out);
  Matrix<T> gradient = times_hessian(residual, layer.working_hessian(), context);
  gradient *= T(-2);
  return chain_rule(weight, gradient, unscaled, context);
}

}  // namespace basin
