#pragma once

#include <basin/codebook/cluster_statistics.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <Eigen/Cholesky>

#include <cmath>
#include <concepts>
#include <numbers>

namespace basin {
/// How codewords follow from an assignment.
enum class MStep {
  exact,  ///< the minimum, in closed form
  adam    ///< some Adam steps towards it, as in the OA-EM paper
};

/// The paper's M-step: Adam from the current codewords, the learning rate on a cosine.
///
///     lr_t = lr (f + (1 - f) (1 + cos(pi t / steps)) / 2),   t = 0 .. steps - 1,  f = final_fraction
///
/// Moments start at zero every time. With the defaults a coordinate moves by at most about 5.5e-3.
struct AdamSteps {
  int steps = 100;
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double final_fraction = 0.1;
};

namespace detail {
/// The minimum of c A c^T - 2 c . y from its old place: null directions of A stay where they are.
[[nodiscard]] inline Matrix<double> solve_codeword(const Matrix<double>& a, const Matrix<double>& y,
                                                   const Matrix<double>& old) {
  constexpr double tolerance = 1e-8;
  const auto is_solved = [&](const Matrix<double>& c, const Matrix<double>& residual) {
    return residual.norm() <= tolerance * (a.norm() * c.norm() + y.norm());
  };
  Eigen::LLT<Matrix<double>> llt(a);
  Matrix<double> c = old;
  if (llt.info() == Eigen::Success) {
    c = llt.solve(y.transpose()).transpose();
    const Matrix<double> residual = y - c * a;
    if (!is_solved(c, residual)) c += llt.solve(residual.transpose()).transpose();
    if (c.allFinite() && is_solved(c, y - c * a)) return c;
  }
  Matrix<double> ridged = a;
  ridged.diagonal().array() += 1e-10 * a.diagonal().mean();
  llt.compute(ridged);
  if (llt.info() != Eigen::Success) return old;
  c = old;
  for (int step = 0; step < 3; ++step) c += llt.solve((y - c * a).transpose()).transpose();
  return c.allFinite() ? c : old;
}
}  // namespace detail

/// Every codeword that has vectors moves to the minimum of F for these codes; the others stay.
///
///     A_k c_k = y_k
///
/// Shapes    codewords: [K, D].
/// Cost      one g x g Cholesky per codeword in use.
/// Accuracy  || A c - y || <= 1e-10 (|| A || || c || + || y ||) for a damped metric; a singular A_k is
///           solved with a ridge of 1e-10 of its mean diagonal, and stays put along its null space.
template <std::floating_point T>
void exact_m_step(const ClusterStatistics& statistics, Matrix<T>& codewords, const RunContext& context = {}) {
  const Index g = statistics.g;
  for_each_range(context, statistics.size(), 64, [&](Index begin, Index end) {
    for (Index k = begin; k < end; ++k) {
      if (statistics.count[static_cast<std::size_t>(k)] == 0) continue;
      MatrixMap<T> codeword(codewords.row(k).data(), codewords.cols() / g, g);
      codeword = detail::solve_codeword(statistics.normal_matrix(k), statistics.right_side(k),
                                        codeword.template cast<double>())
                     .template cast<T>();
    }
  });
}

/// Adam on F / num_vectors; its gradient 2 (A_k c_k - y_k) / num_vectors needs no vectors.
///
/// Cost      steps * K g D multiply-adds.
/// Source    OA-EM, arXiv:2604.08118.
template <std::floating_point T>
void adam_m_step(const ClusterStatistics& statistics, const AdamSteps& adam, Index num_vectors,
                 Matrix<T>& codewords, const RunContext& context = {}) {
  const Index g = statistics.g;
  for_each_range(context, statistics.size(), 64, [&](Index begin, Index end) {
    for (Index k = begin; k < end; ++k) {
      if (statistics.count[static_cast<std::size_t>(k)] == 0) continue;
      MatrixMap<T> codeword(codewords.row(k).data(), codewords.cols() / g, g);
      Matrix<double> c = codeword.template cast<double>();
      Matrix<double> first = Matrix<double>::Zero(c.rows(), g), second = first;
      double decay1 = 1, decay2 = 1;
      for (int t = 0; t < adam.steps; ++t) {
        const double cosine = (1 + std::cos(std::numbers::pi * t / adam.steps)) / 2;
        const double rate = adam.learning_rate * (adam.final_fraction + (1 - adam.final_fraction) * cosine);
        const Matrix<double> gradient =
            (c * statistics.normal_matrix(k) - statistics.right_side(k)) * (2.0 / static_cast<double>(num_vectors));
        first = adam.beta1 * first + (1 - adam.beta1) * gradient;
        second = adam.beta2 * second + (1 - adam.beta2) * gradient.cwiseAbs2();
        decay1 *= adam.beta1;
        decay2 *= adam.beta2;
        c.array() -= rate * (first.array() / (1 - decay1)) /
                     ((second.array() / (1 - decay2)).sqrt() + adam.epsilon);
      }
      codeword = c.template cast<T>();
    }
  });
}

}  // namespace basin
