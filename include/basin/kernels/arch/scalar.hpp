#pragma once

#include <basin/core/config.hpp>
#include <basin/core/half.hpp>
#include <basin/kernels/arch/scalar_levels.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_step.hpp>
#include <basin/kernels/detail/lut_workspace.hpp>
#include <basin/kernels/detail/matmul_blocks.hpp>
#include <basin/kernels/dequantize_matmul.hpp>
#include <basin/kernels/lut_dequantize.hpp>
#include <basin/kernels/lut_matvec.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Plain loops for any CPU: what every other path is measured against.
namespace basin::kernels {
namespace arch_scalar {

/// b-bit code number `index` of a row packed by pack_bits.
static BASIN_ALWAYS_INLINE std::ptrdiff_t unpack_code(const std::uint8_t* row, std::ptrdiff_t index, int bits) noexcept {
  const std::ptrdiff_t bit = index * bits, last = (bit + bits - 1) / 8;
  std::uint32_t window = 0;
  for (std::ptrdiff_t byte = last; byte >= bit / 8; --byte) window = window << 8 | row[byte];
  return static_cast<std::ptrdiff_t>(window >> bit % 8 & ((1u << bits) - 1));
}

/// z[o, j, m].
static BASIN_ALWAYS_INLINE std::ptrdiff_t code_at(const PackedLayer& layer, std::ptrdiff_t o, std::ptrdiff_t j,
                                                  std::ptrdiff_t m) noexcept {
  const std::ptrdiff_t codebooks = layer.scheme.num_codebooks;
  if (layer.family == CodeFamily::rows)
    return unpack_code(layer.codes + o * layer.row_bytes, j * codebooks + m, layer.scheme.bits_per_code);
  const std::ptrdiff_t first = o / PackedLayer::rows_per_block * PackedLayer::rows_per_block;
  const std::ptrdiff_t block = j / PackedLayer::groups_per_block;
  return tile_code(tile_codes(layer, block, first), rows_in_block(layer, first), o - first,
                   (j - block * PackedLayer::groups_per_block) * codebooks + m, layer.scheme.bits_per_code);
}

/// C[m][code][p, i].
static BASIN_ALWAYS_INLINE float codeword_at(const PackedLayer& layer, std::ptrdiff_t m, std::ptrdiff_t code, std::ptrdiff_t p,
                                             std::ptrdiff_t i) noexcept {
  const std::ptrdiff_t g = layer.scheme.in_group_size, row = (m << layer.scheme.bits_per_code) + code;
  if (layer.family == CodeFamily::planes) return layer.codebooks[row * g + i];
  return half_to_float(layer.half_codebooks[(row * layer.scheme.out_group_size + p) * g + i]);
}

/// sum_m C[m][z[o, j, m]][p, i], in codebook order.
static BASIN_ALWAYS_INLINE float codeword_sum(const PackedLayer& layer, std::ptrdiff_t row, std::ptrdiff_t input) noexcept {
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
  const std::ptrdiff_t o = row / g_out, j = input / g;
  float sum = codeword_at(layer, 0, code_at(layer, o, j, 0), row % g_out, input % g);
  for (std::ptrdiff_t m = 1; m < layer.scheme.num_codebooks; ++m)
    sum += codeword_at(layer, m, code_at(layer, o, j, m), row % g_out, input % g);
  return sum;
}

static BASIN_ALWAYS_INLINE float weight_at(const PackedLayer& layer, std::ptrdiff_t row, std::ptrdiff_t input) noexcept {
  return layer.scales[row / layer.scheme.out_group_size] * codeword_sum(layer, row, input);
}

/// To nearest, ties to even; NaN stays NaN.
template <class Out>
[[nodiscard]] static BASIN_ALWAYS_INLINE Out round_to(float value) noexcept {
  if constexpr (sizeof(Out) == sizeof(float)) {
    return value;
  } else if constexpr (std::is_same_v<Out, half>) {
    return static_cast<half>(float_to_half(value));
  } else {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Out>(bits >> 16 | 0x40u);
    return static_cast<Out>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
  }
}

/// Entry k of table (j, m): one rounding per multiply-add, as on the other paths.
static inline float table_entry(const PackedLayer& layer, const float* x, std::ptrdiff_t j, std::ptrdiff_t m, std::ptrdiff_t k) noexcept {
  const std::ptrdiff_t g = layer.scheme.in_group_size;
  const std::ptrdiff_t inputs = layer.n_in - j * g < g ? layer.n_in - j * g : g;
  float sum = x[j * g] * codeword_at(layer, m, k, 0, 0);
  for (std::ptrdiff_t i = 1; i < inputs; ++i) sum = __builtin_fmaf(x[j * g + i], codeword_at(layer, m, k, 0, i), sum);
  return sum;
}

}  // namespace arch_scalar

template <>
struct LutDequantize<scalar> {
  template <class Out>
  static void run(const PackedLayer& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row, std::ptrdiff_t first_input,
                  std::ptrdiff_t last_input, Out* out, std::ptrdiff_t stride) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row, out += stride)
      for (std::ptrdiff_t i = first_input; i < last_input; ++i)
        out[i - first_input] = arch_scalar::round_to<Out>(arch_scalar::weight_at(layer, row, i));
  }
};

