#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>
#include <basin/pipeline/report.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace basin {
/// A layer, or a block of a model, that can take few or many bits.
struct PrecisionCandidate {
  std::string name;
  double weights = 0;      ///< how many it has
  double low_bits = 0;     ///< per weight, everything that is stored counted
  double high_bits = 0;    ///< as low_bits, and more
  double sensitivity = 0;  ///< what the model loses when this alone takes few bits, at least 0
};

/// Which candidates take many bits, and what that comes to.
struct MixedPrecision {
  std::vector<bool> is_high;     ///< one per candidate
  std::vector<std::size_t> order;  ///< candidates from most to least gain per bit
  double bits_per_weight = 0;    ///< mean over all weights
  double sensitivity = 0;        ///< sum over the candidates that take few bits

  [[nodiscard]] std::size_t num_high() const noexcept {
    return static_cast<std::size_t>(std::count(is_high.begin(), is_high.end(), true));
  }
};

/// The sensitivity of a block by the losses of its layers: how much more of their outputs they lose at few bits.
///
/// @param low, high  reports of the same layers in the same order. @throws ShapeError unless there are as many.
/// Of the three measures (KlDivergence of the model's predictions, OutputError of the block, this) it is the cheapest and
/// the worst: relative errors do not compare across layers.
[[nodiscard]] inline double loss_difference(std::span<const QuantizationReport> low, std::span<const QuantizationReport> high) {
  if (low.size() != high.size())
    raise<ShapeError>("loss_difference: needs two reports of every layer, got ", low.size(), " at few and ", high.size(), " at many bits");
  double sum = 0;
  for (std::size_t i = 0; i < low.size(); ++i) sum += low[i].relative_error - high[i].relative_error;
  return sum;
}

namespace detail {
[[nodiscard]] inline double extra_bits(const PrecisionCandidate& candidate) noexcept {
  return candidate.weights * (candidate.high_bits - candidate.low_bits);
}

inline void check_candidates(std::span<const PrecisionCandidate> candidates) {
  if (candidates.empty()) raise<ValueError>("mixed precision: there is nothing to choose from");
  for (const PrecisionCandidate& c : candidates) {
    if (!(c.weights > 0) || !(c.low_bits >= 0) || !(c.high_bits > c.low_bits) || !std::isfinite(c.weights * c.high_bits))
      raise<ValueError>("mixed precision: \"", c.name, "\" needs weights and 0 <= low_bits < high_bits, got ", c.weights, ", ", c.low_bits,
                        " and ", c.high_bits);
    if (!(c.sensitivity >= 0) || !std::isfinite(c.sensitivity))
      raise<ValueError>("mixed precision: the sensitivity of \"", c.name, "\" must be finite and at least 0, got ", c.sensitivity);
  }
}

/// Most gain per bit first; the earlier one of equals.
[[nodiscard]] inline std::vector<std::size_t> by_gain(std::span<const PrecisionCandidate> candidates) {
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return candidates[a].sensitivity * extra_bits(candidates[b]) > candidates[b].sensitivity * extra_bits(candidates[a]);
  });
  return order;
}

[[nodiscard]] inline MixedPrecision mixed(std::span<const PrecisionCandidate> candidates, std::vector<std::size_t> order,
                                          std::vector<bool> is_high) {
  MixedPrecision chosen{std::move(is_high), std::move(order), 0, 0};
  double weights = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const PrecisionCandidate& c = candidates[i];
    weights += c.weights;
    chosen.bits_per_weight += c.weights * (chosen.is_high[i] ? c.high_bits : c.low_bits);
    if (!chosen.is_high[i]) chosen.sensitivity += c.sensitivity;
  }
  chosen.bits_per_weight /= weights;
  return chosen;
}
}  // namespace detail

/// Many bits for the `count` candidates that gain most per bit.
///
/// For candidates of equal size no other choice of as many leaves a lower sum of sensitivities.
/// @throws ValueError if a candidate is not as PrecisionCandidate says, or count is outside 0 to their number.
/// Source    the L-layer scheme of Qift, arXiv:2606.02823.
[[nodiscard]] inline MixedPrecision most_sensitive(std::span<const PrecisionCandidate> candidates, Index count) {
  detail::check_candidates(candidates);
  if (count < 0 || count > static_cast<Index>(candidates.size()))
    raise<ValueError>("most_sensitive: count must be in [0, ", candidates.size(), "], got ", count);
  std::vector<std::size_t> order = detail::by_gain(candidates);
  std::vector<bool> is_high(candidates.size());
  for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) is_high[order[k]] = true;
  return detail::mixed(candidates, std::move(order), std::move(is_high));
}

/// Many bits for candidates in order of gain per bit, as long as the mean stays within a budget; one that no longer fits is
/// passed over.
///
/// Optimal for candidates of equal size; otherwise within the gain of one candidate of the optimum.
/// @throws ValueError as most_sensitive, or if the budget is below what few bits everywhere take.
[[nodiscard]] inline MixedPrecision within_budget(std::span<const PrecisionCandidate> candidates, double bits_per_weight) {
  detail::check_candidates(candidates);
  double weights = 0, spent = 0;
  for (const PrecisionCandidate& c : candidates) {
    weights += c.weights;
    spent += c.weights * c.low_bits;
  }
  if (!(bits_per_weight * weights >= spent))
    raise<ValueError>("within_budget: ", bits_per_weight, " bits per weight are less than the ", spent / weights,
                      " that few bits everywhere take");
  const double most = bits_per_weight * weights * (1 + 1e-12);  // a budget that is met exactly counts as kept
  std::vector<std::size_t> order = detail::by_gain(candidates);
  std::vector<bool> is_high(candidates.size());
  for (const std::size_t i : order) {
    const double extra = detail::extra_bits(candidates[i]);
    if (spent + extra > most) continue;
    spent += extra;
    is_high[i] = true;
  }
  return detail::mixed(candidates, std::move(order), std::move(is_high));
}

}  // namespace basin
