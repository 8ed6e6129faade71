#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/metric/layer_objective.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/random.hpp"

namespace basin::test {
/// The nearest level by trying all; ties go to the lower one.
template <std::floating_point T>
[[nodiscard]] std::uint8_t nearest_code(const LevelWeight<T>& weight, Index o, T target) {
  std::uint8_t best = 0;
  for (std::size_t k = 1; k < weight.levels.size(); ++k)
    if (std::abs(target - weight.value(o, static_cast<std::uint8_t>(k))) < std::abs(target - weight.value(o, best)))
      best = static_cast<std::uint8_t>(k);
  return best;
}

/// Every weight to its nearest level.
template <std::floating_point T>
void round_to_nearest(const Matrix<T>& original, LevelWeight<T>& weight) {
  weight.codes.resize(original.rows(), original.cols());
  for (Index o = 0; o < original.rows(); ++o)
    for (Index i = 0; i < original.cols(); ++i) weight.codes(o, i) = nearest_code(weight, o, original(o, i));
}

/// Nearest levels under the scales of least squared error out of 80 fractions of max |w| / max |level|.
template <std::floating_point T>
[[nodiscard]] LevelWeight<T> rounded_weight(const Matrix<T>& original, const std::vector<T>& levels) {
  LevelWeight<T> best{levels, {}, Vector<T>::Zero(original.rows()), {}};
  Vector<T> lowest(original.rows());
  for (int i = 0; i < 80; ++i) {
    LevelWeight<T> weight = best;
    weight.scales = original.rowwise().template lpNorm<Eigen::Infinity>() / levels.back() * static_cast<T>(1 - i / 100.0);
    round_to_nearest(original, weight);
    const Vector<T> errors = (original - weight.decode()).rowwise().squaredNorm();
    for (Index o = 0; o < original.rows(); ++o)
      if (i == 0 || errors(o) < lowest(o)) {
        lowest(o) = errors(o);
        best.scales(o) = weight.scales(o);
      }
  }
  round_to_nearest(original, best);
  return best;
}

/// Codes and scales drawn at random, of the size of normal weights; with zero points on request.
template <std::floating_point T>
[[nodiscard]] LevelWeight<T> random_levels(Index n_out, Index n_in, std::vector<T> levels, bool with_zero_points, Rng& rng) {
  LevelWeight<T> weight{std::move(levels), Matrix<std::uint8_t>(n_out, n_in), Vector<T>(n_out), {}};
  for (Index o = 0; o < n_out; ++o) {
    for (Index i = 0; i < n_in; ++i)
      weight.codes(o, i) = static_cast<std::uint8_t>(rng.below(static_cast<Index>(weight.levels.size())));
    weight.scales(o) = static_cast<T>(0.7 + 0.6 * rng.uniform());
  }
  if (with_zero_points) {
    weight.zero_points.resize(n_out);
    for (Index o = 0; o < n_out; ++o) weight.zero_points(o) = static_cast<T>(rng.below(3) - 1);
  }
  return weight;
}

template <std::floating_point T>
[[nodiscard]] Vector<double> group_losses(const LayerObjective<T>& layer, const LevelWeight<T>& weight) {
  return layer.row_losses(weight.decode());
}
template <std::floating_point T>
[[nodiscard]] double total_loss(const LayerObjective<T>& layer, const LevelWeight<T>& weight) {
  return layer.loss(weight.decode());
}

/// Rows [first, first + count) of a weight, and of its layer.
template <std::floating_point T>
[[nodiscard]] LevelWeight<T> some_groups(const LevelWeight<T>& weight, Index first, Index count) {
  LevelWeight<T> part{weight.levels, weight.codes.middleRows(first, count), weight.scales.segment(first, count), {}};
  if (weight.zero_points.size() > 0) part.zero_points = weight.zero_points.segment(first, count);
  return part;
}
template <std::floating_point T>
[[nodiscard]] LayerObjective<T> some_groups(const LayerObjective<T>& layer, const LevelWeight<T>&, Index first, Index count) {
  return LayerObjective<T>(layer.weight().middleRows(first, count), layer.hessian(), 1);
}

template <std::floating_point T>
[[nodiscard]] Index in_group_size(const LevelWeight<T>&) {
  return 1;
}
template <std::floating_point T>
[[nodiscard]] Index num_values(const LevelWeight<T>& weight) {
  return static_cast<Index>(weight.levels.size());
}
template <std::floating_point T>
[[nodiscard]] Index largest_code(const LevelWeight<T>& weight) {
  return weight.codes.maxCoeff();
}
template <std::floating_point T>
[[nodiscard]] bool same_but_codes(const LevelWeight<T>& a, const LevelWeight<T>& b) {
  return a.levels == b.levels && a.scales == b.scales && a.zero_points.size() == b.zero_points.size() &&
         a.zero_points == b.zero_points;
}
/// Weights like this one that belong to other layers.
template <std::floating_point T>
[[nodiscard]] std::vector<LevelWeight<T>> foreign_weights(const LevelWeight<T>& weight) {
  std::vector<LevelWeight<T>> foreign(4, weight);
  foreign[0].codes.conservativeResize(weight.n_out() + 1, weight.n_in());
  foreign[1].codes.conservativeResize(weight.n_out(), weight.n_in() + 1);
  foreign[2].scales.conservativeResize(weight.n_out() + 1);
  foreign[3].zero_points = Vector<T>::Zero(weight.n_out() + 1);
  return foreign;
}

[[nodiscard]] inline Index changed_codes(const Matrix<std::uint8_t>& a, const Matrix<std::uint8_t>& b) {
  return (a.array() != b.array()).count();
}

}  // namespace basin::test
