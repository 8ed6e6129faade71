#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/half.hpp>
#include <basin/layout/additive_layer.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>

namespace basin {
/// The stored form of a weight: fp16 codebooks and scales, codes as they are.
///
/// Accuracy  exact after round_to_half, which every Quantizer has done.
/// @throws ValueError if a codeword or scale does not fit into fp16.
template <std::floating_point T>
[[nodiscard]] AdditiveLayer store(const AdditiveWeight<T>& weight) {
  AdditiveLayer layer{weight.scheme(), weight.n_out, weight.n_in, {}, {}, {}};
  const auto half = [](T value) {
    if (!(std::abs(value) <= static_cast<T>(max_half)))
      raise<ValueError>("store: ", static_cast<double>(value), " does not fit into fp16; call round_to_half first");
    return float_to_half(static_cast<float>(value));
  };
  layer.codes.assign(weight.codes.values().begin(), weight.codes.values().end());
  layer.codebooks.reserve(static_cast<std::size_t>(weight.codebooks.values().size()));
  for (Index i = 0; i < weight.codebooks.values().size(); ++i) layer.codebooks.push_back(half(weight.codebooks.values().data()[i]));
  layer.scales.reserve(static_cast<std::size_t>(weight.scales.size()));
  for (Index o = 0; o < weight.scales.size(); ++o) layer.scales.push_back(half(weight.scales(o)));
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

}  // namespace basin
