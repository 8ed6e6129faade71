#pragma once

#include <basin/core/types.hpp>
#include <basin/transform/concepts.hpp>

#include <concepts>
#include <limits>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace basin::test {
/// What the pipeline relies on in a transform of n inputs: it is orthogonal and linear, works row by row,
/// and invert undoes apply.
template <std::floating_point T, Transform U>
void check_transform_laws(const U& transform, Index n, Rng& rng) {
  const T eps = 64 * std::numeric_limits<T>::epsilon();
  const Matrix<T> x = normal_matrix<T>(5, n, rng), y = normal_matrix<T>(5, n, rng);
  Matrix<T> tx = x, ty = y, sum = x + 2 * y, back, alone = x.row(3);
  transform.apply(tx);
  transform.apply(ty);
  transform.apply(sum);
  transform.apply(alone);
  CHECK(tx.rows() == 5);
  CHECK(tx.cols() == n);
  CHECK((tx * ty.transpose() - x * y.transpose()).norm() <= eps * x.norm() * y.norm());
  CHECK((sum - tx - 2 * ty).norm() <= eps * (x.norm() + y.norm()));
  CHECK((alone - tx.row(3)).norm() <= eps * alone.norm());
  back = tx;
  transform.invert(back);
  CHECK((back - x).norm() <= eps * x.norm());
  back = x;
  transform.invert(back);
  transform.apply(back);
  CHECK((back - x).norm() <= eps * x.norm());
}

}  // namespace basin::test
