#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/search/detail/column_products.hpp>

#include <Eigen/Cholesky>
#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <vector>

namespace basin::detail {
/// rest -= left * right, [Rows, depth] x [depth, strip_rows]: the product is summed in T, in index order, and taken
/// from `rest` in double.
template <int Rows, class T>
inline void subtract_product_block(const T* BASIN_RESTRICT left, Index left_stride, const T* BASIN_RESTRICT right,
                                   Index depth, double* BASIN_RESTRICT rest, Index rest_stride) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr int vectors = strip_vectors<T>;
  constexpr Index lanes = static_cast<Index>(Batch::size), columns = strip_rows<T>;
  Batch sum[Rows][vectors];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < vectors; ++v) sum[r][v] = Batch(T(0));
  for (Index k = 0; k < depth; ++k) {
    Batch row[vectors];
    for (int v = 0; v < vectors; ++v) row[v] = Batch::load_unaligned(right + k * columns + v * lanes);
    for (int r = 0; r < Rows; ++r) {
      const Batch x(left[r * left_stride + k]);
      for (int v = 0; v < vectors; ++v) sum[r][v] = xsimd::fma(x, row[v], sum[r][v]);
    }
  }
  T product[columns];
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < vectors; ++v) sum[r][v].store_unaligned(product + v * lanes);
    double* out = rest + r * rest_stride;
    for (Index c = 0; c < columns; ++c) out[c] -= static_cast<double>(product[c]);
  }
}

/// The factors of a Hessian in blocks of b inputs, panel by panel:
///
///     H + shift I = T blockdiag(D) T^T,   T upper triangular with identity diagonal blocks
///
/// Shapes    panel p holds T[0 : (p + 1) w, p w : (p + 1) w], row by row, what is not above the diagonal blocks
///           included; w = b floor(128 / b), at least b.
/// Cost      n^3 / 6 multiply-adds in T and n^2 w / 4 in double; n^2 / 2 values and n w doubles.
/// Accuracy  pivots, solves and sums of more than w terms in double, products of w terms in T, T rounded once:
///           | T blockdiag(D) T^T - H - shift I |_ij <= (w / 2 + 2) eps sqrt((H_ii + shift) (H_jj + shift)) for b = 1,
///           of which rounding T has 1 eps; both are about 1 eps in practice. The same bits for every executor.
/// Source    the left-looking blocked factorization, from the last panel to the first.
template <std::floating_point T>
class PanelLdl {
 public:
  /// @return nothing where a pivot is not positive.
  /// @param inputs  which input of H stands at which place.
  [[nodiscard]] static std::optional<PanelLdl> factor(ConstMatrixRef<double> hessian, double shift, Index block_size,
                                                       const std::vector<Index>& inputs, const RunContext& context) {
    PanelLdl factors(hessian.rows(), block_size);
    for (Index p = factors.num_panels(); p-- > 0;)
      if (!factors.factor_panel(p, hessian, shift, inputs, context)) return std::nullopt;
    factors.rest_ = {};
    factors.scaled_ = {};
    return factors;
  }

  [[nodiscard]] Index panel_inputs() const noexcept { return width_; }
  /// Values before a panel.
  [[nodiscard]] static constexpr Index offset(Index panel, Index width) noexcept { return panel * (panel + 1) / 2 * width * width; }
  [[nodiscard]] AlignedVector<T>& panels() noexcept { return panels_; }
  [[nodiscard]] Matrix<double>& diagonal() noexcept { return diagonal_; }
  /// T at (i, j), i not below the diagonal block of j.
  [[nodiscard]] T operator()(Index i, Index j) const noexcept {
    return panels_[at(offset(j / width_, width_) + i * width_ + j % width_)];
  }

 private:
  static constexpr Index kernel_columns = strip_rows<T>;
  using Rest = Eigen::Map<Matrix<double>, 0, Eigen::OuterStride<>>;

  PanelLdl(Index n, Index block_size)
      : n_(n),
        block_(block_size),
        width_(std::max(block_size, 128 / block_size * block_size)),
        padded_((width_ + kernel_columns - 1) / kernel_columns * kernel_columns),
        panels_(at(offset(num_panels(), width_))),
        diagonal_(n, block_size),
        rest_(at(n * padded_)),
        scaled_(at(num_panels() * width_ * padded_)) {}

  [[nodiscard]] Index num_panels() const noexcept { return (n_ + width_ - 1) / width_; }
  [[nodiscard]] Index places(Index panel) const noexcept { return std::min(width_, n_ - panel * width_); }
  /// T at the places of one panel and the columns of another, [places, width_].
  [[nodiscard]] T* block(Index rows, Index panel) noexcept {
    return panels_.data() + offset(panel, width_) + rows * width_ * width_;
  }
  [[nodiscard]] Rest rest(Index panel, Index columns) noexcept {
    return {rest_.data() + panel * width_ * padded_, places(panel), columns, Eigen::OuterStride<>(padded_)};
  }
  [[nodiscard]] T* scaled(Index panel) noexcept { return scaled_.data() + panel * width_ * padded_; }

