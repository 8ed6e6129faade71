#pragma once

#include <basin/core/types.hpp>

#include <cmath>

#include "support/random.hpp"

namespace basin::test {
/// The 8 x 16 layer behind the golden values: groups of 4, 2 codebooks of 4 codewords.
struct F7 {
  static constexpr Index n_out = 8, n_in = 16, tokens = 32;
  static constexpr Index in_group_size = 4, num_codebooks = 2, codebook_size = 4, num_groups = 4;

  Matrix<double> weight;   ///< W, [8, 16]
  Matrix<double> inputs;   ///< X, [32, 16]
  Matrix<double> hessian;  ///< X^T X / 32, [16, 16]

  F7() {
    Rng rng(7);
    weight = normal_matrix<double>(n_out, n_in, rng);
    inputs = normal_matrix<double>(tokens, n_in, rng);
    for (Index j = 0; j < n_in; ++j) inputs.col(j) *= 1 + 0.25 * static_cast<double>(j);
    for (Index j = 1; j < n_in; ++j) inputs.col(j) += 0.5 * inputs.col(j - 1);
    hessian = inputs.transpose() * inputs / static_cast<double>(tokens);
  }
};

/// A weight and the Hessian of its inputs.
struct SyntheticLayer {
  Matrix<double> weight;   ///< [n_out, n_in], standard normal
  Matrix<double> hessian;  ///< [n_in, n_in]
};

/// A layer whose inputs are correlated and whose channels differ strongly in scale, as behind the
/// nonlinearity of a language model: what sets output-aware methods apart from Euclidean ones.
[[nodiscard]] inline SyntheticLayer synthetic_layer(Index n_out, Index n_in, Rng& rng) {
  const Index tokens = 8 * n_in;
  SyntheticLayer layer;
  layer.weight = normal_matrix<double>(n_out, n_in, rng);
  const Matrix<double> sources = normal_matrix<double>(tokens, n_in, rng);
  Matrix<double> mixing = normal_matrix<double>(n_in, n_in, rng) / std::sqrt(static_cast<double>(n_in));
  mixing += Matrix<double>::Identity(n_in, n_in);
  Matrix<double> inputs = sources * mixing;
  for (Index j = 0; j < n_in; ++j) inputs.col(j) *= std::exp(rng.normal());
  layer.hessian = inputs.transpose() * inputs / static_cast<double>(tokens);
  layer.hessian = (0.5 * (layer.hessian + layer.hessian.transpose())).eval();
  return layer;
}

}  // namespace basin::test
