#pragma once

#include <basin/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace basin {
/// One way to store a layer.
struct RatePoint {
  std::int64_t bits = 0;  ///< of the whole layer, everything that is stored counted
  double error = 0;       ///< what the model loses by it, in any unit that adds up over layers
};

/// A layer and the ways to store it, in any order; one way where there is nothing to choose.
struct RatedLayer {
  std::string name;
  std::vector<RatePoint> points;
};

/// Which way every layer takes, and what that comes to.
struct BitAllocation {
  std::vector<std::size_t> choice;  ///< position in the layer's points, one per layer
  std::int64_t bits = 0;
  double error = 0;
};

namespace detail {
/// A sum of bits and the least error that layers up to some one reach within it.
struct AllocationState {
  std::int64_t bits = 0;
  double error = 0;
  std::uint32_t before = 0;  ///< state of the layers before
  std::uint32_t choice = 0;
};

inline void check_rated_layers(std::span<const RatedLayer> layers, std::int64_t granularity) {
  if (granularity < 1) raise<ValueError>("allocate_bits: granularity must be at least 1 bit, got ", granularity);
  for (const RatedLayer& layer : layers) {
    if (layer.points.empty()) raise<ValueError>("allocate_bits: layer \"", layer.name, "\" has no way to be stored");
    for (const RatePoint& point : layer.points)
      if (point.bits < 0 || point.bits > std::int64_t{1} << 52 || !std::isfinite(point.error))
        raise<ValueError>("allocate_bits: layer \"", layer.name, "\" needs 0 to 2^52 bits and a finite error, got ", point.bits, " and ", point.error);
  }
}
}  // namespace detail

/// The way of storing every layer that loses least within a budget of bits, by dynamic programming over the sums that
/// no other sum beats in both bits and error.
///
/// @param budget       bits of all layers together
/// @param granularity  bits of a way count in multiples of this, rounded up: fewer sums where layers have many sizes. 1 is exact.
///
/// Accuracy  with granularity 1 no choice within the budget has a lower sum of errors; otherwise none within
///           budget - layers * (granularity - 1). The budget is kept either way.
/// Cost      layers * points * sums, and 24 bytes per layer and sum; at most 2^16 sums are kept.
/// Ties      fewer bits, then the earlier way.
/// @throws ValueError if the budget is below what the smallest ways take, an entry is not as RatePoint says, or there are
///         more than 2^16 sums: then raise the granularity.
[[nodiscard]] inline BitAllocation allocate_bits(std::span<const RatedLayer> layers, std::int64_t budget, std::int64_t granularity = 1) {
  using State = detail::AllocationState;
  detail::check_rated_layers(layers, granularity);
  const auto units = [&](const RatePoint& point) { return (point.bits + granularity - 1) / granularity; };
  const std::int64_t most = budget < 0 ? -1 : budget / granularity;
  std::int64_t least_left = 0;  // what the layers still to come take at least
  for (const RatedLayer& layer : layers) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const RatePoint& point : layer.points) least = std::min(least, units(point));
    least_left += least;
  }
  if (least_left > most)
    raise<ValueError>("allocate_bits: a budget of ", budget, " bits is less than the ", least_left * granularity, " that the smallest ways take");

  constexpr std::size_t most_states = std::size_t{1} << 16;
  std::vector<std::vector<State>> fronts{{State{}}};
  for (const RatedLayer& layer : layers) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const RatePoint& point : layer.points) least = std::min(least, units(point));
    least_left -= least;
    std::vector<State> sums;
    const std::vector<State>& before = fronts.back();
    for (std::size_t s = 0; s < before.size(); ++s)
      for (std::size_t c = 0; c < layer.points.size(); ++c) {
        const State sum{before[s].bits + units(layer.points[c]), before[s].error + layer.points[c].error, static_cast<std::uint32_t>(s),
                        static_cast<std::uint32_t>(c)};
        if (sum.bits + least_left <= most) sums.push_back(sum);
      }
    std::stable_sort(sums.begin(), sums.end(), [](const State& a, const State& b) {
      return a.bits != b.bits ? a.bits < b.bits : a.error < b.error;
    });
    std::vector<State> front;
    for (const State& sum : sums)
      if (front.empty() || sum.error < front.back().error) front.push_back(sum);
    if (front.size() > most_states)
      raise<ValueError>("allocate_bits: more than ", most_states, " sums of bits to tell apart at layer \"", layer.name,
                        "\"; raise the granularity above ", granularity);
    fronts.push_back(std::move(front));
  }

  BitAllocation best{std::vector<std::size_t>(layers.size()), 0, fronts.back().back().error};
  std::uint32_t at = static_cast<std::uint32_t>(fronts.back().size() - 1);
  for (std::size_t i = layers.size(); i-- > 0;) {
    const State& state = fronts[i + 1][at];
    best.choice[i] = state.choice;
    best.bits += layers[i].points[state.choice].bits;
    at = state.before;
  }
  return best;
}

}  // namespace basin
