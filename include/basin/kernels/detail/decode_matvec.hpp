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
/// fit a second-level cache. Codes become offsets of codewords a few dozen groups at a time. Codewords of 8,
/// the usual size, go two at a time and four rows side by side, which share the inputs' loads.
template <class Arch>
struct DecodeMatvec {
  using S = Simd<Arch>;
  using Floats = typename S::Floats;

  /// Floats of one padded input: J g, and room for two codewords of 8 or a vector that start at the last group.
  [[nodiscard]] static BASIN_ALWAYS_INLINE std::ptrdiff_t padded_inputs(const PackedLayer& layer) noexcept {
    return (layer.num_in_groups * layer.scheme.in_group_size + 31) / 16 * 16;
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
    const auto* x = static_cast<const float*>(workspace);
    const typename S::Unpacker unpacker(layer.scheme.bits_per_code, static_cast<std::int32_t>(codeword_size(layer)));
    std::ptrdiff_t row = first_row;
    if (layer.scheme.in_group_size == 8 && layer.scheme.out_group_size == 1) {
      for (; row + 4 <= last_row; row += 4) multiply_eights<4>(layer, unpacker, x, batch, row, y + row - first_row, y_stride);
      for (; row < last_row; ++row) multiply_eights<1>(layer, unpacker, x, batch, row, y + row - first_row, y_stride);
    }
    for (; row < last_row; ++row) multiply_row(layer, unpacker, x, batch, row, y + row - first_row, y_stride);
  }

 private:
  static constexpr std::ptrdiff_t groups_at_once = 64;
  static constexpr std::ptrdiff_t offsets_at_once = (groups_at_once + 1) * Scheme::max_codebooks;

  /// Scheme's own function might be emitted, and shared, with this path's instructions.
  [[nodiscard]] static BASIN_ALWAYS_INLINE std::ptrdiff_t codeword_size(const PackedLayer& layer) noexcept {
    return std::ptrdiff_t{layer.scheme.in_group_size} * layer.scheme.out_group_size;
  }
  [[nodiscard]] static BASIN_ALWAYS_INLINE const std::uint16_t* codebook(const PackedLayer& layer, std::ptrdiff_t m) noexcept {
    return layer.half_codebooks + (m << layer.scheme.bits_per_code) * codeword_size(layer);
  }
  [[nodiscard]] static BASIN_ALWAYS_INLINE std::ptrdiff_t groups_from(const PackedLayer& layer, std::ptrdiff_t first) noexcept {
    const std::ptrdiff_t left = layer.num_in_groups - first;
    return left < groups_at_once ? left : groups_at_once;
  }

  /// Offsets of the codewords of output group o from group `first` on, a multiple of 8, for `groups` groups.
  static BASIN_ALWAYS_INLINE void unpack_offsets(const PackedLayer& layer, const typename S::Unpacker& unpacker, std::ptrdiff_t o,
                                                 std::ptrdiff_t first, std::ptrdiff_t groups, std::uint32_t* offsets) noexcept {
    const std::ptrdiff_t codebooks = layer.scheme.num_codebooks, bits = layer.scheme.bits_per_code;
    std::ptrdiff_t at = first * codebooks * bits / 8;
    const std::uint8_t* codes = layer.codes + o * layer.row_bytes;
    for (std::ptrdiff_t q = 0; q < groups * codebooks; q += 8, at += bits) {
      if (at + 16 <= layer.row_bytes) {
        unpacker.unpack(codes + at, offsets + q);
      } else {  // memory may end with the row
        std::uint8_t last[16] = {};
        for (std::ptrdiff_t i = at; i < layer.row_bytes; ++i) last[i - at] = codes[i];
        unpacker.unpack(last, offsets + q);
      }
    }
  }

