#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/error.hpp>
#include <basin/core/random.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/transform/concepts.hpp>
#include <basin/transform/detail/butterflies.hpp>
#include <basin/transform/hadamard_matrix.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace basin {
/// What stands in for the Hadamard matrix of an order that has none here.
enum class WithoutHadamard {
  refuse,     ///< ValueError
  blocks,     ///< Hadamard matrices of the largest order that divides n, along the diagonal
  orthogonal  ///< a random orthogonal matrix, dense: O(n^2) to apply, O(n^3) to make
};

struct HadamardOptions {
  /// Random signs of the inputs, from this seed; none leaves them out.
  std::optional<std::uint64_t> sign_seed{};
  WithoutHadamard without = WithoutHadamard::blocks;
};

/// A randomised Hadamard transform: spreads every input over all outputs, so that weights become Gaussian.
///
///     x' = H (d * x) / sqrt(n),   x = d * (H^T x') / sqrt(n),   d = random signs
///
/// H is hadamard_matrix(n): butterflies for its power of two, a product with its core for the rest. `apply` does
/// this to every row of a matrix, and equally to activations: (W U) (U^T x) = W x.
///
/// Shapes    rows: [any, n], in place.
/// Cost      n (log2(2^power) + core) additions a row; 4096 floats take less than ten copies of them.
/// Accuracy  |x'| = |x| within (power + core + 20) eps of T, and so is each entry relative to |x|.
///           The same bits for every executor, the same matrix for the same seed.
/// Source    QuaRot, arXiv:2404.00456; QuIP#, arXiv:2402.04396.
class HadamardTransform {
 public:
  /// @throws ShapeError if n < 1. @throws ValueError if n has no Hadamard matrix here and `without` is refuse.
  explicit HadamardTransform(Index n, HadamardOptions options = {}) : n_(n), options_(options) {
    if (n < 1) raise<ShapeError>("HadamardTransform: needs at least one input, got ", n);
    is_hadamard_ = hadamard_factors(n).has_value();
    if (!is_hadamard_ && options.without == WithoutHadamard::refuse)
      raise<ValueError>("HadamardTransform: no Hadamard matrix of order ", n,
                        " here; allow WithoutHadamard::blocks or orthogonal, or pad the inputs");
    if (!is_hadamard_ && options.without == WithoutHadamard::orthogonal) {
      dense_ = random_orthogonal(n, options.sign_seed.value_or(0));
      return;
    }
    block_ = n;
    while (n % block_ != 0 || !hadamard_factors(block_)) --block_;
    factors_ = *hadamard_factors(block_);
    if (factors_.core > 1) {
      const Matrix<std::int8_t> core = hadamard_matrix(factors_.core);
      core_.assign(core.data(), core.data() + core.size());
    }
    if (options.sign_seed) {
      SplitMix64 random = keyed_random(*options.sign_seed, {static_cast<std::uint64_t>(n)});
      for (Index i = 0; i < n; ++i) signs_.push_back((random() >> 63) != 0 ? -1.0f : 1.0f);
    }
  }

  [[nodiscard]] Index size() const noexcept { return n_; }
  /// Every output sees every input alike: false for blocks and for a random orthogonal matrix.
  [[nodiscard]] bool is_hadamard() const noexcept { return is_hadamard_; }
  /// "Hadamard of order 14336 = 28 (Paley II) x 512, random signs from seed 7", or what stands in for it and why.
  [[nodiscard]] std::string description() const {
    std::string text;
    if (!is_hadamard_) text = concat("no Hadamard matrix of order ", n_, " here, instead: ");
    if (dense_.size() != 0) return text + concat("random orthogonal matrix from seed ", options_.sign_seed.value_or(0));
    if (!is_hadamard_) text += concat(n_ / block_, " blocks, each ");
    text += concat("Hadamard of order ", block_);
    if (factors_.core > 1)
      text += concat(" = ", factors_.core, " (", to_string(factors_.construction), ") x ", Index{1} << factors_.power);
    if (options_.sign_seed) text += concat(", random signs from seed ", *options_.sign_seed);
    return text;
  }