  [[nodiscard]] bool factor_panel(Index p, ConstMatrixRef<double> hessian, double shift, const std::vector<Index>& inputs,
                                  const RunContext& context) {
    context.for_each(num_panels() - p - 1, [&](Index later) { scale(p, p + 1 + later); });
    context.for_each(p + 1, [&](Index i) {
      open(i, p, hessian, shift, inputs);
      for (Index later = p + 1; later < num_panels(); ++later) subtract(i, p, later);
    });

    // A lower factor of the corner read backwards is, read backwards, an upper one of the corner.
    const Index count = places(p), b = block_;
    Matrix<double> factor = rest(p, count).reverse();
    if (Eigen::LLT<MatrixRef<double>> llt(factor); llt.info() != Eigen::Success) return false;
    const Matrix<double> upper = Matrix<double>(factor.triangularView<Eigen::Lower>()).reverse();
    if (!upper.allFinite()) return false;
    Matrix<double> inverses(count, b);
    for (Index k = 0; k < count; k += b) {
      const auto corner = upper.block(k, k, b, b);
      diagonal_.middleRows(p * width_ + k, b) = corner * corner.transpose();
      inverses.middleRows(k, b) = corner.template triangularView<Eigen::Upper>().solve(Matrix<double>::Identity(b, b));
    }
    const auto store = [&](Index i, const auto& rows) {
      Eigen::Map<Matrix<T>, 0, Eigen::OuterStride<>> out(block(i, p), rows.rows(), count, Eigen::OuterStride<>(width_));
      if (b == 1)
        out = (rows.array().rowwise() * inverses.col(0).transpose().array()).matrix().template cast<T>();
      else
        for (Index k = 0; k < count; k += b)
          out.middleCols(k, b) = (rows.middleCols(k, b) * inverses.middleRows(k, b)).template cast<T>();
    };
    store(p, upper);
    for (Index k = 0; k < count; k += b)
      Eigen::Map<Matrix<T>, 0, Eigen::OuterStride<>>(block(p, p) + k * width_ + k, b, b, Eigen::OuterStride<>(width_)).setIdentity();
    context.for_each(p, [&](Index i) {
      Rest rows = rest(i, count);
      upper.transpose().template triangularView<Eigen::Lower>().template solveInPlace<Eigen::OnTheRight>(rows);
      store(i, rows);
    });
    return true;
  }

  /// (T D)^T for the places of panel p and the columns of a later one, in columns of the kernel.
  void scale(Index p, Index later) noexcept {
    const Index rows = places(p), depth = places(later);
    const T* from = block(p, later);
    T* out = scaled(later);
    for (Index k = 0; k < depth; ++k) {
      const Index begin = k / block_ * block_;
      const double* diagonal = diagonal_.data() + (later * width_ + k) * block_;
      for (Index r = 0; r < rows; ++r) {
        double sum = 0;
        for (Index j = 0; j < block_; ++j) sum += static_cast<double>(from[r * width_ + begin + j]) * diagonal[j];
        out[r / kernel_columns * kernel_columns * width_ + k * kernel_columns + r % kernel_columns] = static_cast<T>(sum);
      }
    }
  }
  /// What H has at the places of panel i and the columns of panel p.
  void open(Index i, Index p, ConstMatrixRef<double> hessian, double shift, const std::vector<Index>& inputs) {
    const Index count = places(p);
    const Index* columns = inputs.data() + p * width_;
    Rest rows = rest(i, count);
    for (Index r = 0; r < rows.rows(); ++r) {
      const double* from = &hessian.coeffRef(inputs[at(i * width_ + r)], 0);
      for (Index c = 0; c < count; ++c) rows(r, c) = from[columns[c]];
      if (i == p) rows(r, r) += shift;
    }
  }
  void subtract(Index i, Index p, Index later) noexcept {
    const Index rows = places(i), depth = places(later);
    const T* left = block(i, later);
    double* out = rest_.data() + i * width_ * padded_;
    for (Index c = 0; c < places(p); c += kernel_columns) {
      const T* right = scaled(later) + c * width_;
      Index r = 0;
      for (; r + 6 <= rows; r += 6)
        subtract_product_block<6>(left + r * width_, width_, right, depth, out + r * padded_ + c, padded_);
      for (; r + 2 <= rows; r += 2)
        subtract_product_block<2>(left + r * width_, width_, right, depth, out + r * padded_ + c, padded_);
      for (; r < rows; ++r)
        subtract_product_block<1>(left + r * width_, width_, right, depth, out + r * padded_ + c, padded_);
    }
  }
  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  Index n_, block_, width_, padded_;
  AlignedVector<T> panels_;
  Matrix<double> diagonal_;     // D, [n, b]
  AlignedVector<double> rest_;  // the panel in work: H less what later panels make of it, [n, padded]
  AlignedVector<T> scaled_;     // (T D)^T of the panel's places and later panels' columns
};

}  // namespace basin::detail
