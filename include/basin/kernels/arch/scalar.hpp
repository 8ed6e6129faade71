#pragma once

#include <basin/core/config.hpp>
#include <basin/core/half.hpp>
#include <basin/layout/additive_view.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::arch_scalar {

/// One row of What, [n_in].
static BASIN_ALWAYS_INLINE void dequantize_row(const AdditiveView& layer, std::ptrdiff_t row, float* out) noexcept {
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
  const std::ptrdiff_t size = layer.scheme.codebook_size(), groups = layer.scheme.num_in_groups(layer.n_in);
  const std::ptrdiff_t codebooks = layer.scheme.num_codebooks;
  const std::ptrdiff_t o = row / g_out, p = row % g_out;
  const float scale = half_to_float(layer.scales[o]);
  for (std::ptrdiff_t j = 0; j < groups; ++j)
    for (std::ptrdiff_t i = 0; i < g && j * g + i < layer.n_in; ++i) {
      float sum = 0;
      for (std::ptrdiff_t m = 0; m < codebooks; ++m) {
        const std::ptrdiff_t code = layer.codes[(o * groups + j) * codebooks + m];
        sum += half_to_float(layer.codebooks[((m * size + code) * g_out + p) * g + i]);
      }
      out[j * g + i] = scale * sum;
    }
}

/// Inner products of every input group with every codeword: [J, M, K].
static BASIN_ALWAYS_INLINE void build_lut(const AdditiveView& layer, const float* x, float* table) noexcept {
  const std::ptrdiff_t g = layer.scheme.in_group_size, size = layer.scheme.codebook_size();
  const std::ptrdiff_t codewords = layer.scheme.num_codebooks * size;
  for (std::ptrdiff_t j = 0; j < layer.scheme.num_in_groups(layer.n_in); ++j)
    for (std::ptrdiff_t k = 0; k < codewords; ++k) {
      float sum = 0;
      for (std::ptrdiff_t i = 0; i < g && j * g + i < layer.n_in; ++i)
        sum += x[j * g + i] * half_to_float(layer.codebooks[k * g + i]);
      table[j * codewords + k] = sum;
    }
}

static BASIN_ALWAYS_INLINE float matvec_row(const AdditiveView& layer, const float* table, std::ptrdiff_t row) noexcept {
  const std::ptrdiff_t size = layer.scheme.codebook_size(), codebooks = layer.scheme.num_codebooks;
  const std::ptrdiff_t groups = layer.scheme.num_in_groups(layer.n_in);
  const std::uint16_t* codes = layer.codes + row * groups * codebooks;
  float sum = 0;
  for (std::ptrdiff_t j = 0; j < groups; ++j)
    for (std::ptrdiff_t m = 0; m < codebooks; ++m, ++codes) sum += table[(j * codebooks + m) * size + *codes];
  return half_to_float(layer.scales[row]) * sum;
}

}  // namespace basin::kernels::arch_scalar
