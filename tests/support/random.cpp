#include "support/random.hpp"

#include <Eigen/QR>

#include <cmath>

namespace basin::test {
Matrix<double> orthogonal_matrix(Index n, Rng& rng) {
  const Matrix<double> normals = normal_matrix<double>(n, n, rng);
  return Eigen::HouseholderQR<Matrix<double>>(normals).householderQ();
}

template <std::floating_point T>
Matrix<T> spd_matrix(Index g, T cond, Rng& rng) {
  const Matrix<double> axes = orthogonal_matrix(g, rng);
  Vector<double> eigenvalues(g);
  for (Index i = 0; i < g; ++i) {
    const double place = g == 1 ? 0 : static_cast<double>(i) / static_cast<double>(g - 1);
    eigenvalues(i) = std::pow(static_cast<double>(cond), -place);
  }
  const Matrix<double> h = axes * eigenvalues.asDiagonal() * axes.transpose();
  return (0.5 * (h + h.transpose())).cast<T>();
}
template Matrix<float> spd_matrix(Index, float, Rng&);
template Matrix<double> spd_matrix(Index, double, Rng&);

}  // namespace basin::test
