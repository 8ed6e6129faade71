#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/check_hessian.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/feedback_tile.hpp>
#include <basin/search/detail/level_rows.hpp>
#include <basin/search/feedback_factor.hpp>
#include <basin/search/level_quantizer.hpp>
#include <basin/search/order.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace basin {
namespace detail {
/// losses += eta D eta^T per row, eta = target - quantized.
template <class Columns, class Diagonal>
void add_losses(const Columns& target, const Columns& quantized, const Diagonal& diagonal, Eigen::Ref<Vector<double>> losses) {
  for (Index i = 0; i < target.cols(); ++i)
    for (Index j = 0; j < target.cols(); ++j)
      losses.array() += diagonal(i, j) * (target.col(i) - quantized.col(i)).template cast<double>().array() *
                        (target.col(j) - quantized.col(j)).template cast<double>().array();
}
}  // namespace detail

/// Quantizes a weight block of inputs by block of inputs, each making up for the errors before it:
/// GPTQ, LDLQ and BlockLDLQ.
///
///     q_k = quantizer(t_k),   t_k = w_k + r_{<k} T_{<k,k} + t_{<k} K_{<k,k},   r = w - q
///
/// with T and, for asymmetric calibration only, K of the factor. GPTQ subtracts e_k U_{k,>k} from the columns
/// to come, e_k = (t_k - q_k) / U_kk, which is the same recursion without a look at the inverse.
///
/// Shapes    W: [n_out, n_in];  result: [n_out];  the quantizer sees feedback_rows rows and `width` inputs at
///           a time.
/// @return   e e^T per row, sum_k eta_k D_k eta_k^T with eta = t - q; without K that is r (H + damping I) r^T.
/// Cost      n_out n_in^2 / 2 multiply-adds in T, twice with K, and the quantizer; n_in values per row
///           and thread.
/// Accuracy  each target is one sum in T, in the order of places: its bits depend on no other row and no
///           executor, and without K not on block_inputs. Row losses are summed in double.
/// @throws ShapeError if W is not [any, n_in]. @throws ValueError naming an entry of W that is not finite.
/// @throws Cancelled if the host asks to stop: the quantizer has then seen some of the blocks.
/// Source    GPTQ, arXiv:2210.17323; LDLQ, arXiv:2307.13304; BlockLDLQ, arXiv:2402.04396; K: arXiv:2504.02692.
template <std::floating_point T, ColumnQuantizer<T> Quantize>
Vector<double> error_feedback(ConstMatrixRef<T> weight, const FeedbackFactor<T>& factor, Quantize&& quantizer,
                              const RunContext& context = {}) {
  const Index n = factor.n_in(), width = factor.width(), panel_inputs = factor.panel_inputs();
  if (weight.cols() != n)
    raise<ShapeError>("error_feedback: H has ", n, " inputs, so W must be [n_out, ", n, "], got [", weight.rows(), ", ",
                      weight.cols(), "]");
  check_finite_weight<T>(weight);
  context.check_stop();
  const Index together = std::max(width, 16 / width * width);
  using Columns = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>, 0, Eigen::OuterStride<>>;
  Vector<double> losses = Vector<double>::Zero(weight.rows());
  for_each_range(context, weight.rows(), feedback_rows, [&](Index begin, Index end) {
    detail::FeedbackTile<T> tile(factor, weight, begin, end - begin);
    const Index rows = end - begin, stride = tile.stride();
    AlignedVector<T> targets(static_cast<std::size_t>(factor.has_drift() ? n * stride : 0));
    auto row_losses = losses.segment(begin, rows);
    for (Index first = 0; first < n && !context.stop.stop_requested(); first += panel_inputs) {
      const Index panel = first / panel_inputs, columns = std::min(panel_inputs, n - first);
      const T* feedback = factor.feedback(panel);
      tile.open(panel);
      if (factor.has_drift()) tile.add(targets.data(), factor.drift(panel), first, columns, tile.target());
      for (Index k = 0; k < columns; k += width) {
        T* target = tile.target() + k * stride;
        T* residual = tile.residual() + (first + k) * stride;
        // What the panel's own places send comes in two steps: to `together` columns at once, then one by one.
        const Index begun = k / together * together;
        const auto gather = [&](const T* from, const T* factors) {
          from += first * stride;
          factors += first * panel_inputs + k;
          if (k == begun) tile.add(from, factors, k, std::min(together, columns - k), target);
          tile.add(from + begun * stride, factors + begun * panel_inputs, k - begun, width, target);
        };
        gather(tile.residual(), feedback);
        if (factor.has_drift()) {
          gather(targets.data(), factor.drift(panel));
          std::copy_n(target, width * stride, targets.data() + (first + k) * stride);
        }
        // The quantizer writes where the residual will be.
        const Columns t(target, rows, width, Eigen::OuterStride<>(stride));
        Columns q(residual, rows, width, Eigen::OuterStride<>(stride));
        quantizer(begin, factor.input(first + k), ConstColumnsRef<T>(t), ColumnsRef<T>(q));
        detail::add_losses(t, q, factor.diagonal(first + k), row_losses);
        const T* original = tile.original() + k * stride;
        for (Index i = 0; i < width * stride; ++i) residual[i] = original[i] - residual[i];
      }
    }
  });
  context.check_stop();
  return losses;
}

/// Codes of a level weight by error feedback from scratch, then sweeps of coordinate descent; a row takes
/// them if its loss falls.
///
/// Cost      a factorization of H and n_out n_in^2 / 2 multiply-adds, more for sweeps (see
///           CoordinateRefinement); the losses that decide are summed in double, n_out n_in^2 multiply-adds.
/// Accuracy  no row's loss rises, under the undamped H.
/// Ties      the lower level is nearest; a row whose loss does not fall keeps its codes.
/// Errors    ShapeError for a foreign weight; ValueError as FeedbackFactor.
/// Source    GPTQ, arXiv:2210.17323.
struct ErrorFeedback {
  double damping = 0.01;  ///< of H, relative to mean(diag H)
  VisitOrder order = VisitOrder::natural;
  int sweeps = 0;

  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t seed = 0, std::uint64_t pass = 0,
              const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    context.check_stop();
    LevelWeight<T> found = weight;
    const FeedbackFactor<T> factor(layer.hessian(), {.damping = damping, .order = order}, seed, pass, context);
    error_feedback<T>(layer.weight(), factor, LevelQuantizer<T>(found), context);
    detail::refine_codes(layer, found, sweeps, context);
    detail::keep_better_rows(layer, found, weight, context);
  }
};
static_assert(Searcher<ErrorFeedback, LevelWeight<float>>);

}  // namespace basin