  /// @throws ShapeError if the rows are not n long.
  template <std::floating_point T>
  void apply(Matrix<T>& rows, const RunContext& context = {}) const {
    each_row(rows, context, [this](T* row) { apply(row); });
  }
  template <std::floating_point T>
  void invert(Matrix<T>& rows, const RunContext& context = {}) const {
    each_row(rows, context, [this](T* row) { invert(row); });
  }
  /// The same to one vector of n contiguous values, as an engine needs it. Nothing is allocated, except under
  /// WithoutHadamard::orthogonal.
  template <std::floating_point T>
  void apply(T* x) const {
    apply_across(x, 1);
  }
  template <std::floating_point T>
  void invert(T* x) const {
    invert_across(x, 1);
  }
  /// The same to every column of x, [n, inner]: what an engine does across heads, and a layer on its output side.
  template <std::floating_point T>
  void apply_across(T* x, Index inner) const {
    if (dense_.size() != 0) return multiply<T>(x, inner, dense_);
    multiply_signs(x, inner);
    transform(x, inner, factors_.core, 1);
  }
  template <std::floating_point T>
  void invert_across(T* x, Index inner) const {
    if (dense_.size() != 0) return multiply<T>(x, inner, dense_.transpose());
    transform(x, inner, 1, factors_.core);
    multiply_signs(x, inner);
  }

 private:
  /// Q of the QR factorization of normals whose R has a positive diagonal: uniformly distributed. By Cholesky-QR, whose later
  /// passes mend what the condition of the normals cost the first; normals too badly conditioned for it are drawn again.
  [[nodiscard]] static Matrix<double> random_orthogonal(Index n, std::uint64_t seed) {
    SplitMix64 random = keyed_random(seed, {static_cast<std::uint64_t>(n)});
    Matrix<double> q(n, n);
    const auto make_orthogonal = [&q] {
      const Eigen::LLT<Matrix<double>> gram(q.transpose() * q);
      if (gram.info() != Eigen::Success) return false;
      gram.matrixU().solveInPlace<Eigen::OnTheRight>(q);
      return true;
    };
    do {
      for (Index i = 0; i < q.size(); ++i) q.data()[i] = random.normal();
    } while (!make_orthogonal() || !make_orthogonal() || !make_orthogonal());
    return q;
  }

  template <class T, class Body>
  void each_row(Matrix<T>& rows, const RunContext& context, Body&& body) const {
    if (rows.cols() != n_) raise<ShapeError>("HadamardTransform: rows must have ", n_, " entries, got ", rows.cols());
    const Index grain = std::max<Index>(1, (Index{1} << 16) / n_);
    for_each_range(context, rows.rows(), grain, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) body(rows.data() + r * n_);
    });
  }
  template <class T>
  void multiply_signs(T* x, Index inner) const noexcept {
    if (signs_.empty()) return;
    const float* signs = signs_.data();
    if (inner == 1) {
      for (Index i = 0; i < n_; ++i) x[i] *= static_cast<T>(signs[i]);
      return;
    }
    for (Index i = 0; i < n_; ++i)
      for (Index k = 0; k < inner; ++k) x[i * inner + k] *= static_cast<T>(signs[i]);
  }
  template <class T>
  void transform(T* x, Index inner, Index row_step, Index column_step) const noexcept {
    const Index power = Index{1} << factors_.power;
    const T factor = static_cast<T>(1 / std::sqrt(static_cast<double>(block_)));
    if (inner == 1) {
      detail::walsh_hadamard(x, n_, power, factor);
    } else {
      for (Index i = 0; i < n_ * inner; ++i) x[i] *= factor;
      for (Index at = 0; at < n_; at += power) detail::butterfly_stages(x + at * inner, power * inner, inner);
    }
    if (factors_.core == 1) return;
    for (Index at = 0; at < n_; at += block_)
      detail::core_stage<HadamardFactors::largest_core>(x + at * inner, factors_.core, power * inner, core_.data(), row_step,
                                                        column_step);
  }
  template <class T, class Dense>
  void multiply(T* x, Index inner, const Dense& dense) const {
    MatrixMap<T> columns(x, n_, inner);
    const Matrix<double> product = dense * columns.template cast<double>();
    columns = product.template cast<T>();
  }

  Index n_;
  HadamardOptions options_;
  bool is_hadamard_ = false;
  Index block_ = 0;
  HadamardFactors factors_{};
  std::vector<float> core_;      // [core, core], empty for powers of two
  AlignedVector<float> signs_;   // [n], empty without a seed
  Matrix<double> dense_;         // [n, n] under WithoutHadamard::orthogonal, else empty
};
static_assert(Transform<HadamardTransform>);

}  // namespace basin
