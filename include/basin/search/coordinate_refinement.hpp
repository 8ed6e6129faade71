#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/damping.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/level_rows.hpp>
#include <basin/search/detail/row_products.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
/// Coordinate descent over the codes of a level weight: one input at a time, each row moves to the level that
/// is best while all its other codes stay.
///
///     q_i <- level nearest to q_i + (R H)_i / H_ii,   R = W - What
///
/// until no code of a row changes, at most `sweeps` times. Exact: the loss over one code is a parabola.
///
/// Cost      n_out n_in^2 multiply-adds for R H, then n_in per changed code and a few operations per code and
///           sweep; the losses that decide are summed in double, n_out n_in^2 multiply-adds.
/// Accuracy  no row's loss rises. In a row that stood still no single change of a code lowers the loss
///           beyond the rounding of T.
/// Ties      the present code, then the lower level. Inputs with H_ii = 0 and rows with s = 0 stay.
/// Errors    ShapeError for a foreign weight; ValueError for negative sweeps.
/// Source    the tuning of QuIP and QuIP#, arXiv:2402.04396, which take the nearest lattice point instead.
struct CoordinateRefinement {
  int sweeps = 20;

  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    context.check_stop();
    LevelWeight<T> found = weight;
    detail::refine_codes(layer, found, sweeps, context);
    detail::keep_better_rows(layer, found, weight, context);
  }
};
static_assert(Searcher<CoordinateRefinement, LevelWeight<float>>);

/// How block_refinement sweeps.
struct BlockRefinementOptions {
  Index width = 8;          ///< inputs that are quantized together
  int sweeps = 10;          ///< at most; rows that stand still are left alone
  Index rows_together = 1;  ///< rows that move together or not at all: the length of vectors that run down a column
};

/// Coordinate descent over values that any column quantizer makes, block of inputs by block of inputs.
///
///     q_B <- quantizer(q_B + (R H)_B H_BB^-1),   R = W - What,   where that lowers d H_BB d^T - 2 d (R H)_B^T
///
/// The target is the best value of the block while all others stay; a quantizer that is Euclidean inside the block need
/// not come closer under H_BB, so rows move only where their loss falls. In the end the quantizer is called once for
/// every block with the values that stay, so that it holds their codes: values that it has made must be what it
/// makes of them, and codes of a later call must replace those of an earlier one.
///
/// Shapes    quantized: [n_out, padded_in], What before and after; n_in a multiple of `width`, n_out and feedback_rows of
///           `rows_together`. The quantizer sees feedback_rows rows at a time.
/// Cost      n_out n_in^2 multiply-adds for R H; per sweep n_out n_in width, n_in width per row that moves, and the
///           quantizer.
/// Accuracy  no row's loss rises, or that of no `rows_together`, beyond the rounding of T. A row's bits depend on no
///           other that it does not move with, and on no executor.
/// Errors    ShapeError for foreign shapes, ValueError for negative sweeps; Cancelled if the host asks to stop: What and
///           the codes then belong to different sweeps.
/// Source    the tuning of QuIP and QuIP#, arXiv:2402.04396, which takes every move.
template <std::floating_point T, ColumnQuantizer<T> Quantize>
void block_refinement(const LayerObjective<T>& layer, Matrix<T>& quantized, Quantize&& quantizer,
                      const BlockRefinementOptions& options = {}, const RunContext& context = {}) {
  const Index n = layer.padded_in(), b = options.width, together = options.rows_together;
  if (quantized.rows() != layer.n_out() || quantized.cols() != n)
    raise<ShapeError>("block_refinement: the layer is [", layer.n_out(), ", ", n, "] padded, What [", quantized.rows(), ", ",
                      quantized.cols(), "]");
  if (b < 1 || n % b != 0) raise<ShapeError>("block_refinement: blocks of ", b, " inputs do not divide the ", n, " inputs of H");
  if (together < 1 || layer.n_out() % together != 0 || feedback_rows % together != 0)
    raise<ShapeError>("block_refinement: ", together, " rows together must divide the ", layer.n_out(), " rows of W and ", feedback_rows);
  if (options.sweeps < 0) raise<ValueError>("block_refinement: the number of sweeps must be at least 0, got ", options.sweeps);
  context.check_stop();

  const Matrix<double>& hessian = layer.hessian();
  Matrix<T> inverses = Matrix<T>::Zero(n, b);  // H_BB^-1, 0 where no input of the block is ever there
  for (Index i = 0; i < n; i += b) {
    const Matrix<double> block = hessian.block(i, i, b, b);
    if (block.isZero(0)) continue;
    const Matrix<double> lower = damped_cholesky(block, 0).lower;
    const Matrix<double> half = lower.triangularView<Eigen::Lower>().solve(Matrix<double>::Identity(b, b));
    inverses.middleRows(i, b) = (half.transpose() * half).template cast<T>();
  }
  for_each_range(context, layer.n_out(), feedback_rows, [&](Index begin, Index end) {
    const Index rows = end - begin;
    using Columns = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
    Columns target(rows, b), found(rows, b);
    const Matrix<T> residual = layer.weight().middleRows(begin, rows) - quantized.middleRows(begin, rows);
    Matrix<T> product(rows, n);  // R H
    detail::row_products(residual.data(), rows, n, layer.working_hessian().data(), n, n, n, product.data(), n);
    std::vector<char> is_moving(static_cast<std::size_t>(rows), 1);
    for (int sweep = 0; sweep < options.sweeps; ++sweep) {
      std::vector<char> has_moved(is_moving.size(), 0);
      for (Index i = 0; i < n; i += b) {
        if (context.stop.stop_requested()) return;
        if (inverses.middleRows(i, b).isZero(0)) continue;
        for (Index r = 0; r < rows; ++r)
          for (Index j = 0; j < b; ++j) {
            T shift = 0;
            for (Index k = 0; k < b; ++k) shift += product(r, i + k) * inverses(i + k, j);
            target(r, j) = quantized(begin + r, i + j) + shift;
          }
        quantizer(begin, i, ConstColumnsRef<T>(target), ColumnsRef<T>(found));
        for (Index first = 0; first < rows; first += together) {
          if (!is_moving[static_cast<std::size_t>(first)]) continue;
          double change = 0;  // of the rows' loss
          for (Index r = first; r < first + together; ++r)
            for (Index j = 0; j < b; ++j) {
              double slope = -2 * static_cast<double>(product(r, i + j));
              for (Index k = 0; k < b; ++k)
                slope += hessian(i + j, i + k) * static_cast<double>(found(r, k) - quantized(begin + r, i + k));
              change += static_cast<double>(found(r, j) - quantized(begin + r, i + j)) * slope;
            }
          if (!(change < 0)) continue;
          has_moved[static_cast<std::size_t>(first)] = 1;
          for (Index r = first; r < first + together; ++r)
            for (Index j = 0; j < b; ++j) {
              const T move = found(r, j) - quantized(begin + r, i + j);
              if (move != T(0)) product.row(r) -= move * layer.working_hessian().row(i + j);
              quantized(begin + r, i + j) = found(r, j);
            }
        }
      }
      is_moving = has_moved;
      if (std::find(has_moved.begin(), has_moved.end(), 1) == has_moved.end()) break;
    }
    for (Index i = 0; i < n; i += b) {
      target = quantized.block(begin, i, rows, b);
      quantizer(begin, i, ConstColumnsRef<T>(target), ColumnsRef<T>(found));
    }
  });
  context.check_stop();
}

}  // namespace basin
