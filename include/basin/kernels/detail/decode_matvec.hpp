#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// Decode-and-multiply for codes that fit no register table: the family `rows` of PackedLayer.
/// Every codeword of a row meets its inputs directly; codebooks stay in fp16, so that 2^16 codewords of 8
/// fit a second-level cache.
template <class Arch>
struct DecodeMatvec {
  using S = Simd<Arch>;

  /// Floats of one padded input: J g, and room for a vector that starts at the last one.
  [[nodiscard]] static BASIN_ALWAYS_INLINE std::ptrdiff_t padded_inputs(const PackedLayer& layer) noexcept {
    return (layer.num_in_groups * layer.scheme.in_group_size + 2 * S::floats - 1) / S::floats * S::floats;
  }
  [[nodiscard]] static std::size_t workspace_size(const PackedLayer& layer, int batch) noexcept {
    return static_cast<std::size_t>(batch * padded_inputs(layer)) * sizeof(float);
  }

  static void prepare(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, int batch, std::ptrdiff_t first_block,
                      std::ptrdiff_t last_block, void* workspace) noexcept {
    const std::ptrdiff_t per_block = PackedLayer::groups_per_block * layer.scheme.in_group_size, padded = padded_inputs(layer);
    const std::ptrdiff_t begin = first_block * per_block;
    const std::ptrdiff_t end = last_block == num_input_blocks(layer) ? padded : last_block * per_block;
    for (int v = 0; v < batch; ++v)
      for (std::ptrdiff_t i = begin; i < end; ++i)
        static_cast<float*>(workspace)[v * padded + i] = i < layer.n_in ? x[v * x_stride + i] : 0.0f;
  }

  static void run(const PackedLayer& layer, const void* workspace, int batch, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y, std::ptrdiff_t y_stride) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      for (int v = 0; v < batch; ++v)
        y[v * y_stride + row - first_row] = multiply_row(layer, static_cast<const float*>(workspace) + v * padded_inputs(layer), row);
  }

 private:
  static BASIN_ALWAYS_INLINE std::ptrdiff_t unpack_code(const std::uint8_t* row, std::ptrdiff_t row_bytes, std::ptrdiff_t index,
                                                        int bits) noexcept {
    // A code lies within three bytes, and a row has at least eight.
    const std::ptrdiff_t bit = index * bits, byte = bit / 8 < row_bytes - 4 ? bit / 8 : row_bytes - 4;
    std::uint32_t window;
    __builtin_memcpy(&window, row + byte, sizeof window);
    return static_cast<std::ptrdiff_t>(window >> (bit - byte * 8) & ((1u << bits) - 1));
  }

  static BASIN_ALWAYS_INLINE float multiply_row(const PackedLayer& layer, const float* x, std::ptrdiff_t row) noexcept {
    const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
    const std::ptrdiff_t o = row / g_out, p = row % g_out, codebooks = layer.scheme.num_codebooks;
    const int bits = layer.scheme.bits_per_code;
    const std::uint8_t* codes = layer.codes + o * layer.row_bytes;
    typename S::Floats sum[2] = {S::broadcast(0), S::broadcast(0)};
    float rest = 0;
    std::ptrdiff_t q = 0;
    for (std::ptrdiff_t j = 0; j < layer.num_in_groups; ++j, x += g)
      for (std::ptrdiff_t m = 0; m < codebooks; ++m, ++q) {
        const std::ptrdiff_t code = unpack_code(codes, layer.row_bytes, q, bits);
        const std::uint16_t* codeword = layer.half_codebooks + (((m << bits) + code) * g_out + p) * g;
        std::ptrdiff_t i = 0;
        for (; i + S::floats <= g; i += S::floats)
          sum[i / S::floats % 2] = S::multiply_add(S::load(x + i), S::load_half(codeword + i), sum[i / S::floats % 2]);
        if (i + S::half_floats <= g) {
          sum[0] = S::multiply_add_half(x + i, codeword + i, sum[0]);
          i += S::half_floats;
        }
        for (; i < g; ++i) rest = __builtin_fmaf(x[i], S::half_to_float(codeword[i]), rest);
      }
    return layer.scales[o] * (S::sum_lanes(S::add(sum[0], sum[1])) + rest);
  }
};

}  // namespace basin::kernels::detail
