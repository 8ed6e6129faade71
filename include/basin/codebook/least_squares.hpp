#pragma once

#include <basin/codebook/concepts.hpp>
#include <basin/codebook/group_sums.hpp>
#include <basin/core/error.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace basin {
/// Codebooks and scales that minimise the full-Hessian objective for fixed codes.
///
///     A dx = b - A x0,   A[(m,k),(m',k')] = sum_o s[o]^2 sum over groups j using (m,k), j' using (m',k') of H_jj'
///     s[o] = (w_o H q_o^T) / (q_o H q_o^T),   q_o the decoded row without its scale
///
/// L is a convex quadratic in all codewords together. It is solved for the increment, so codewords
/// without members and the null directions between codebooks stay where they are; small systems by
/// Cholesky, others by conjugate gradients started at x0 and preconditioned by codeword.
///
/// Cost      iterations * n_out * n_in^2 multiply-adds; direct: M^2 * n_out * n_in^2 and (M K g)^3 / 3.
/// Accuracy  L does not rise: an increment that would raise it is dropped.
/// Errors    ValueError for iterations < 1, or a ridge or tolerance that is negative or not finite.
/// Source    this library (docs/codebook/least_squares.md).
struct LeastSquares {
  int max_iterations = 3;
  /// Stop when the gradient has shrunk by this factor.
  double tolerance = 1e-3;
  /// Relative to the mean diagonal of A.
  double ridge = 1e-7;
  /// Up to this many unknowns (per output row of a group) the system is solved directly.
  Index direct_unknowns = 512;
  bool update_scales = true;

  template <class T>
  void update(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, const RunContext& context = {}) const {
    if (max_iterations < 1 || !(ridge >= 0) || !(tolerance >= 0) || !std::isfinite(ridge))
      raise<ValueError>("LeastSquares: needs max_iterations >= 1 and finite ridge, tolerance >= 0, got ", max_iterations, ", ",
                        ridge, ", ", tolerance);
    if (layer.weight_energy() <= 0) return;
    Matrix<T> decoded = gather_codewords(weight, weight.codebooks.values(), context);
    Matrix<T> product = times_hessian(decoded, layer.working_hessian(), context);
    if (update_scales) fit_scales(layer, decoded, product, weight, context);
    context.check_stop();

    const System<T> system(layer, weight, ridge, context);
    if (system.unknowns() <= direct_unknowns)
      system.solve_directly(product, context);
    else
      system.solve_iteratively(product, max_iterations, tolerance, context);
    if (!update_scales) return;
    decoded = gather_codewords(weight, weight.codebooks.values(), context);
    fit_scales(layer, decoded, product, weight, context);
  }

 private:
  /// Best scale of every output group given the decoded rows and their product with H.
  template <class T>
  static void fit_scales(const LayerObjective<T>& layer, const Matrix<T>& decoded, const Matrix<T>& product,
                         AdditiveWeight<T>& weight, const RunContext& context) {
    const Index g_out = weight.scheme().out_group_size;
    context.for_each(weight.num_out_groups(), [&](Index o) {
      const auto rows = [&](const Matrix<T>& x) { return x.middleRows(o * g_out, g_out).template cast<double>(); };
      const double against = rows(layer.weight()).cwiseProduct(rows(product)).sum();
      const double energy = rows(decoded).cwiseProduct(rows(product)).sum();
      const double scale = against / energy;
      if (energy > 0 && scale > 0 && std::isfinite(scale)) weight.scales(o) = static_cast<T>(scale);
    });
  }

