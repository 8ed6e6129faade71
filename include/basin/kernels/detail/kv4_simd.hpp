#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/detail/kv4_steps.hpp>
#include <basin/kernels/kv4.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// What Kv4 asks of an instruction set beside LevelSimd, 32 codes at a time; <arch>_levels.hpp defines it.
///
///     Range                                empty_range() is zero; add_range(x, range) widens it to 16 floats; low(range), high(range)
///     dot(codes, q, count)                 sum of q_i code_i over `count` times 32
///     decode(codes, zero, scale, out)      scale * (code - zero)
///     mix(codes, stride, scales, zeros, group_stride, weights, rows, out)     out[i] = sum over rows, of 32 columns
template <class Arch>
struct Kv4Simd;

template <class Arch>
struct SimdKv4 {
  static void quantize(const Kv4Cache& cache, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t first_row, std::ptrdiff_t last_row) noexcept {
    visit(cache, first_row, last_row, [&](std::ptrdiff_t row, std::ptrdiff_t first, std::uint8_t* codes, std::ptrdiff_t index) BASIN_LAMBDA_INLINE {
      const float* in = x + (row - first_row) * x_stride + first;
      typename S::Range range = S::empty_range();
      typename S::Magnitudes magnitudes = S::magnitudes(in);
      for (std::ptrdiff_t i = 0; i < cache.format.group; i += 16) {
        range = S::add_range(in + i, range);
        magnitudes = S::larger(magnitudes, S::magnitudes(in + i));
      }
      const Kv4Step step = kv4_step(cache.format, S::low(range), S::high(range), S::largest(magnitudes));
      cache.scales[index] = step.scale;
      cache.zeros[index] = static_cast<std::uint8_t>(step.zero);
      if (!(step.scale == step.scale)) {
        __builtin_memset(codes, 0, static_cast<std::size_t>(cache.format.group / 2));
        return;
      }
      const auto zero = static_cast<float>(step.zero);
      for (std::ptrdiff_t i = 0; i < cache.format.group; i += 16) {
        std::int8_t shifted[16];
        S::quantize(in + i, step.scale, -zero, 15 - zero, shifted);
        for (int k = 0; k < 8; ++k)
          codes[i / 2 + k] = static_cast<std::uint8_t>((shifted[2 * k] + step.zero) | (shifted[2 * k + 1] + step.zero) << 4);
      }
    });
  }

  static void dequantize(const Kv4Cache& cache, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out, std::ptrdiff_t out_stride) noexcept {
    visit(cache, first_row, last_row, [&](std::ptrdiff_t row, std::ptrdiff_t first, const std::uint8_t* codes, std::ptrdiff_t index) BASIN_LAMBDA_INLINE {
      for (std::ptrdiff_t i = 0; i < cache.format.group; i += 32)
        S::decode(codes + i / 2, cache.zeros[index], cache.scales[index], out + (row - first_row) * out_stride + first + i);
    });
  }

  static void scores(const Kv4Cache& cache, const QuantizedActivations& queries, std::ptrdiff_t query, std::ptrdiff_t first_row,
                     std::ptrdiff_t last_row, float* out) noexcept {
    BASIN_ASSERT(check(cache.format) == FormatError::none && queries.group_inputs == cache.format.group);
    const std::int8_t* q = queries.values + query * queries.row_bytes;
    const std::ptrdiff_t groups = cache.format.size / cache.format.group;
    for (std::ptrdiff_t row = first_row; row < last_row; ++row) {
      float total = 0;
      for (std::ptrdiff_t g = 0; g < groups; ++g) {
        const std::ptrdiff_t first = g * cache.format.group, index = row * groups + g, of_query = query * groups + g;
        const std::int32_t sum = S::dot(cache.codes + (row * cache.format.size + first) / 2, q + first, cache.format.group / 32);
        total = kv4_add(total, sum - cache.zeros[index] * queries.sums[of_query], queries.steps[of_query], cache.scales[index]);
      }
      out[row - first_row] = total;
    }
  }

  static void mix(const Kv4Cache& cache, const float* weights, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out) noexcept {
    BASIN_ASSERT(check(cache.format) == FormatError::none);
    const std::ptrdiff_t size = cache.format.size, groups = size / cache.format.group;
    for (std::ptrdiff_t i = 0; i < size; i += 32) {
      const std::ptrdiff_t index = first_row * groups + i / cache.format.group;
      S::mix(cache.codes + (first_row * size + i) / 2, size / 2, cache.scales + index, cache.zeros + index, groups, weights, last_row - first_row, out + i);
    }
  }

 private:
  using S = Kv4Simd<Arch>;

  /// use(row, first column, codes, index of the group among all) for every group.
  template <class Use>
  static BASIN_ALWAYS_INLINE void visit(const Kv4Cache& cache, std::ptrdiff_t first_row, std::ptrdiff_t last_row, Use use) noexcept {
    BASIN_ASSERT(check(cache.format) == FormatError::none);
    const std::ptrdiff_t groups = cache.format.size / cache.format.group;
    for (std::ptrdiff_t row = first_row; row < last_row; ++row)
      for (std::ptrdiff_t g = 0; g < groups; ++g)
        use(row, g * cache.format.group, cache.codes + (row * cache.format.size + g * cache.format.group) / 2, row * groups + g);
  }
};

}  // namespace basin::kernels::detail
