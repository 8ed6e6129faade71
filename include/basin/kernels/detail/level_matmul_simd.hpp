#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/detail/level_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// LevelMatmul on an instruction set with vectors. A panel is up to 512 inputs of a row block, as bytes:
///
///     panel     | word 0: row 0: 4 inputs, row 1: .. row 63 | word 1 | ..      256 bytes each
///     scratch   | panel | sums int32 [tokens][64] | totals fp32 [tokens][64] |
template <class Arch>
struct SimdLevelMatmul {
  [[nodiscard]] static std::size_t scratch_size(std::ptrdiff_t batch) noexcept {
    BASIN_ASSERT(batch >= 1);
    return static_cast<std::size_t>(panel_words * panel_word_bytes + 8 * rows * (batch < tokens_in_flight ? batch : tokens_in_flight));
  }

  static void run(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
                  std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride, void* scratch) noexcept {
    BASIN_ASSERT(check(format) == FormatError::none && 0 <= first_row && last_row <= layer.n_out);
    const QuantizedActivations x = quantized_activations(format, layer.n_in, batch, const_cast<void*>(workspace));
    const auto tables = S::template make_tables<false>(layer.levels);
    auto* panel = static_cast<std::uint8_t*>(scratch);
    auto* sums = reinterpret_cast<std::int32_t*>(panel + panel_words * panel_word_bytes);
    for (std::ptrdiff_t first = 0; first < batch; first += tokens_in_flight) {
      const std::ptrdiff_t tokens = batch - first < tokens_in_flight ? batch - first : tokens_in_flight;
      auto* totals = reinterpret_cast<float*>(sums + tokens * rows);
      for (std::ptrdiff_t block = first_row / rows * rows; block < last_row; block += rows) {
        __builtin_memset(totals, 0, static_cast<std::size_t>(tokens * rows) * sizeof(float));
        visit_groups(layer, x, [&](std::ptrdiff_t g, std::ptrdiff_t first_word, std::ptrdiff_t words) BASIN_LAMBDA_INLINE {
          __builtin_memset(sums, 0, static_cast<std::size_t>(tokens * rows) * sizeof(std::int32_t));
          for (std::ptrdiff_t w = first_word; w < first_word + words; w += panel_words) {
            const std::ptrdiff_t left = first_word + words - w, here = left < panel_words ? left : panel_words;
            decode(level_words(layer, block) + w * PackedLevels::word_bytes, here, tables, panel);
            multiply(panel, here, x.values + first * x.row_bytes + 4 * w, x.row_bytes, tokens, sums);
          }
          for (std::ptrdiff_t v = 0; v < tokens; ++v) {
            const std::ptrdiff_t index = (first + v) * x.groups + g;
            for (std::ptrdiff_t r = 0; r < rows; r += 16)
              S::to_totals(sums + v * rows + r, 1, layer.levels[0] * x.sums[index], x.steps[index], totals + v * rows + r);
          }
        });
        for (std::ptrdiff_t v = 0; v < tokens; ++v)
          store_level_rows(layer, totals + v * rows, block, first_row, last_row, y + (first + v) * y_stride);
      }
    }
  }

 private:
  using S = LevelSimd<Arch>;
  static constexpr std::ptrdiff_t rows = PackedLevels::rows_per_block;
  static constexpr std::ptrdiff_t panel_words = 128, panel_word_bytes = 4 * rows;
  static constexpr std::ptrdiff_t tokens_in_flight = 512;  ///< their inputs of a panel and their sums stay in a second-level cache

  template <class Tables>
  static BASIN_ALWAYS_INLINE void decode(const std::uint8_t* codes, std::ptrdiff_t words, const Tables& tables, std::uint8_t* panel) noexcept {
    for (std::ptrdiff_t w = 0; w < words; ++w, codes += PackedLevels::word_bytes, panel += panel_word_bytes)
      unroll<16 / S::lanes>([&](int part) BASIN_LAMBDA_INLINE {
        S::decode(S::load(codes + 4 * S::lanes * part), tables, panel + 4 * S::lanes * part);
      });
  }

  static BASIN_ALWAYS_INLINE void multiply(const std::uint8_t* panel, std::ptrdiff_t words, const std::int8_t* x, std::ptrdiff_t x_stride,
                                           std::ptrdiff_t tokens, std::int32_t* sums) noexcept {
    std::ptrdiff_t v = 0;
    for (; v + S::matmul_tokens <= tokens; v += S::matmul_tokens)
      multiply_some<S::matmul_tokens>(panel, words, x + v * x_stride, x_stride, sums + v * rows);
    multiply_rest<S::matmul_tokens - 1>(tokens - v, panel, words, x + v * x_stride, x_stride, sums + v * rows);
  }
  template <int Tokens>
  static BASIN_ALWAYS_INLINE void multiply_rest(std::ptrdiff_t tokens, const std::uint8_t* panel, std::ptrdiff_t words, const std::int8_t* x,
                                                std::ptrdiff_t x_stride, std::int32_t* sums) noexcept {
    if constexpr (Tokens > 0) {
      if (tokens == Tokens) multiply_some<Tokens>(panel, words, x, x_stride, sums);
      else multiply_rest<Tokens - 1>(tokens, panel, words, x, x_stride, sums);
    }
  }

  template <int Tokens>
  static void multiply_some(const std::uint8_t* panel, std::ptrdiff_t words, const std::int8_t* x, std::ptrdiff_t x_stride,
                            std::int32_t* sums) noexcept {
    constexpr int vectors = S::matmul_vectors;
    for (std::ptrdiff_t part = 0; part < rows; part += vectors * S::lanes)
      for (std::ptrdiff_t begin = 0; begin < words; begin += S::words_per_sum) {
        const std::ptrdiff_t end = begin + S::words_per_sum < words ? begin + S::words_per_sum : words;
        typename S::Dot sum[Tokens * vectors];
        unroll<Tokens * vectors>([&](int i) BASIN_LAMBDA_INLINE { sum[i] = S::zero_dot(); });
        const std::uint8_t* from = panel + begin * panel_word_bytes + 4 * part;
        for (std::ptrdiff_t w = begin; w < end; ++w, from += panel_word_bytes) {
          typename S::Bytes weights[vectors];
          unroll<vectors>([&](int i) BASIN_LAMBDA_INLINE { weights[i] = S::load(from + 4 * S::lanes * i); });
          unroll<Tokens>([&](int v) BASIN_LAMBDA_INLINE {
            const auto inputs = S::load_words(x + v * x_stride + 4 * w);
            unroll<vectors>([&](int i) BASIN_LAMBDA_INLINE { S::dot(sum[v * vectors + i], weights[i], inputs); });
          });
        }
        unroll<Tokens * vectors>([&](int i) BASIN_LAMBDA_INLINE {
          S::add_dot(sum[i], sums + i / vectors * rows + part + i % vectors * S::lanes);
        });
      }
  }
};

}  // namespace basin::kernels::detail
