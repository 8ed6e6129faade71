#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/concepts.hpp>
#include <basin/pipeline/measured_cost.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace basin {
/// Whether weight groups compete for code tuples; see representational_ratio.
enum class RhoRegime {
  over_complete,  ///< rho <= 1: there are tuples enough, and a bad start can be made up for
  under_complete  ///< rho > 1: the starting codebooks decide
};
[[nodiscard]] constexpr RhoRegime rho_regime(double rho) noexcept {
  return rho > 1 ? RhoRegime::under_complete : RhoRegime::over_complete;
}
[[nodiscard]] constexpr std::string_view to_string(RhoRegime regime) noexcept {
  return regime == RhoRegime::under_complete ? "under-complete" : "over-complete";
}

/// Stored bits per weight of a layer of scalar levels: codes, an fp16 scale per row, and its zero point where the set has one.
template <LevelSet L>
[[nodiscard]] constexpr BitsPerWeight bits_per_weight(const L&, Index n_in) noexcept {
  constexpr double code_bits = std::bit_width(num_levels<L> - 1), fp16_bits = 16;
  return {.codes = code_bits, .codebooks = 0, .scales = (fp16_bits + (ShiftedLevelSet<L> ? code_bits : 0)) / static_cast<double>(n_in)};
}

/// What a layer will take.
struct PlannedLayer {
  LayerShape shape;
  std::string codomain;           ///< "2x8g8", "mnz"
  BitsPerWeight bits_per_weight{};
  double rho = 0;                 ///< of additive codes; 0 of scalar levels
  std::int64_t stored_bytes = 0;
  std::int64_t working_bytes = 0;  ///< that its quantization holds at once
  double seconds = 0;              ///< 0 where nothing was measured
};

/// What a run will take, before it begins.
struct QuantizationPlan {
  std::vector<PlannedLayer> layers;

  [[nodiscard]] double weights() const noexcept {
    double sum = 0;
    for (const PlannedLayer& layer : layers) sum += static_cast<double>(layer.shape.n_out) * static_cast<double>(layer.shape.n_in);
    return sum;
  }
  [[nodiscard]] std::int64_t stored_bytes() const noexcept {
    std::int64_t sum = 0;
    for (const PlannedLayer& layer : layers) sum += layer.stored_bytes;
    return sum;
  }
  [[nodiscard]] double bits_per_weight() const noexcept { return 8 * static_cast<double>(stored_bytes()) / weights(); }
  [[nodiscard]] double seconds() const noexcept {
    double sum = 0;
    for (const PlannedLayer& layer : layers) sum += layer.seconds;
    return sum;
  }
  /// Of the layer that holds most.
  [[nodiscard]] std::int64_t working_bytes() const noexcept {
    std::int64_t most = 0;
    for (const PlannedLayer& layer : layers) most = std::max(most, layer.working_bytes);
    return most;
  }
};

/// Bytes that Quantizer holds at most beside its arguments, for a layer of this shape: H in double and in the working precision
/// (again while it is factored and checked), and W, W H, the decoded weight, its error and its loss in several copies.
///
/// Accuracy  within 15 % of what the programs measured on layers of 1024 x 1024 and more, additive and of scalar levels.
[[nodiscard]] constexpr std::int64_t quantizer_bytes(Index n_out, Index n_in) noexcept {
  return std::int64_t{20} * n_in * n_in + std::int64_t{28} * n_out * n_in;
}

/// One layer of a plan.
/// @param cost  from MeasuredCost::measure; null where time does not matter
/// @throws ShapeError if the layer is empty, ValueError if a Scheme is outside its limits.
template <class Codomain>
[[nodiscard]] PlannedLayer plan_layer(const LayerShape& shape, const Codomain& codomain, const MeasuredCost* cost = nullptr) {
  if (shape.n_out < 1 || shape.n_in < 1)
    raise<ShapeError>("plan: layer \"", shape.name, "\" is [", shape.n_out, ", ", shape.n_in, "]; it must not be empty");
  PlannedLayer planned{shape, to_string(codomain)};
  if constexpr (std::same_as<Codomain, Scheme>) {
    if (!codomain.is_valid()) raise<ValueError>("plan: scheme ", planned.codomain, " is outside what Scheme allows");
    planned.bits_per_weight = bits_per_weight(codomain, shape.n_out, shape.n_in);
    planned.rho = representational_ratio(codomain, shape.n_out, shape.n_in);
  } else {
    planned.bits_per_weight = bits_per_weight(codomain, shape.n_in);
  }
  const double weights = static_cast<double>(shape.n_out) * static_cast<double>(shape.n_in);
  planned.stored_bytes = static_cast<std::int64_t>(std::ceil(planned.bits_per_weight.total() * weights / 8));
  planned.working_bytes = quantizer_bytes(shape.n_out, shape.n_in);
  if (cost != nullptr) planned.seconds = cost->seconds(shape.n_out, shape.n_in);
  return planned;
}

/// A plan of layers that all take the same codomain: a Scheme or a level set.
///
///     const MeasuredCost cost = MeasuredCost::measure(layers, quantize_stand_in);
///     const QuantizationPlan plan = basin::plan(layers, Scheme{2, 8, 8}, &cost);
template <class Codomain>
[[nodiscard]] QuantizationPlan plan(std::span<const LayerShape> layers, const Codomain& codomain, const MeasuredCost* cost = nullptr) {
  QuantizationPlan planned;
  for (const LayerShape& layer : layers) planned.layers.push_back(plan_layer(layer, codomain, cost));
  return planned;
}

}  // namespace basin
