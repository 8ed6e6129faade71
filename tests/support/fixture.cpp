#include "support/fixture.hpp"

#include <cmath>

namespace basin::test {
F7::F7() {
  Rng rng(7);
  weight = normal_matrix<double>(n_out, n_in, rng);
  inputs = normal_matrix<double>(tokens, n_in, rng);
  for (Index j = 0; j < n_in; ++j) inputs.col(j) *= 1 + 0.25 * static_cast<double>(j);
  for (Index j = 1; j < n_in; ++j) inputs.col(j) += 0.5 * inputs.col(j - 1);
  hessian = inputs.transpose() * inputs / static_cast<double>(tokens);
}

SyntheticLayer synthetic_layer(Index n_out, Index n_in, Rng& rng) {
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
