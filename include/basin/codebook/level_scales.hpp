#pragma once

#include <basin/codebook/concepts.hpp>
#include <basin/codebook/level_weight.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/levels/nearest_level.hpp>

#include <cmath>
#include <concepts>

namespace basin {
namespace detail {
/// The values of some rows without their scales, [rows, n_in].
template <std::floating_point T>
[[nodiscard]] Matrix<T> unscaled_rows(const LevelWeight<T>& weight, Index first, Index rows) {
  Matrix<T> values(rows, weight.n_in());
  for (Index r = 0; r < rows; ++r)
    for (Index i = 0; i < weight.n_in(); ++i)
      values(r, i) = weight.levels[weight.codes(first + r, i)] - weight.zero_point(first + r);
  return values;
}

/// Nearest codes of one row; `scaled` has room for n_in values.
template <std::floating_point T>
void nearest_codes(ConstMatrixRef<T> weight, const NearestLevel<T>& nearest, Index o, Vector<T>& scaled,
                   LevelWeight<T>& quantized) {
  const T scale = quantized.scales(o), zero_point = quantized.zero_point(o);
  if (scale == 0) scaled.setConstant(zero_point);
  else scaled = (weight.row(o).transpose().array() / scale + zero_point).matrix();
  nearest.codes(scaled.data(), scaled.size(), quantized.codes.row(o).data());
}
}  // namespace detail

/// Gives every weight the nearest level, under the scales and zero points that are there.
///
/// Shapes    W: that of the quantized weight.
/// Ties      the lower code. A row of scale 0 gets the code nearest to its zero point, 0 where it has none.
/// Cost      levels.size() - 1 comparisons a weight.
template <std::floating_point T>
void nearest_codes(ConstMatrixRef<T> weight, LevelWeight<T>& quantized, const RunContext& context = {}) {
  BASIN_ASSERT(weight.rows() == quantized.n_out() && weight.cols() == quantized.n_in());
  const NearestLevel<T> nearest(quantized.levels);
  for_each_range(context, weight.rows(), 16, [&](Index begin, Index end) {
    Vector<T> scaled(weight.cols());
    for (Index o = begin; o < end; ++o) detail::nearest_codes(weight, nearest, o, scaled, quantized);
  });
}

/// Moves scales and codes to where the squared error |W - What|^2 stands still: least squares for the codes,
/// nearest codes for the scale, in turn.
///
///     s[o] = sum_i w[o, i] q[o, i] / sum_i q[o, i]^2,   q the row without its scale
///
/// Shapes    W: that of the quantized weight, whose codes need not be set.
/// Cost      up to max_rounds roundings of every weight; a row whose codes no longer change is done.
/// Accuracy  no row's squared error rises, beyond rounding. Rows of scale 0 stay.
template <std::floating_point T>
void refine_scales(ConstMatrixRef<T> weight, LevelWeight<T>& quantized, int max_rounds,
                   const RunContext& context = {}) {
  nearest_codes(weight, quantized, context);
  const NearestLevel<T> nearest(quantized.levels);
  for_each_range(context, weight.rows(), 16, [&](Index begin, Index end) {
    Vector<T> scaled(weight.cols());
    for (Index o = begin; o < end; ++o) {
      for (int round = 0; round < max_rounds && quantized.scales(o) != 0; ++round) {
        const Matrix<double> q = detail::unscaled_rows(quantized, o, 1).template cast<double>();
        const double pull = weight.row(o).template cast<double>().dot(q.row(0)), energy = q.squaredNorm();
        if (!(pull > 0)) break;
        quantized.scales(o) = static_cast<T>(pull / energy);
        const auto before = quantized.codes.row(o).eval();
        detail::nearest_codes(weight, nearest, o, scaled, quantized);
        if (quantized.codes.row(o) == before) break;
      }
    }
  });
}

/// Scales that minimise the full-Hessian objective for fixed codes.
///
///     s[o] = (w_o H q_o^T) / (q_o H q_o^T),   q_o the row without its scale
///
/// A row whose best scale is not positive keeps what it has, and so does one of scale 0.
///
/// Cost      n_out * n_in^2 multiply-adds in T.
/// Accuracy  L does not rise, beyond the rounding of T. Codes and zero points stay.
/// Source    the least-squares scale of a quantized row; GPTQ itself keeps the scale of the search.
struct LevelScales {
  template <class T>
  void update(const LayerObjective<T>& layer, LevelWeight<T>& weight, const RunContext& context = {}) const {
    if (weight.n_out() != layer.n_out() || weight.n_in() != layer.padded_in())
      raise<ShapeError>("LevelScales: the layer is [", layer.n_out(), ", ", layer.padded_in(), "], the quantized weight [",
                        weight.n_out(), ", ", weight.n_in(), "]");
    context.check_stop();
    for_each_range(context, weight.n_out(), LayerObjective<T>::rows_per_task, [&](Index begin, Index end) {
      const Matrix<T> q = detail::unscaled_rows(weight, begin, end - begin);
      const Matrix<T> product = q * layer.working_hessian();
      for (Index r = 0; r < q.rows(); ++r) {
        T& scale = weight.scales(begin + r);
        const auto row = q.row(r).template cast<double>();
        const double pull = row.dot(layer.weight_product().row(begin + r).template cast<double>());
        const T best = static_cast<T>(pull / row.dot(product.row(r).template cast<double>()));
        if (scale != 0 && best > 0 && std::isfinite(best)) scale = best;
      }
    });
  }
};
static_assert(Updater<LevelScales, LevelWeight<float>> && Updater<LevelScales, LevelWeight<double>>);

}  // namespace basin
