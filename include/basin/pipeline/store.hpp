#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/codebook/level_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/half.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/level_layer.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace basin {
namespace detail {
/// The fp16 bits of a value. @throws ValueError if it does not fit.
template <std::floating_point T>
[[nodiscard]] std::uint16_t stored_half(T value) {
  if (!(std::abs(value) <= static_cast<T>(max_half)))
    raise<ValueError>("store: ", static_cast<double>(value), " does not fit into fp16; call round_to_half first");
  return float_to_half(static_cast<float>(value));
}
}  // namespace detail

/// The stored form of a weight: fp16 codebooks and scales, codes as they are.
///
/// Accuracy  exact after round_to_half, which every Quantizer has done.
/// @throws ValueError if a codeword or scale does not fit into fp16.
template <std::floating_point T>
[[nodiscard]] AdditiveLayer store(const AdditiveWeight<T>& weight) {
  AdditiveLayer layer{weight.scheme(), weight.n_out, weight.n_in, {}, {}, {}};
  layer.codes.assign(weight.codes.values().begin(), weight.codes.values().end());
  layer.codebooks.reserve(static_cast<std::size_t>(weight.codebooks.values().size()));
  for (Index i = 0; i < weight.codebooks.values().size(); ++i) layer.codebooks.push_back(detail::stored_half(weight.codebooks.values().data()[i]));
  layer.scales.reserve(static_cast<std::size_t>(weight.scales.size()));
  for (Index o = 0; o < weight.scales.size(); ++o) layer.scales.push_back(detail::stored_half(weight.scales(o)));
  return layer;
}

/// The working form of a stored layer.
template <std::floating_point T>
[[nodiscard]] AdditiveWeight<T> load(const AdditiveLayer& layer) {
  AdditiveWeight<T> weight;
  weight.n_out = layer.n_out;
  weight.n_in = layer.n_in;
  weight.codebooks = AdditiveCodebook<T>(layer.scheme);
  weight.codes = Codes(layer.num_out_groups(), layer.num_in_groups(), layer.scheme.num_codebooks);
  weight.scales.resize(layer.num_out_groups());
  if (layer.codes.size() != weight.codes.values().size() ||
      layer.codebooks.size() != static_cast<std::size_t>(weight.codebooks.values().size()) ||
      layer.scales.size() != static_cast<std::size_t>(weight.scales.size()))
    raise<ShapeError>("load: a layer of [", layer.n_out, ", ", layer.n_in, "] needs ", weight.codes.values().size(), " codes, ",
                      weight.codebooks.values().size(), " codebook values and ", weight.scales.size(), " scales, got ",
                      layer.codes.size(), ", ", layer.codebooks.size(), " and ", layer.scales.size());
  for (std::size_t i = 0; i < layer.codes.size(); ++i) {
    if (layer.codes[i] >= weight.codebooks.size())
      raise<ValueError>("load: code ", layer.codes[i], " at ", i, " is not below ", weight.codebooks.size());
    weight.codes.values()[i] = layer.codes[i];
  }
  for (std::size_t i = 0; i < layer.codebooks.size(); ++i)
    weight.codebooks.values().data()[i] = static_cast<T>(half_to_float(layer.codebooks[i]));
  for (std::size_t o = 0; o < layer.scales.size(); ++o)
    weight.scales(static_cast<Index>(o)) = static_cast<T>(half_to_float(layer.scales[o]));
  return weight;
}

/// The stored form of a weight of scalar levels.
///
/// Accuracy  exact after round_to_half, which every Quantizer has done, for levels that are floats.
/// @throws ValueError if a scale does not fit into fp16, or a zero point is not a whole number below the
///         number of levels.
template <std::floating_point T>
[[nodiscard]] LevelLayer store(const LevelWeight<T>& weight) {
  LevelLayer layer{weight.n_out(), weight.n_in(), {weight.levels.begin(), weight.levels.end()}, {}, {}, {}};
  layer.codes.assign(weight.codes.data(), weight.codes.data() + weight.codes.size());
  for (const T scale : weight.scales) layer.scales.push_back(detail::stored_half(scale));
  for (const T zero_point : weight.zero_points) {
    if (!(zero_point >= 0) || !(zero_point < static_cast<T>(weight.levels.size())) || zero_point != std::floor(zero_point))
      raise<ValueError>("store: zero point ", static_cast<double>(zero_point), " is not one of 0 to ", weight.levels.size() - 1);
    layer.zero_points.push_back(static_cast<std::uint8_t>(zero_point));
  }
  return layer;
}

/// The working form of a stored layer of scalar levels.
/// @throws ShapeError, ValueError if its parts do not fit together.
template <std::floating_point T>
[[nodiscard]] LevelWeight<T> load(const LevelLayer& layer) {
  const auto rows = static_cast<std::size_t>(layer.n_out), columns = static_cast<std::size_t>(layer.n_in);
  if (layer.n_out < 0 || layer.n_in < 0 || layer.codes.size() != rows * columns || layer.scales.size() != rows ||
      (!layer.zero_points.empty() && layer.zero_points.size() != rows))
    raise<ShapeError>("load: a layer of [", layer.n_out, ", ", layer.n_in, "] needs ", rows * columns, " codes, ", rows,
                      " scales and as many zero points or none, got ", layer.codes.size(), ", ", layer.scales.size(), " and ",
                      layer.zero_points.size());
  LevelWeight<T> weight{{layer.levels.begin(), layer.levels.end()},
                        ConstMatrixMap<std::uint8_t>(layer.codes.data(), layer.n_out, layer.n_in), Vector<T>(layer.n_out),
                        Vector<T>(static_cast<Index>(layer.zero_points.size()))};
  for (std::size_t i = 0; i < layer.codes.size(); ++i)
    if (layer.codes[i] >= layer.levels.size())
      raise<ValueError>("load: code ", static_cast<int>(layer.codes[i]), " at ", i, " is not below ", layer.levels.size());
  for (std::size_t o = 0; o < rows; ++o)
    weight.scales(static_cast<Index>(o)) = static_cast<T>(half_to_float(layer.scales[o]));
  for (std::size_t o = 0; o < layer.zero_points.size(); ++o) weight.zero_points(static_cast<Index>(o)) = static_cast<T>(layer.zero_points[o]);
  return weight;
}

}  // namespace basin
