#pragma once

#include <basin/core/types.hpp>

#include "support/random.hpp"

namespace basin::test {
/// The 8 x 16 layer behind the golden values: groups of 4, 2 codebooks of 4 codewords.
struct F7 {
  static constexpr Index n_out = 8, n_in = 16, tokens = 32;
  static constexpr Index in_group_size = 4, num_codebooks = 2, codebook_size = 4, num_groups = 4;

  Matrix<double> weight;   ///< W, [8, 16]
  Matrix<double> inputs;   ///< X, [32, 16]
  Matrix<double> hessian;  ///< X^T X / 32, [16, 16]

  F7();
};

/// A weight and the Hessian of its inputs.
struct SyntheticLayer {
  Matrix<double> weight;   ///< [n_out, n_in], standard normal
  Matrix<double> hessian;  ///< [n_in, n_in]
};

/// A layer whose inputs are correlated and whose channels differ strongly in scale, as behind the
/// nonlinearity of a language model: what sets output-aware methods apart from Euclidean ones.
[[nodiscard]] SyntheticLayer synthetic_layer(Index n_out, Index n_in, Rng& rng);

}  // namespace basin::test