template <class Precision>
struct LutMatvec<scalar, Precision> {
  [[nodiscard]] static std::size_t workspace_size(const PackedLayer& layer, int batch) noexcept {
    BASIN_ASSERT(batch >= 1 && batch <= 8);
    if (layer.family == CodeFamily::rows) return static_cast<std::size_t>(batch * layer.n_in) * sizeof(float);
    return static_cast<std::size_t>(batch * detail::lut_workspace<Precision>(layer).vector_bytes);
  }

  static void build_tables(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, int batch, std::ptrdiff_t first_block,
                           std::ptrdiff_t last_block, void* workspace) noexcept {
    constexpr std::ptrdiff_t per_block = PackedLayer::groups_per_block;
    for (int v = 0; v < batch; ++v, x += x_stride) {
      if (layer.family == CodeFamily::rows) {
        float* copy = static_cast<float*>(workspace) + v * layer.n_in;
        const std::ptrdiff_t inputs = per_block * layer.scheme.in_group_size;
        for (std::ptrdiff_t i = first_block * inputs; i < layer.n_in && i < last_block * inputs; ++i) copy[i] = x[i];
        continue;
      }
      const detail::LutWorkspace at = detail::lut_workspace<Precision>(layer);
      const detail::LutQuantizer<scalar, Precision> quantizer(layer, x);
      for (std::ptrdiff_t block = first_block; block < last_block; ++block) {
        std::uint8_t* out = static_cast<std::uint8_t*>(workspace) + v * at.vector_bytes + block * at.block_bytes;
        build_block(layer, x, block, quantizer, at, out);
      }
    }
  }

  static void run(const PackedLayer& layer, const void* workspace, int batch, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y, std::ptrdiff_t y_stride) noexcept {
    for (int v = 0; v < batch; ++v, y += y_stride)
      for (std::ptrdiff_t row = first_row; row < last_row; ++row)
        y[row - first_row] = layer.family == CodeFamily::rows ? multiply_row(layer, static_cast<const float*>(workspace) + v * layer.n_in, row)
                                                              : look_up_row(layer, static_cast<const std::uint8_t*>(workspace), v, row);
  }

 private:
  static void build_block(const PackedLayer& layer, const float* x, std::ptrdiff_t block, const detail::LutQuantizer<scalar, Precision>& quantizer,
                          const detail::LutWorkspace& at, std::uint8_t* out) noexcept {
    const std::ptrdiff_t codebooks = layer.scheme.num_codebooks, size = layer.scheme.codebook_size();
    detail::LutBlockHeader header{quantizer.step, 0};
    float entries[256];
    for (std::ptrdiff_t q = 0; q < groups_in_block(layer, block) * codebooks; ++q) {
      float largest = 0;
      for (std::ptrdiff_t k = 0; k < size; ++k) {
        entries[k] = arch_scalar::table_entry(layer, x, block * PackedLayer::groups_per_block + q / codebooks, q % codebooks, k);
        if (__builtin_fabsf(entries[k]) > largest) largest = __builtin_fabsf(entries[k]);
      }
      std::uint8_t* table = out + at.tables + q * at.table_bytes;
      if constexpr (detail::entry_bytes<Precision> == 4) {
        for (std::ptrdiff_t k = 0; k < size; ++k) reinterpret_cast<float*>(table)[k] = entries[k];
      } else {
        const std::int32_t multiplier = quantizer.multiplier(largest);
        header.bias += 128 * multiplier;
        for (int i = 0; i < 4; ++i)
          reinterpret_cast<std::int32_t*>(out + at.multipliers)[4 * q + i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(multiplier) << (8 * i));
        const float inverse = quantizer.inverse_step(multiplier);
        for (std::ptrdiff_t k = 0; k < size; ++k) {
          const auto entry = static_cast<std::int32_t>(__builtin_nearbyintf(__builtin_fminf(__builtin_fmaxf(entries[k] * inverse, -quantizer.limit), quantizer.limit)));
          if constexpr (detail::entry_bytes<Precision> == 1) {
            table[k] = static_cast<std::uint8_t>(entry + 128);
          } else {
            table[k] = static_cast<std::uint8_t>((entry + 32768) & 255);
            table[size + k] = static_cast<std::uint8_t>((entry + 32768) >> 8);
          }
        }
      }
    }
    *reinterpret_cast<detail::LutBlockHeader*>(out) = header;
  }

