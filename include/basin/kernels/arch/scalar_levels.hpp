#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/kv4_steps.hpp>
#include <basin/kernels/detail/level_steps.hpp>
#include <basin/kernels/kv4.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>

/// Plain loops over weights of levels and caches of 4 bits.
namespace basin::kernels {
namespace arch_scalar {
/// q of one input.
static BASIN_ALWAYS_INLINE std::int8_t quantize_value(float value, float step, float low, float high) noexcept {
  const float quotient = value / step;
  return static_cast<std::int8_t>(__builtin_nearbyintf(quotient < low ? low : quotient > high ? high : quotient));
}
}  // namespace arch_scalar

template <>
struct QuantizeActivations<scalar> {
  static void run(const ActivationFormat& format, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t n_in, std::ptrdiff_t batch,
                  std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept {
    const auto limit = static_cast<float>(detail::activation_limit(format));
    visit(format, n_in, batch, first_token, last_token, workspace,
          [&](std::ptrdiff_t token, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t count, std::int8_t* out) {
            const float* in = x + token * x_stride + first;
            const float step = detail::activation_step(format, detail::largest_magnitude(in, count));
            for (std::ptrdiff_t i = 0; i < count; ++i)
              out[i] = step == step ? arch_scalar::quantize_value(in[i], step, -limit - 1, limit) : std::int8_t{0};
            return step;
          });
  }

  static void run_int4(const ActivationFormat& format, const std::uint8_t* packed, const float* steps, std::ptrdiff_t n_in, std::ptrdiff_t batch,
                       std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept {
    visit(format, n_in, batch, first_token, last_token, workspace,
          [&](std::ptrdiff_t token, std::ptrdiff_t group, std::ptrdiff_t first, std::ptrdiff_t count, std::int8_t* out) {
            const std::uint8_t* in = packed + token * ((n_in + 1) / 2);
            for (std::ptrdiff_t i = first; i < first + count; ++i) out[i - first] = static_cast<std::int8_t>(((in[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8);
            return steps[group];
          });
  }

 private:
  /// fill(token, index of the group among all, first input, inputs, out) writes a group's integers and returns its step.
  template <class Fill>
  static void visit(const ActivationFormat& format, std::ptrdiff_t n_in, std::ptrdiff_t batch, std::ptrdiff_t first_token,
                    std::ptrdiff_t last_token, void* workspace, Fill fill) noexcept {
    const QuantizedActivations at = quantized_activations(format, n_in, batch, workspace);
    for (std::ptrdiff_t token = first_token; token < last_token; ++token) {
      std::int8_t* out = at.values + token * at.row_bytes;
      for (std::ptrdiff_t i = n_in; i < at.row_bytes; ++i) out[i] = 0;
      for (std::ptrdiff_t g = 0; g < at.groups; ++g) {
        const std::ptrdiff_t first = g * at.group_inputs, left = n_in - first, count = left < at.group_inputs ? left : at.group_inputs;
        const std::ptrdiff_t index = token * at.groups + g;
        at.steps[index] = fill(token, index, first, count, out + first);
        at.sums[index] = 0;
        for (std::ptrdiff_t i = first; i < first + count; ++i) at.sums[index] += out[i];
      }
    }
  }
};

template <>
struct LevelMatvec<scalar> {
  static void run(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
                  std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept {
    const QuantizedActivations x = quantized_activations(format, layer.n_in, batch, const_cast<void*>(workspace));
    for (std::ptrdiff_t token = 0; token < batch; ++token)
      for (std::ptrdiff_t row = first_row; row < last_row; ++row) {
        float total = 0;
        for (std::ptrdiff_t g = 0; g < x.groups; ++g) {
          std::int32_t sum = 0;
          for (std::ptrdiff_t i = g * x.group_inputs; i < layer.n_in && i < (g + 1) * x.group_inputs; ++i)
            sum += layer.levels[level_code(layer, row, i)] * x.values[token * x.row_bytes + i];
          total = __builtin_fmaf(static_cast<float>(sum), x.steps[token * x.groups + g], total);
        }
        y[token * y_stride + row - first_row] = layer.scales[row] * total;
      }
  }
};

template <>
struct LevelMatmul<scalar> {
  [[nodiscard]] static std::size_t scratch_size(std::ptrdiff_t) noexcept { return 0; }
  static void run(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
                  std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride, void*) noexcept {
    LevelMatvec<scalar>::run(layer, format, workspace, batch, first_row, last_row, y, y_stride);
  }
};

template <>
struct Kv4<scalar> {
  static void quantize(const Kv4Cache& cache, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t first_row, std::ptrdiff_t last_row) noexcept {
    const std::ptrdiff_t group = cache.format.group;
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      for (std::ptrdiff_t first = 0; first < cache.format.size; first += group) {
        const float* in = x + (row - first_row) * x_stride + first;
        float low = 0, high = 0;
        for (std::ptrdiff_t i = 0; i < group; ++i) {
          if (in[i] < low) low = in[i];
          if (in[i] > high) high = in[i];
        }
        const detail::Kv4Step step = detail::kv4_step(cache.format, low, high, detail::largest_magnitude(in, group));
        const std::ptrdiff_t index = index_of(cache, row, first);
        cache.scales[index] = step.scale;
        cache.zeros[index] = static_cast<std::uint8_t>(step.zero);
        const auto zero = static_cast<float>(step.zero);
        std::uint8_t* codes = cache.codes + (row * cache.format.size + first) / 2;
        for (std::ptrdiff_t i = 0; i < group; ++i) {
          const int code = step.scale == step.scale ? arch_scalar::quantize_value(in[i], step.scale, -zero, 15 - zero) + step.zero : 0;
          codes[i / 2] = static_cast<std::uint8_t>(i % 2 == 0 ? code : codes[i / 2] | code << 4);
        }
      }
  }

  static void dequantize(const Kv4Cache& cache, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out, std::ptrdiff_t out_stride) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      for (std::ptrdiff_t i = 0; i < cache.format.size; ++i)
        out[(row - first_row) * out_stride + i] = cache.scales[index_of(cache, row, i)] * static_cast<float>(above_zero(cache, row, i));
  }

  static void scores(const Kv4Cache& cache, const QuantizedActivations& queries, std::ptrdiff_t query, std::ptrdiff_t first_row,
                     std::ptrdiff_t last_row, float* out) noexcept {
    for (std::ptrdiff_t row = first_row; row < last_row; ++row) {
      float total = 0;
      for (std::ptrdiff_t first = 0; first < cache.format.size; first += cache.format.group) {
        std::int32_t sum = 0;
        for (std::ptrdiff_t i = first; i < first + cache.format.group; ++i) sum += queries.values[query * queries.row_bytes + i] * above_zero(cache, row, i);
        const float step = queries.steps[query * queries.groups + first / cache.format.group];
        total = detail::kv4_add(total, sum, step, cache.scales[index_of(cache, row, first)]);
      }
      out[row - first_row] = total;
    }
  }

  static void mix(const Kv4Cache& cache, const float* weights, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out) noexcept {
    for (std::ptrdiff_t i = 0; i < cache.format.size; ++i) {
      float sum = 0;
      for (std::ptrdiff_t row = first_row; row < last_row; ++row)
        sum = __builtin_fmaf(weights[row - first_row] * cache.scales[index_of(cache, row, i)], static_cast<float>(above_zero(cache, row, i)), sum);
      out[i] = sum;
    }
  }

 private:
  [[nodiscard]] static std::ptrdiff_t index_of(const Kv4Cache& cache, std::ptrdiff_t row, std::ptrdiff_t i) noexcept {
    return (row * cache.format.size + i) / cache.format.group;
  }
  [[nodiscard]] static int above_zero(const Kv4Cache& cache, std::ptrdiff_t row, std::ptrdiff_t i) noexcept {
    const std::ptrdiff_t at = row * cache.format.size + i;
    return (cache.codes[at / 2] >> (at % 2 * 4) & 15) - cache.zeros[index_of(cache, row, i)];
  }
};

}  // namespace basin::kernels
