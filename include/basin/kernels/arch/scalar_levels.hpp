#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/level_steps.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>

/// Plain loops over weights of levels.
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

}  // namespace basin::kernels
