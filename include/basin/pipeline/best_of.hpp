#pragma once

#include <basin/codebook/least_squares.hpp>
#include <basin/core/error.hpp>
#include <basin/init/concepts.hpp>
#include <basin/metric/concepts.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/joint_beam.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
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
        make_blocks(metric, layer.hessian().topLeftCorner(layer.n_in(), layer.n_in()), in_group_size(codomain), context);
    return init.initialize(layer, blocks, codomain, seed, context);
  }
};

/// A race of initializers: each starts the layer, a sample of its output rows goes through two epochs of
/// least squares and joint search, and the start goes on whose loss promises to end lowest.
///
///     promise = loss_2 - min(loss_1 - loss_2, loss_2 / 4)
///
/// What a start is worth shows after update and search have reacted to it, not before; and what is left
/// to gain after the second epoch is about what the second one gained, a quarter at most.
///
/// Cost      the initializers' own, and two LeastSquares updates and JointBeam passes of beam 1 each on a
///           quarter of the rows (on more of them below 256 output groups).
/// Notes     "best_of": the position of the winner in the argument list, from 0, and the relative errors
///           that all promise on the sample.
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
    std::optional<LayerObjective<T>> sample;
    std::optional<Weight> best;
    double lowest = std::numeric_limits<double>::infinity();
    std::size_t winner = 0, entrant = 0;
    std::string promises;
    const auto race = [&](const auto& init) {
      Weight weight = init.initialize(layer, blocks, codomain, seed, context);
      const Index stride = std::clamp<Index>(weight.num_out_groups() / 64, 1, 4);
      if (!sample) sample.emplace(layer.sample(stride, weight.scheme().out_group_size));
      const double promise = final_loss(*sample, weight.sample(stride), seed, context);
      promises += concat(entrant == 0 ? "" : ", ", sample->relative_error(promise));
      if (!best || promise < lowest) {
        best = std::move(weight);
        lowest = promise;
        winner = entrant;
      }
      ++entrant;
    };
    std::apply([&](const auto&... init) { (race(init), ...); }, inits_);
    context.decided("best_of", concat("initializer ", winner, ", promising relative errors of ", promises));
    return *std::move(best);
  }

 private:
  /// What the loss of a start promises to become, after two epochs.
  template <class T, class Weight>
  [[nodiscard]] static double final_loss(const LayerObjective<T>& layer, Weight weight, std::uint64_t seed,
                                         const RunContext& context) {
    double loss[2];
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      LeastSquares{}.update(layer, weight, context);
      JointBeam{.beam_size = 1}.search(layer, weight, seed, epoch, context);
      loss[epoch] = layer.loss(weight.decode(context), context);
    }
    return loss[1] - std::clamp(loss[0] - loss[1], 0.0, loss[1] / 4);
  }

  std::tuple<Inits...> inits_;
};

}  // namespace basin