  static float look_up_row(const PackedLayer& layer, const std::uint8_t* workspace, int v, std::ptrdiff_t row) noexcept {
    const detail::LutWorkspace at = detail::lut_workspace<Precision>(layer);
    const std::ptrdiff_t codebooks = layer.scheme.num_codebooks, size = layer.scheme.codebook_size();
    const std::ptrdiff_t first = row / PackedLayer::rows_per_block * PackedLayer::rows_per_block;
    float sum = 0, step = 0;
    std::int32_t low = 0, high = 0;
    for (std::ptrdiff_t block = 0; block < num_input_blocks(layer); ++block) {
      const std::uint8_t* in = workspace + v * at.vector_bytes + block * at.block_bytes;
      const auto* header = reinterpret_cast<const detail::LutBlockHeader*>(in);
      const auto* multipliers = reinterpret_cast<const std::int32_t*>(in + at.multipliers);
      const std::uint8_t* tile = tile_codes(layer, block, first);
      step = header->step;
      for (std::ptrdiff_t q = 0; q < groups_in_block(layer, block) * codebooks; ++q) {
        const int code = tile_code(tile, rows_in_block(layer, first), row - first, q, layer.scheme.bits_per_code);
        const std::uint8_t* table = in + at.tables + q * at.table_bytes;
        if constexpr (detail::entry_bytes<Precision> == 4) {
          sum += reinterpret_cast<const float*>(table)[code];
        } else {
          low += multipliers[4 * q] * table[code];
          if constexpr (detail::entry_bytes<Precision> == 2) high += multipliers[4 * q] * table[size + code];
        }
      }
      if constexpr (detail::entry_bytes<Precision> == 1) low -= header->bias;
      else high -= header->bias;
    }
    if constexpr (detail::entry_bytes<Precision> == 4) return layer.scales[row] * sum;
    if constexpr (detail::entry_bytes<Precision> == 1) return layer.scales[row] * (step * static_cast<float>(low));
    return layer.scales[row] * (step * (static_cast<float>(high) * 256.0f + static_cast<float>(low)));
  }

  static float multiply_row(const PackedLayer& layer, const float* x, std::ptrdiff_t row) noexcept {
    const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
    float total = 0;
    for (std::ptrdiff_t j = 0; j < layer.num_in_groups; ++j)
      for (std::ptrdiff_t m = 0; m < layer.scheme.num_codebooks; ++m) {
        const std::ptrdiff_t code = arch_scalar::code_at(layer, row / g_out, j, m);
        for (std::ptrdiff_t i = 0; i < g && j * g + i < layer.n_in; ++i)
          total += x[j * g + i] * arch_scalar::codeword_at(layer, m, code, row % g_out, i);
      }
    return layer.scales[row / g_out] * total;
  }
};

/// Inputs in the workspace and one row of weights in the scratch, as floats or as integers and their steps.
template <class Precision>
struct DequantizeMatmul<scalar, Precision> {
  [[nodiscard]] static std::size_t workspace_size(const PackedLayer& layer, std::ptrdiff_t batch) noexcept {
    BASIN_ASSERT(batch >= 1);
    return static_cast<std::size_t>(batch) * row_bytes(layer);
  }
  [[nodiscard]] static std::size_t scratch_size(const PackedLayer& layer, std::ptrdiff_t) noexcept { return row_bytes(layer); }

  static void prepare(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t, std::ptrdiff_t first_vector,
                      std::ptrdiff_t last_vector, void* workspace) noexcept {
    for (std::ptrdiff_t v = first_vector; v < last_vector; ++v) {
      const Row out = row_at(layer, workspace, v);
      for (std::ptrdiff_t i = 0; i < layer.n_in; ++i) out.values[i] = x[v * x_stride + i];
      if constexpr (!is_float) round_row(layer, out);
    }
  }

  static void run(const PackedLayer& layer, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y, std::ptrdiff_t y_stride, void* scratch) noexcept {
    const Row weights = row_at(layer, scratch, 0);
    detail::MatmulStep unit{0, 0};
    if constexpr (!is_float)
      if (layer.family == CodeFamily::planes) unit = detail::codebook_step(layer);
    for (std::ptrdiff_t row = first_row; row < last_row; ++row) {
      decode(layer, row, unit, weights);
      for (std::ptrdiff_t v = 0; v < batch; ++v)
        y[v * y_stride + row - first_row] =
            layer.scales[row / layer.scheme.out_group_size] * product(layer, weights, row_at(layer, const_cast<void*>(workspace), v));
    }
  }