  template <class T>
  class System {
   public:
    System(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, double ridge, const RunContext& context)
        : layer_(layer),
          weight_(weight),
          g_(weight.scheme().in_group_size),
          g_out_(weight.scheme().out_group_size),
          codewords_(weight.codebooks.values().rows()),
          scale_(weight.scales.template cast<double>()),
          energy_(scale_.cwiseAbs2()) {
      blocks_ = Matrix<double>::Zero(codewords_ * g_, g_);
      const Index groups = weight.num_in_groups();
      constexpr Index step = 64;  // groups at a time, which bounds the memory
      for (Index first = 0; first < groups; first += step) {
        const Index count = std::min(step, groups - first);
        Matrix<double> share = Matrix<double>::Zero(count, codewords_);
        for_each_range(context, count, 8, [&](Index begin, Index end) {
          for (Index o = 0; o < weight.num_out_groups(); ++o)
            for (Index j = begin; j < end; ++j)
              for (Index m = 0; m < weight.codes.num_codebooks(); ++m)
                share(j, m * weight.codebooks.size() + weight.codes(o, first + j, m)) += energy_(o);
        });
        for_each_range(context, codewords_, 64, [&](Index begin, Index end) {
          for (Index j = 0; j < count; ++j) {
            const Matrix<double> block = layer.hessian().block((first + j) * g_, (first + j) * g_, g_, g_);
            for (Index k = begin; k < end; ++k)
              if (share(j, k) != 0) blocks_.middleRows(k * g_, g_) += share(j, k) * block;
          }
        });
      }
      double trace = 0;
      for (Index k = 0; k < codewords_; ++k) trace += blocks_.middleRows(k * g_, g_).diagonal().sum();
      // A floor keeps the factors below finite when every block vanishes.
      ridge_ = std::max(ridge * trace / static_cast<double>(unknowns()), std::numeric_limits<double>::min());
    }

    [[nodiscard]] Index unknowns() const noexcept { return codewords_ * g_; }

    void solve_directly(Matrix<T>& product, const RunContext& context) const {
      Matrix<double> normal = Matrix<double>::Zero(unknowns(), unknowns());
      for (Index o = 0; o < weight_.num_out_groups(); ++o) add_row(o, normal);
      normal.diagonal().array() += ridge_;
      const Eigen::LLT<Matrix<double>> factor(normal);
      const Matrix<double> right = slope(product, context);
      Matrix<double> increment(codewords_, right.cols());
      for (Index p = 0; p < g_out_; ++p) {
        Vector<double> column(unknowns());
        for (Index k = 0; k < codewords_; ++k) column.segment(k * g_, g_) = right.row(k).segment(p * g_, g_).transpose();
        const Vector<double> solved = factor.solve(column);
        for (Index k = 0; k < codewords_; ++k) increment.row(k).segment(p * g_, g_) = solved.segment(k * g_, g_).transpose();
      }
      const Matrix<T> step = increment.template cast<T>();
      const Matrix<T> moved = times_hessian(gather_codewords(weight_, step, context), layer_.working_hessian(), context);
      const Matrix<double> curved = scatter_groups(weight_, moved, energy_, context);
      if (increment.allFinite() && lowers(increment, right, curved)) {
        weight_.codebooks.values() += step;
        add(T(1), moved, product, context);
      }
    }

