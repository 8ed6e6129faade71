#pragma once

#include <basin/metric/concepts.hpp>

#include <Eigen/Eigenvalues>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

namespace basin::test {
/// What clustering relies on in a metric per group: the right number of symmetric positive
/// semidefinite blocks, zero on padded inputs, the same for the same Hessian on any executor, and fit for
/// singular ones.
template <MetricPolicy P>
void check_metric_policy_laws(const P& policy) {
  Rng rng(72);
  for (const Index n_in : {1, 4, 12, 13, 30})
    for (const Index g : {1, 4, 8})
      for (const Index tokens : {0, 1, 60}) {
        CAPTURE(n_in, g, tokens);
        Matrix<double> hessian = Matrix<double>::Zero(n_in, n_in);
        if (tokens > 0) {
          const Matrix<double> inputs = normal_matrix<double>(tokens, n_in, rng);
          hessian = inputs.transpose() * inputs / static_cast<double>(tokens);
          hessian = (0.5 * (hessian + hessian.transpose())).eval();
          if (n_in > 4) {  // a dead input
            hessian.row(4).setZero();
            hessian.col(4).setZero();
          }
        }
        const HessianBlocks blocks = policy.blocks(hessian, g);
        REQUIRE(blocks.num_groups() == (n_in + g - 1) / g);
        REQUIRE(blocks.group_size() == g);
        Threads threads{3};
        const HessianBlocks again = make_blocks(policy, hessian, g, {.executor = threads});
        for (Index j = 0; j < blocks.num_groups(); ++j) {
          const Matrix<double> block = blocks.block(j);
          CAPTURE(j);
          CHECK(block.allFinite());
          CHECK(block == block.transpose());
          CHECK(block == again.block(j));
          const Eigen::SelfAdjointEigenSolver<Matrix<double>> spectrum(block, Eigen::EigenvaluesOnly);
          CHECK(spectrum.eigenvalues().minCoeff() >= -1e-12 * (1 + block.norm()));
          for (Index i = 0; i < g; ++i)
            if (j * g + i >= n_in) CHECK(block.row(i).isZero(0));
        }
      }
}

}  // namespace basin::test