  template <int Rows>
  static BASIN_ALWAYS_INLINE void multiply_eights(const PackedLayer& layer, const typename S::Unpacker& unpacker, const float* x, int batch,
                                                  std::ptrdiff_t row, float* y, std::ptrdiff_t y_stride) noexcept {
    constexpr int vectors = 16 / S::floats;  // of two codewords
    const std::ptrdiff_t codebooks = layer.scheme.num_codebooks, padded = padded_inputs(layer);
    alignas(64) float sums[8][Rows][16];
    alignas(64) std::uint32_t offsets[Rows][offsets_at_once];
    __builtin_memset(sums, 0, static_cast<std::size_t>(batch) * sizeof sums[0]);
    for (std::ptrdiff_t first = 0; first < layer.num_in_groups; first += groups_at_once) {
      const std::ptrdiff_t groups = groups_from(layer, first);
      for (int r = 0; r < Rows; ++r) {
        unpack_offsets(layer, unpacker, row + r, first, groups, offsets[r]);
        // An odd group at the end: its partner's inputs are zeros, which any of its codewords may meet.
        for (std::ptrdiff_t m = 0; m < codebooks; ++m) offsets[r][groups * codebooks + m] = offsets[r][(groups - 1) * codebooks + m];
      }
      for (int v = 0; v < batch; ++v) {
        Floats sum[Rows][vectors];
        unroll<Rows * vectors>([&](int i) BASIN_LAMBDA_INLINE {
          sum[i / vectors][i % vectors] = S::load(sums[v][i / vectors] + i % vectors * S::floats);
        });
        for (std::ptrdiff_t m = 0; m < codebooks; ++m) {
          const std::uint16_t* codewords = codebook(layer, m);
          const float* input = x + v * padded + first * 8;
          const std::uint32_t* offset = offsets[0] + m;
          for (std::ptrdiff_t j = 0; j < groups; j += 2, input += 16, offset += 2 * codebooks) {
            Floats in[vectors];
            unroll<vectors>([&](int i) BASIN_LAMBDA_INLINE { in[i] = S::load(input + i * S::floats); });
            unroll<Rows>([&](int r) BASIN_LAMBDA_INLINE {
              Floats w[vectors];
              S::decode_two(codewords + offset[r * offsets_at_once], codewords + offset[r * offsets_at_once + codebooks], w);
              unroll<vectors>([&](int i) BASIN_LAMBDA_INLINE { sum[r][i] = S::multiply_add(in[i], w[i], sum[r][i]); });
            });
          }
        }
        unroll<Rows * vectors>([&](int i) BASIN_LAMBDA_INLINE {
          S::store(sums[v][i / vectors] + i % vectors * S::floats, sum[i / vectors][i % vectors]);
        });
      }
    }
    for (int v = 0; v < batch; ++v)
      for (int r = 0; r < Rows; ++r) {
        Floats total = S::load(sums[v][r]);
        for (int i = 1; i < vectors; ++i) total = S::add(total, S::load(sums[v][r] + i * S::floats));
        y[v * y_stride + r] = layer.scales[row + r] * S::sum_lanes(total);
      }
  }

  static BASIN_ALWAYS_INLINE void multiply_row(const PackedLayer& layer, const typename S::Unpacker& unpacker, const float* x, int batch,
                                               std::ptrdiff_t row, float* y, std::ptrdiff_t y_stride) noexcept {
    const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size, codebooks = layer.scheme.num_codebooks;
    const std::ptrdiff_t o = row / g_out, p = row % g_out, padded = padded_inputs(layer);
    alignas(64) float sums[8][2 * S::floats];
    float rest[8] = {};
    alignas(64) std::uint32_t offsets[offsets_at_once];
    __builtin_memset(sums, 0, static_cast<std::size_t>(batch) * sizeof sums[0]);
    for (std::ptrdiff_t first = 0; first < layer.num_in_groups; first += groups_at_once) {
      const std::ptrdiff_t groups = groups_from(layer, first);
      unpack_offsets(layer, unpacker, o, first, groups, offsets);
      for (int v = 0; v < batch; ++v) {
        Floats sum[2] = {S::load(sums[v]), S::load(sums[v] + S::floats)};
        const float* input = x + v * padded + first * g;
        for (std::ptrdiff_t m = 0; m < codebooks; ++m) {
          const std::uint16_t* codewords = codebook(layer, m) + p * g;
          for (std::ptrdiff_t j = 0; j < groups; ++j) {
            const std::uint16_t* codeword = codewords + offsets[j * codebooks + m];
            std::ptrdiff_t i = 0;
            for (; i + 2 * S::floats <= g; i += 2 * S::floats) {
              sum[0] = S::multiply_add(S::load(input + j * g + i), S::load_half(codeword + i), sum[0]);
              sum[1] = S::multiply_add(S::load(input + j * g + i + S::floats), S::load_half(codeword + i + S::floats), sum[1]);
            }
            if (i + S::floats <= g) {
              sum[0] = S::multiply_add(S::load(input + j * g + i), S::load_half(codeword + i), sum[0]);
              i += S::floats;
            }
            if (i + S::half_floats <= g) {
              sum[1] = S::multiply_add_half(input + j * g + i, codeword + i, sum[1]);
              i += S::half_floats;
            }
            for (; i < g; ++i) rest[v] = __builtin_fmaf(input[j * g + i], S::half_to_float(codeword[i]), rest[v]);
          }
        }
        S::store(sums[v], sum[0]);
        S::store(sums[v] + S::floats, sum[1]);
      }
    }
    for (int v = 0; v < batch; ++v)
      y[v * y_stride] = layer.scales[o] * (S::sum_lanes(S::add(S::load(sums[v]), S::load(sums[v] + S::floats))) + rest[v]);
  }
};

}  // namespace basin::kernels::detail
