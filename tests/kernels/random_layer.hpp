#pragma once

#include <basin/core/half.hpp>
#include <basin/core/random.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/pack_layer.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/aligned.hpp"

namespace basin::test {
/// Random codes, codewords in (-1, 1) and scales in [0, 1).
[[nodiscard]] inline AdditiveLayer random_layer(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in,
                                                std::uint64_t seed) {
  SplitMix64 random(seed);
  AdditiveLayer layer{scheme, n_out, n_in, {}, {}, {}};
  const std::ptrdiff_t codes = layer.num_out_groups() * layer.num_in_groups() * scheme.num_codebooks;
  for (std::ptrdiff_t i = 0; i < codes; ++i)
    layer.codes.push_back(static_cast<std::uint16_t>(random.below(static_cast<std::uint64_t>(scheme.codebook_size()))));
  for (std::ptrdiff_t i = 0; i < scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size(); ++i)
    layer.codebooks.push_back(float_to_half(static_cast<float>(2 * random.uniform() - 1)));
  for (std::ptrdiff_t o = 0; o < layer.num_out_groups(); ++o)
    layer.scales.push_back(float_to_half(static_cast<float>(random.uniform())));
  return layer;
}

/// A layer and its packed bytes.
struct PackedRandomLayer {
  PackedRandomLayer(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in, std::uint64_t seed)
      : PackedRandomLayer(random_layer(scheme, n_out, n_in, seed)) {}
  explicit PackedRandomLayer(AdditiveLayer from)
      : stored(std::move(from)), memory(packed_layer_bytes(stored.scheme, stored.n_out, stored.n_in)),
        packed(pack_layer(view(stored), memory.span()).layer) {}

  AdditiveLayer stored;
  AlignedBytes memory;
  PackedLayer packed;
};

[[nodiscard]] inline std::vector<float> normal_inputs(std::ptrdiff_t count, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<float> x;
  for (std::ptrdiff_t i = 0; i < count; ++i) x.push_back(static_cast<float>(random.normal()));
  return x;
}

/// What, [n_out, n_in], straight from the formula in double.
[[nodiscard]] inline std::vector<double> reference_weight(const AdditiveLayer& layer) {
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
  const std::ptrdiff_t m_count = layer.scheme.num_codebooks, k_count = layer.scheme.codebook_size();
  std::vector<double> weight;
  for (std::ptrdiff_t row = 0; row < layer.n_out; ++row)
    for (std::ptrdiff_t column = 0; column < layer.n_in; ++column) {
      const std::ptrdiff_t o = row / g_out, p = row % g_out, j = column / g, i = column % g;
      double sum = 0;
      for (std::ptrdiff_t m = 0; m < m_count; ++m) {
        const auto code = layer.codes[static_cast<std::size_t>((o * layer.num_in_groups() + j) * m_count + m)];
        sum += half_to_float(layer.codebooks[static_cast<std::size_t>(((m * k_count + code) * g_out + p) * g + i)]);
      }
      weight.push_back(half_to_float(layer.scales[static_cast<std::size_t>(o)]) * sum);
    }
  return weight;
}

}  // namespace basin::test