    void solve_iteratively(Matrix<T>& product, int iterations, double shrinkage, const RunContext& context) const {
      std::vector<Eigen::LLT<Matrix<double>>> factors(static_cast<std::size_t>(codewords_));
      const auto each_codeword = [&](auto&& body) {
        for_each_range(context, codewords_, 64, [&](Index begin, Index end) {
          for (Index k = begin; k < end; ++k) body(k, factors[static_cast<std::size_t>(k)]);
        });
      };
      each_codeword([&](Index k, Eigen::LLT<Matrix<double>>& factor) {
        factor.compute(blocks_.middleRows(k * g_, g_) + ridge_ * Matrix<double>::Identity(g_, g_));
      });
      const auto precondition = [&](const Matrix<double>& x) {
        Matrix<double> result = x;
        each_codeword([&](Index k, const Eigen::LLT<Matrix<double>>& factor) {
          for (Index p = 0; p < g_out_; ++p) {
            Vector<double> part = result.row(k).segment(p * g_, g_).transpose();
            factor.solveInPlace(part);
            result.row(k).segment(p * g_, g_) = part.transpose();
          }
        });
        return result;
      };
      const Matrix<double> right = slope(product, context);
      const double goal = shrinkage * right.norm();
      Matrix<double> residual = right, increment = Matrix<double>::Zero(right.rows(), right.cols()), curved = increment;
      Matrix<double> direction = precondition(residual);
      double fit = residual.cwiseProduct(direction).sum();
      Matrix<T> moved = Matrix<T>::Zero(product.rows(), product.cols());
      for (int i = 0; i < iterations && fit > 0 && residual.norm() > goal; ++i) {
        context.check_stop();
        const Matrix<T> heading = direction.template cast<T>();
        const Matrix<T> spread = times_hessian(gather_codewords(weight_, heading, context), layer_.working_hessian(), context);
        const Matrix<double> bent = scatter_groups(weight_, spread, energy_, context) + ridge_ * direction;
        const double curvature = direction.cwiseProduct(bent).sum();
        if (!(curvature > 0)) break;
        const double length = fit / curvature;
        increment += length * direction;
        curved += length * bent;
        add(static_cast<T>(length), spread, moved, context);
        residual -= length * bent;
        const Matrix<double> next = precondition(residual);
        const double next_fit = residual.cwiseProduct(next).sum();
        direction = next + (next_fit / fit) * direction;
        fit = next_fit;
      }
      if (increment.allFinite() && lowers(increment, right, curved)) {
        weight_.codebooks.values() += increment.template cast<T>();
        add(T(1), moved, product, context);
      }
    }

   private:
    /// -dL/dC / 2 at the current codewords, given q H.
    [[nodiscard]] Matrix<double> slope(const Matrix<T>& product, const RunContext& context) const {
      Matrix<T> pull(product.rows(), product.cols());
      for_each_range(context, weight_.num_out_groups(), 32, [&](Index begin, Index end) {
        for (Index o = begin; o < end; ++o)
          pull.middleRows(o * g_out_, g_out_) = layer_.weight_product().middleRows(o * g_out_, g_out_) -
                                                weight_.scales(o) * product.middleRows(o * g_out_, g_out_);
      });
      return scatter_groups(weight_, pull, scale_, context);
    }
    /// to += factor * x.
    static void add(T factor, const Matrix<T>& x, Matrix<T>& to, const RunContext& context) {
      for_each_range(context, to.rows(), 32, [&](Index begin, Index end) {
        to.middleRows(begin, end - begin) += factor * x.middleRows(begin, end - begin);
      });
    }
    /// Whether L falls: dL = dx A dx - 2 b dx.
    [[nodiscard]] static bool lowers(const Matrix<double>& increment, const Matrix<double>& right, const Matrix<double>& curved) {
      return increment.cwiseProduct(curved - 2 * right).sum() < 0;
    }
    /// What output group o adds to the normal matrix of one output row.
    void add_row(Index o, Matrix<double>& normal) const {
      const Index size = weight_.codebooks.size(), num_codebooks = weight_.codes.num_codebooks();
      for (Index j = 0; j < weight_.num_in_groups(); ++j)
        for (Index l = 0; l < weight_.num_in_groups(); ++l) {
          const auto block = layer_.hessian().block(j * g_, l * g_, g_, g_);
          for (Index m = 0; m < num_codebooks; ++m)
            for (Index n = 0; n < num_codebooks; ++n)
              normal.block((m * size + weight_.codes(o, j, m)) * g_, (n * size + weight_.codes(o, l, n)) * g_, g_, g_) +=
                  energy_(o) * block;
        }
    }

    const LayerObjective<T>& layer_;
    AdditiveWeight<T>& weight_;
    Index g_, g_out_, codewords_;
    Vector<double> scale_, energy_;
    Matrix<double> blocks_;  // sum of s^2 H_jj over each codeword's members, [M * K * g, g]
    double ridge_ = 0;
  };
};
static_assert(Updater<LeastSquares>);

}  // namespace basin
