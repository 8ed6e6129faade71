#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/random.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/damping.hpp>
#include <basin/levels/nearest_level.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/level_beam_tile.hpp>
#include <basin/search/detail/level_rows.hpp>
#include <basin/search/feedback_factor.hpp>
#include <basin/search/order.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace basin {
namespace detail {
/// Places in the order of detection: first whichever costs most to get wrong while all others make up for it,
/// 1 / inverse(i, i), then the same among those that are left. The lower place first where two cost the same.
[[nodiscard]] inline std::vector<Index> detection_order(Matrix<double> inverse) {
  const Index n = inverse.rows();
  std::vector<Index> order = identity_order(n);
  for (Index k = 0; k < n; ++k) {
    const auto left = order.begin() + k;
    const auto next = std::min_element(left, order.end(), [&](Index a, Index b) { return inverse(a, a) < inverse(b, b); });
    std::rotate(left, next, next + 1);
    // The inverse of what H has without this place.
    const Vector<double> row = inverse.row(*left).transpose() / std::sqrt(inverse(*left, *left));
    for (auto i = left + 1; i != order.end(); ++i) inverse.row(*i) -= row(*i) * row.transpose();
  }
  return order;
}

/// The codes of some inputs S, chosen together while those of all others stay:
///
///     minimise d H_SS d^T - 2 d P_S^T,   d = What_S after - What_S before,   P = R H
///
/// which is a beam over targets What_S + P_S (H_SS + damping I)^-1 under H_SS alone, in detection_order().
template <class T>
class InputSubset {
 public:
  InputSubset(const LayerObjective<T>& layer, std::vector<Index> inputs, double damping, const RunContext& context)
      : layer_(layer), inputs_(std::move(inputs)), hessian_(layer.hessian()(inputs_, inputs_)) {
    if (is_dead()) return;
    const Matrix<double> lower = damped_cholesky(hessian_, relative_damping(hessian_, damping)).lower;
    inverse_ = Matrix<double>::Identity(size(), size());
    lower.triangularView<Eigen::Lower>().solveInPlace(inverse_);
    lower.transpose().triangularView<Eigen::Upper>().solveInPlace(inverse_);
    const std::vector<Index> order = detection_order(inverse_);
    inverse_ = inverse_(order, order).eval();
    std::vector<Index> ordered;
    for (const Index place : order) ordered.push_back(inputs_[static_cast<std::size_t>(place)]);
    inputs_ = std::move(ordered);
    hessian_ = layer.hessian()(inputs_, inputs_);
    factor_.emplace(hessian_, FeedbackOptions{.damping = damping}, 0, 0, context);
  }

  [[nodiscard]] bool is_dead() const noexcept { return hessian_.isZero(0); }

  /// Improves rows [first, first + count) of a weight and their P: [n_out, n_in].
  void improve(const NearestLevel<T>& levels, int beam_size, Index first, Index count, LevelWeight<T>& weight,
               Matrix<T>& product) const {
    LevelWeight<T> part{weight.levels, picked(weight.codes.middleRows(first, count)), weight.scales.segment(first, count), {}};
    if (weight.zero_points.size() != 0) part.zero_points = weight.zero_points.segment(first, count);
    const Matrix<T> before = part.decode();
    const Matrix<double> slope = picked(product.middleRows(first, count)).template cast<double>();
    Matrix<double> shift(count, size());
    row_products(slope.data(), count, size(), inverse_.data(), size(), size(), size(), shift.data(), size());
    const Matrix<T> targets = before + shift.template cast<T>();

    LevelBeamTile<T> tile(*factor_, targets, levels, part, beam_size, 0, count);
    for (Index p = 0; p * factor_->panel_inputs() < size(); ++p) tile.search_panel(p);
    tile.finish();

    const Matrix<T> moves = part.decode() - before;
    for (Index r = 0; r < count; ++r) {
      double change = 0;  // of the row's loss
      for (Index i = 0; i < size(); ++i) {
        if (moves(r, i) == T(0)) continue;
        double curvature = 0;
        for (Index j = 0; j < size(); ++j) curvature += hessian_(i, j) * static_cast<double>(moves(r, j));
        change += static_cast<double>(moves(r, i)) * (curvature - 2 * slope(r, i));
      }
      if (!(change < 0)) continue;
      for (Index i = 0; i < size(); ++i) {
        if (moves(r, i) == T(0)) continue;
        const Index input = inputs_[static_cast<std::size_t>(i)];
        weight.codes(first + r, input) = part.codes(r, i);
        product.row(first + r) -= moves(r, i) * layer_.working_hessian().row(input);
      }
    }
  }

