#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/levels/nearest_level.hpp>
#include <basin/search/detail/row_products.hpp>
#include <basin/search/level_quantizer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

/// What the searchers of level weights share.
namespace basin::detail {
/// @throws ShapeError if the weight is not one of this layer. @throws ValueError if it has no levels.
template <class T>
void check_same_layer(const LayerObjective<T>& layer, const LevelWeight<T>& weight) {
  if (weight.n_out() != layer.n_out() || weight.n_in() != layer.padded_in() || weight.scales.size() != weight.n_out() ||
      (weight.zero_points.size() != 0 && weight.zero_points.size() != weight.n_out()))
    raise<ShapeError>("search: the layer is [", layer.n_out(), ", ", layer.padded_in(), "] padded, the quantized weight [",
                      weight.n_out(), ", ", weight.n_in(), "] with ", weight.scales.size(), " scales and ",
                      weight.zero_points.size(), " zero points");
  if (weight.levels.size() < 2 || weight.levels.size() > 256)
    raise<ValueError>("search: a level weight has 2 to 256 levels, got ", weight.levels.size());
}

/// Gives `weight` the rows of `found` whose loss is lower, in double.
template <class T>
void keep_better_rows(const LayerObjective<T>& layer, const LevelWeight<T>& found, LevelWeight<T>& weight,
                      const RunContext& context) {
  context.check_stop();
  if (found.codes == weight.codes) return;
  const Vector<double> before = layer.row_losses(weight.decode(context), context);
  const Vector<double> after = layer.row_losses(found.decode(context), context);
  for (Index o = 0; o < weight.n_out(); ++o)
    if (after(o) < before(o)) weight.codes.row(o) = found.codes.row(o);
}

/// P = R H of rows [first, first + count), [count, n_in], R = W - What.
template <class T>
void residual_products(const LayerObjective<T>& layer, const LevelWeight<T>& weight, Index first, Index count, T* out) {
  const Index n = layer.padded_in();
  Matrix<T> residual = layer.weight().middleRows(first, count);
  for (Index r = 0; r < count; ++r)
    for (Index i = 0; i < n; ++i) residual(r, i) -= weight.value(first + r, weight.codes(first + r, i));
  row_products(residual.data(), count, n, layer.working_hessian().data(), n, n, n, out, n);
}
template <class T>
[[nodiscard]] Matrix<T> residual_products(const LayerObjective<T>& layer, const LevelWeight<T>& weight,
                                          const RunContext& context) {
  Matrix<T> product(layer.n_out(), layer.padded_in());
  for_each_range(context, layer.n_out(), feedback_rows, [&](Index begin, Index end) {
    residual_products(layer, weight, begin, end - begin, product.data() + begin * product.cols());
  });
  return product;
}

/// Coordinate descent of some rows, input by input, with P = R H kept up to date.
template <class T>
class RowDescent {
 public:
  RowDescent(const LayerObjective<T>& layer, const NearestLevel<T>& levels, LevelWeight<T>& weight, Index first, Index count)
      : hessian_(layer.working_hessian()),
        levels_(levels),
        weight_(weight),
        first_(first),
        columns_(layer.padded_in()),
        product_(count, columns_),
        delta_(static_cast<std::size_t>(count * block_inputs)),
        changed_(static_cast<std::size_t>(count)),
        is_moving_(static_cast<std::size_t>(count), 1) {
    residual_products(layer, weight, first, count, product_.data());
  }

  /// One visit of every input; whether a code changed.
  bool sweep() {
    std::vector<char> has_moved(is_moving_.size(), 0);
    for (Index begin = 0; begin < columns_; begin += block_inputs) {
      const Index inputs = std::min(block_inputs, columns_ - begin);
      for (std::size_t r = 0; r < is_moving_.size(); ++r) {
        changed_[r].clear();
        if (is_moving_[r]) visit(static_cast<Index>(r), begin, inputs);
        if (!changed_[r].empty()) has_moved[r] = 1;
      }
      spread(begin, inputs);
    }
    is_moving_ = has_moved;
    return std::find(has_moved.begin(), has_moved.end(), 1) != has_moved.end();
  }

 private:
  static constexpr Index block_inputs = 128;

  /// Moves the codes of a few inputs of one row; P follows inside these inputs.
  void visit(Index r, Index begin, Index inputs) {
    const Index o = first_ + r;
    const T scale = weight_.scales(o), zero = weight_.zero_point(o);
    if (scale == T(0)) return;
    T* product = product_.data() + r * columns_ + begin;
    T* delta = delta_.data() + r * block_inputs;
    for (Index i = 0; i < inputs; ++i) {
      const T* row = hessian_.data() + (begin + i) * columns_ + begin;
      if (!(row[i] > T(0))) continue;
      std::uint8_t& code = weight_.codes(o, begin + i);
      const T value = weight_.value(o, code);
      const T target = value + product[i] / row[i];
      const std::uint8_t nearest = levels_.code(target / scale + zero);
      const T moved = weight_.value(o, nearest);
      // At a tie, up to rounding, the present code stays.
      const T rounding = 8 * std::numeric_limits<T>::epsilon() * (std::abs(value) + std::abs(moved));
      if (!(std::abs(target - moved) + rounding < std::abs(target - value))) continue;
      code = nearest;
      delta[i] = moved - value;
      changed_[static_cast<std::size_t>(r)].push_back(i);
      for (Index c = 0; c < inputs; ++c) product[c] -= delta[i] * row[c];
    }
  }
  /// P outside the inputs just visited, for all rows while these rows of H are in a cache.
  void spread(Index begin, Index inputs) {
    constexpr Index step = product_columns<T>;
    const auto update = [&](Index from, Index to) {
      for (Index c = from; c < to; c += step)
        for (std::size_t r = 0; r < changed_.size(); ++r) {
          if (changed_[r].empty()) continue;
          T* product = product_.data() + static_cast<Index>(r) * columns_ + c;
          subtract_changes(product, delta_.data() + static_cast<Index>(r) * block_inputs, changed_[r].data(),
                           static_cast<Index>(changed_[r].size()), Index{1}, hessian_.data() + begin * columns_ + c, columns_,
                           std::min(step, to - c), product);
        }
    };
    update(0, begin);
    update(begin + inputs, columns_);
  }

  const Matrix<T>& hessian_;
  const NearestLevel<T>& levels_;
  LevelWeight<T>& weight_;
  Index first_, columns_;
  Matrix<T> product_;                         // P, [rows, n_in]
  AlignedVector<T> delta_;                    // [rows, block_inputs], where changed
  std::vector<std::vector<Index>> changed_;   // per row, inputs of the block
  std::vector<char> is_moving_;
};

/// Up to `sweeps` sweeps of coordinate descent; rows that stand still are left alone.
template <class T>
void refine_codes(const LayerObjective<T>& layer, LevelWeight<T>& weight, int sweeps, const RunContext& context) {
  if (sweeps < 0) raise<ValueError>("search: the number of sweeps must be at least 0, got ", sweeps);
  if (sweeps == 0) return;
  const NearestLevel<T> levels(weight.levels);
  for_each_range(context, weight.n_out(), feedback_rows, [&](Index begin, Index end) {
    if (context.stop.stop_requested()) return;
    RowDescent<T> rows(layer, levels, weight, begin, end - begin);
    for (int sweep = 0; sweep < sweeps && !context.stop.stop_requested(); ++sweep)
      if (!rows.sweep()) break;
  });
}

}  // namespace basin::detail
