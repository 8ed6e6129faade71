#pragma once

#include <basin/core/error.hpp>
#include <basin/init/concepts.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/search/joint_beam.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

namespace basin {
/// An initializer under a metric of its own, whatever the quantizer's: so that a race can pit metrics
/// against each other.
template <MetricPolicy Metric, class Init>
struct OnMetric {
  Metric metric;
  Init init;
  OnMetric(Metric own_metric, Init own_init) : metric(std::move(own_metric)), init(std::move(own_init)) {}

  template <std::floating_point T, class Codomain>
    requires Initializer<Init, T, Codomain>
  [[nodiscard]] auto initialize(const LayerObjective<T>& layer, const HessianBlocks&, const Codomain& codomain,
                                std::uint64_t seed, const RunContext& context) const {
    const HessianBlocks blocks =
        make_blocks(metric, layer.hessian().topLeftCorner(layer.n_in(), layer.n_in()), codomain.in_group_size, context);
    return init.initialize(layer, blocks, codomain, seed, context);
  }
};

/// A race of initializers: each starts the layer, gets one joint pass, and the lowest loss goes on.
/// What a start is worth shows after the search has reacted to it, not before.
///
/// Cost      the initializers' own, and one JointBeam pass of beam 1 each.
/// Notes     "best_of": the position of the winner in the argument list, from 0, and all losses.
/// Source    this library (docs/pipeline/best_of.md).
template <class... Inits>
class BestOf {
 public:
  explicit BestOf(Inits... inits) : inits_(std::move(inits)...) {}

  template <std::floating_point T, class Codomain>
    requires(Initializer<Inits, T, Codomain> && ...)
  [[nodiscard]] auto initialize(const LayerObjective<T>& layer, const HessianBlocks& blocks, const Codomain& codomain,
                                std::uint64_t seed, const RunContext& context) const {
    using Weight = decltype(std::get<0>(inits_).initialize(layer, blocks, codomain, seed, context));
    std::optional<Weight> best;
    double lowest = std::numeric_limits<double>::infinity();
    std::size_t winner = 0, entrant = 0;
    std::string losses;
    const auto race = [&](const auto& init) {
      Weight weight = init.initialize(layer, blocks, codomain, seed, context);
      JointBeam{.beam_size = 1}.search(layer, weight, seed, 0, context);
      const double loss = layer.loss(weight.decode(context), context);
      losses += concat(entrant == 0 ? "" : ", ", layer.relative_error(loss));
      if (!best || loss < lowest) {
        best = std::move(weight);
        lowest = loss;
        winner = entrant;
      }
      ++entrant;
    };
    std::apply([&](const auto&... init) { (race(init), ...); }, inits_);
    context.decided("best_of", concat("initializer ", winner, " of relative errors ", losses));
    return *std::move(best);
  }

 private:
  std::tuple<Inits...> inits_;
};

}  // namespace basin
