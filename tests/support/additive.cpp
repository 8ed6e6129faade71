#include "support/additive.hpp"

#include <basin/init/oa_em.hpp>
#include <basin/metric/diagonal_blocks.hpp>

namespace basin::test {
AdditiveWeight<double> f7_start(const LayerObjective<double>& layer) {
  const OaEm init{.rounds = 3, .kmeans = {.max_iterations = 0, .start = KMeansStart::first_vectors}};
  return init.initialize(layer, DiagonalBlocks{.damping = 0.01}.blocks(layer.hessian(), F7::in_group_size), f7_scheme, 0,
                         RunContext{});
}

Matrix<double> gram_matrix(Index n_in, Index tokens, Rng& rng) {
  Matrix<double> inputs = normal_matrix<double>(tokens, n_in, rng);
  for (Index j = 0; j < n_in; ++j) inputs.col(j) *= 0.5 + rng.uniform();
  for (Index j = 1; j < n_in; ++j) inputs.col(j) += 0.5 * inputs.col(j - 1);
  const Matrix<double> gram = inputs.transpose() * inputs / static_cast<double>(tokens);
  return 0.5 * (gram + gram.transpose());
}

}  // namespace basin::test