 private:
  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(inputs_.size()); }
  /// The subset's columns.
  template <class Rows>
  [[nodiscard]] Matrix<typename Rows::Scalar> picked(const Rows& rows) const {
    Matrix<typename Rows::Scalar> columns(rows.rows(), size());
    for (Index r = 0; r < rows.rows(); ++r)
      for (Index i = 0; i < size(); ++i) columns(r, i) = rows(r, inputs_[static_cast<std::size_t>(i)]);
    return columns;
  }

  const LayerObjective<T>& layer_;
  std::vector<Index> inputs_;
  Matrix<double> hessian_, inverse_;  // [size, size]
  std::optional<FeedbackFactor<T>> factor_;
};
}  // namespace detail

/// Chooses the codes of many inputs of a level weight together while the others stay: a beam over each of the
/// subsets that a pass deals the inputs into at random, subsets of equal size.
///
/// Where CoordinateRefinement moves one input at a time, this moves up to `subset_inputs`. Unlike LevelBeam it
/// starts from the codes at hand, so that every pass improves them.
///
/// Cost      n_out n_in^2 multiply-adds for R H once; per pass about beam_size * subset_inputs / 2 per code, n_in per
///           changed code and n_in subset_inputs^2 for the order; the losses that decide are summed in double once,
///           n_out n_in^2 multiply-adds.
/// Accuracy  no row's loss rises.
/// Ties      a row keeps the codes of a subset whose loss does not fall.
/// Errors    ShapeError for a foreign weight; ValueError for a beam_size outside 1 to 4096, subset_inputs below 1,
///           negative passes or negative damping.
/// Source    large neighborhood search, with the beam of LevelBeam in the detection order of V-BLAST (Wolniansky et
///           al., 1998).
struct SubsetBeam {
  int beam_size = 4;
  int subset_inputs = 192;
  int passes = 3;
  double damping = 0.01;  ///< of a subset's part of H, relative to the mean of its diagonal

  template <class T>
  void search(const LayerObjective<T>& layer, LevelWeight<T>& weight, std::uint64_t seed, std::uint64_t pass,
              const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    if (beam_size < 1 || beam_size > 4096) raise<ValueError>("SubsetBeam: beam_size must be in [1, 4096], got ", beam_size);
    if (subset_inputs < 1) raise<ValueError>("SubsetBeam: subset_inputs must be at least 1, got ", subset_inputs);
    if (passes < 0) raise<ValueError>("SubsetBeam: the number of passes must be at least 0, got ", passes);
    context.check_stop();
    const Index n = layer.padded_in(), subsets = (n + subset_inputs - 1) / subset_inputs;
    const NearestLevel<T> levels(weight.levels);
    LevelWeight<T> found = weight;
    Matrix<T> product = detail::residual_products(layer, found, context);
    for (int round = 0; round < passes; ++round) {
      SplitMix64 random = keyed_random(seed, {0x5b5e7, pass, static_cast<std::uint64_t>(round)});
      const std::vector<Index> order = detail::group_order(VisitOrder::shuffled, layer.hessian().diagonal(), 1, random);
      for (Index s = 0; s < subsets; ++s) {
        context.check_stop();
        const detail::InputSubset<T> subset(layer, {order.begin() + n * s / subsets, order.begin() + n * (s + 1) / subsets},
                                            damping, context);
        if (subset.is_dead()) continue;
        for_each_range(context, layer.n_out(), feedback_rows, [&](Index first, Index last) {
          subset.improve(levels, beam_size, first, last - first, found, product);
        });
      }
    }
    detail::keep_better_rows(layer, found, weight, context);
  }
};
static_assert(Searcher<SubsetBeam, LevelWeight<float>>);

}  // namespace basin
