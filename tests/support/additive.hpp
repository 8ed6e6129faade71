#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/metric/layer_objective.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <vector>

#include "support/fixture.hpp"
#include "support/random.hpp"

namespace basin::test {
inline constexpr Scheme f7_scheme{.num_codebooks = F7::num_codebooks, .bits_per_code = 2, .in_group_size = F7::in_group_size};

/// Where the golden values of search begin: OA-EM, exact, 3 rounds, on damped diagonal blocks.
[[nodiscard]] AdditiveWeight<double> f7_start(const LayerObjective<double>& layer);

/// X^T X / tokens of correlated inputs; singular where tokens < n_in.
[[nodiscard]] Matrix<double> gram_matrix(Index n_in, Index tokens, Rng& rng);

/// A layer of normal weights whose inputs are correlated.
template <std::floating_point T>
[[nodiscard]] LayerObjective<T> random_layer(Index n_out, Index n_in, Index g, Rng& rng) {
  const Matrix<T> weight = normal_matrix<T>(n_out, n_in, rng);
  return LayerObjective<T>(weight, gram_matrix(n_in, 4 * n_in, rng), g);
}

/// Codebooks, codes and scales drawn at random, of the size of normal weights.
template <std::floating_point T>
[[nodiscard]] AdditiveWeight<T> random_weight(Index n_out, Index n_in, const Scheme& scheme, Rng& rng) {
  AdditiveWeight<T> weight{.n_out = n_out,
                           .n_in = n_in,
                           .codebooks = AdditiveCodebook<T>(scheme),
                           .codes = Codes(n_out / scheme.out_group_size, scheme.num_in_groups(n_in), scheme.num_codebooks),
                           .scales = Vector<T>(n_out / scheme.out_group_size)};
  Matrix<T>& values = weight.codebooks.values();
  values = normal_matrix<T>(values.rows(), values.cols(), rng) / static_cast<T>(std::sqrt(double(scheme.num_codebooks)));
  for (auto& code : weight.codes.values()) code = static_cast<Codes::value_type>(rng.below(scheme.codebook_size()));
  for (Index o = 0; o < weight.scales.size(); ++o) weight.scales(o) = static_cast<T>(0.5 + rng.uniform());
  return weight;
}

/// Loss of every output group.
template <std::floating_point T>
[[nodiscard]] Vector<double> group_losses(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight) {
  const Vector<double> rows = layer.row_losses(weight.decode());
  const Index g_out = weight.scheme().out_group_size;
  Vector<double> groups(weight.num_out_groups());
  for (Index o = 0; o < groups.size(); ++o) groups(o) = rows.segment(o * g_out, g_out).sum();
  return groups;
}
template <std::floating_point T>
[[nodiscard]] double total_loss(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight) {
  return layer.loss(weight.decode());
}

/// Output groups [first, first + count) of a weight, and of its layer.
template <std::floating_point T>
[[nodiscard]] AdditiveWeight<T> some_groups(const AdditiveWeight<T>& weight, Index first, Index count) {
  AdditiveWeight<T> part = weight;
  part.n_out = count * weight.scheme().out_group_size;
  part.codes = Codes(count, weight.num_in_groups(), weight.codes.num_codebooks());
  std::copy_n(weight.codes.row(first), part.codes.values().size(), part.codes.values().begin());
  part.scales = weight.scales.segment(first, count);
  return part;
}
template <std::floating_point T>
[[nodiscard]] LayerObjective<T> some_groups(const LayerObjective<T>& layer, const Scheme& scheme, Index first, Index count) {
  const Index n = layer.n_in();
  const Matrix<T> weight =
      layer.weight().block(first * scheme.out_group_size, 0, count * scheme.out_group_size, n);
  return LayerObjective<T>(weight, layer.hessian().topLeftCorner(n, n), scheme.in_group_size);
}

template <std::floating_point T>
[[nodiscard]] LayerObjective<T> some_groups(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight, Index first,
                                            Index count) {
  return some_groups(layer, weight.scheme(), first, count);
}

template <std::floating_point T>
[[nodiscard]] Index in_group_size(const AdditiveWeight<T>& weight) {
  return weight.scheme().in_group_size;
}
template <std::floating_point T>
[[nodiscard]] Index num_values(const AdditiveWeight<T>& weight) {
  return weight.scheme().codebook_size();
}
template <std::floating_point T>
[[nodiscard]] Index largest_code(const AdditiveWeight<T>& weight) {
  const auto codes = weight.codes.values();
  return *std::max_element(codes.begin(), codes.end());
}
template <std::floating_point T>
[[nodiscard]] bool same_but_codes(const AdditiveWeight<T>& a, const AdditiveWeight<T>& b) {
  return a.codebooks.values() == b.codebooks.values() && a.scales == b.scales;
}
/// Weights like this one that belong to other layers.
template <std::floating_point T>
[[nodiscard]] std::vector<AdditiveWeight<T>> foreign_weights(const AdditiveWeight<T>& weight) {
  std::vector<AdditiveWeight<T>> foreign(4, weight);
  const Codes& codes = weight.codes;
  foreign[0].n_out += weight.scheme().out_group_size;
  foreign[1].scales.conservativeResize(weight.scales.size() + 1);
  foreign[2].codes = Codes(codes.num_out_groups(), codes.num_in_groups() + 1, codes.num_codebooks());
  foreign[3].codes = Codes(codes.num_out_groups(), codes.num_in_groups(), codes.num_codebooks() + 1);
  return foreign;
}

[[nodiscard]] inline Index changed_codes(const Codes& a, const Codes& b) {
  Index changed = 0;
  for (std::size_t i = 0; i < a.values().size(); ++i) changed += a.values()[i] != b.values()[i];
  return changed;
}

}  // namespace basin::test