 private:
  static constexpr bool is_float = std::is_same_v<Precision, exact>;
  struct Row {
    float* values;
    std::int32_t* integers;  ///< in the place of the values
    float* steps;            ///< of every block
  };
  [[nodiscard]] static std::size_t row_bytes(const PackedLayer& layer) noexcept {
    return static_cast<std::size_t>(layer.n_in + detail::num_matmul_blocks(layer)) * sizeof(float);
  }
  [[nodiscard]] static Row row_at(const PackedLayer& layer, void* base, std::ptrdiff_t row) noexcept {
    auto* values = reinterpret_cast<float*>(static_cast<std::uint8_t*>(base) + row * static_cast<std::ptrdiff_t>(row_bytes(layer)));
    return {values, reinterpret_cast<std::int32_t*>(values), values + layer.n_in};
  }
  template <class Visit>
  static void visit_blocks(const PackedLayer& layer, Visit visit) noexcept {
    for (std::ptrdiff_t block = 0; block < detail::num_matmul_blocks(layer); ++block) {
      const std::ptrdiff_t first = block * detail::matmul_block, left = layer.n_in - first;
      visit(block, first, left < detail::matmul_block ? left : detail::matmul_block);
    }
  }
  [[nodiscard]] static std::int32_t round_value(float value, float inverse) noexcept {
    return inverse == 0 ? 0 : static_cast<std::int32_t>(__builtin_nearbyintf(value * inverse));
  }
  static void put(std::int32_t* at, std::int32_t value) noexcept { __builtin_memcpy(at, &value, sizeof value); }
  [[nodiscard]] static std::int32_t get(const std::int32_t* at) noexcept {
    std::int32_t value;
    __builtin_memcpy(&value, at, sizeof value);
    return value;
  }

  /// A block at a time, to integers of at most `limit`.
  static void round_row(const PackedLayer& layer, const Row& row) noexcept {
    visit_blocks(layer, [&](std::ptrdiff_t block, std::ptrdiff_t first, std::ptrdiff_t count) {
      const float largest = detail::largest_magnitude(row.values + first, count);
      const detail::MatmulStep to = detail::matmul_step(largest, static_cast<float>(detail::MatmulLevels<Precision>::limit));
      for (std::ptrdiff_t i = first; i < first + count; ++i) put(row.integers + i, round_value(row.values[i], to.inverse));
      row.steps[block] = to.step;
    });
  }

  static void decode(const PackedLayer& layer, std::ptrdiff_t row, const detail::MatmulStep& unit, const Row& out) noexcept {
    if constexpr (!is_float) {
      if (layer.family == CodeFamily::planes) {
        constexpr int shift = detail::MatmulLevels<Precision>::shift;
        for (std::ptrdiff_t block = 0; block < detail::num_matmul_blocks(layer); ++block) out.steps[block] = unit.step * static_cast<float>(1 << shift);
        const std::ptrdiff_t g = layer.scheme.in_group_size;
        for (std::ptrdiff_t i = 0; i < layer.n_in; ++i) {
          std::int32_t sum = 1 << (shift - 1);
          for (std::ptrdiff_t m = 0; m < layer.scheme.num_codebooks; ++m)
            sum += round_value(arch_scalar::codeword_at(layer, m, arch_scalar::code_at(layer, row, i / g, m), 0, i % g), unit.inverse);
          put(out.integers + i, sum >> shift);
        }
        return;
      }
    }
    for (std::ptrdiff_t i = 0; i < layer.n_in; ++i) out.values[i] = arch_scalar::codeword_sum(layer, row, i);
    if constexpr (!is_float) round_row(layer, out);
  }

  [[nodiscard]] static float product(const PackedLayer& layer, const Row& weights, const Row& x) noexcept {
    float total = 0;
    visit_blocks(layer, [&](std::ptrdiff_t block, std::ptrdiff_t first, std::ptrdiff_t count) {
      if constexpr (is_float) {
        for (std::ptrdiff_t i = first; i < first + count; ++i) total += weights.values[i] * x.values[i];
      } else {
        std::int32_t sum = 0;
        for (std::ptrdiff_t i = first; i < first + count; ++i) sum += get(weights.integers + i) * get(x.integers + i);
        total = __builtin_fmaf(static_cast<float>(sum), weights.steps[block] * x.steps[block], total);
      }
    });
    return total;
  }
};

}  // namespace basin::kernels
