#pragma once

#include <basin/core/scheme.hpp>
#include <basin/layout/additive_view.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
/// An additively quantized layer as it is stored: codes, and fp16 codebooks and scales.
///
///     What[o*g_out + p, j*g + i] = scales[o] * sum_m codebooks[m, codes[o, j, m], p, i]
///
/// Shapes    O = n_out / g_out, J = ceil(n_in / g); inputs from n_in to J*g are padding and dropped.
/// Values    codes in [0, 2^b); codebooks and scales are IEEE binary16 bits.
struct AdditiveLayer {
  Scheme scheme;
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  std::vector<std::uint16_t> codes;      ///< [O, J, M]
  std::vector<std::uint16_t> codebooks;  ///< [M, K, g_out, g]
  std::vector<std::uint16_t> scales;     ///< [O]

  [[nodiscard]] std::ptrdiff_t num_out_groups() const noexcept { return n_out / scheme.out_group_size; }
  [[nodiscard]] std::ptrdiff_t num_in_groups() const noexcept { return scheme.num_in_groups(n_in); }
};

[[nodiscard]] inline AdditiveView view(const AdditiveLayer& layer) noexcept {
  return {layer.scheme, layer.n_out, layer.n_in, layer.codes.data(), layer.codebooks.data(), layer.scales.data()};
}

}  // namespace basin
