#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/detail/level_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// LevelMatvec on an instruction set with vectors: row blocks one after the other, each a single stream of codes.
template <class Arch>
struct SimdLevelMatvec {
  static void run(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
                  std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept {
    BASIN_ASSERT(check(format) == FormatError::none && batch >= 1 && batch <= 8);
    BASIN_ASSERT(0 <= first_row && last_row <= layer.n_out);
    const QuantizedActivations x = quantized_activations(format, layer.n_in, batch, const_cast<void*>(workspace));
    if constexpr (S::uses_codes)
      if (level_step(layer) != 0) return run_rows<true>(layer, x, batch, first_row, last_row, y, y_stride);
    run_rows<false>(layer, x, batch, first_row, last_row, y, y_stride);
  }

 private:
  using S = LevelSimd<Arch>;
  static constexpr std::ptrdiff_t rows = PackedLevels::rows_per_block;

  template <bool Codes>
  static void run_rows(const PackedLevels& layer, const QuantizedActivations& x, std::ptrdiff_t batch, std::ptrdiff_t first_row,
                       std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept {
    const auto tables = S::template make_tables<Codes>(layer.levels);
    for (std::ptrdiff_t block = first_row / rows * rows; block < last_row; block += rows) {
      std::ptrdiff_t token = 0;
      for (; token + 4 <= batch; token += 4) run_block<Codes, 4>(layer, x, tables, block, token, first_row, last_row, y + token * y_stride, y_stride);
      for (; token + 2 <= batch; token += 2) run_block<Codes, 2>(layer, x, tables, block, token, first_row, last_row, y + token * y_stride, y_stride);
      if (token < batch) run_block<Codes, 1>(layer, x, tables, block, token, first_row, last_row, y + token * y_stride, y_stride);
    }
  }

  template <bool Codes, int Tokens, class Tables>
  static BASIN_ALWAYS_INLINE void run_block(const PackedLevels& layer, const QuantizedActivations& x, const Tables& tables, std::ptrdiff_t block,
                                            std::ptrdiff_t token, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* y,
                                            std::ptrdiff_t y_stride) noexcept {
    const LevelUnits units = level_units<Codes>(layer);
    const std::uint8_t* codes = level_words(layer, block);
    const std::int8_t* values = x.values + token * x.row_bytes;
    alignas(64) float totals[Tokens * rows] = {};
    alignas(64) std::int32_t sums[Tokens * rows];
    visit_groups(layer, x, [&](std::ptrdiff_t g, std::ptrdiff_t first, std::ptrdiff_t words) BASIN_LAMBDA_INLINE {
      __builtin_memset(sums, 0, sizeof sums);
      for (std::ptrdiff_t w = first; w < first + words; w += S::words_per_sum) {
        const std::ptrdiff_t left = first + words - w;
        add_words<Codes, Tokens>(codes + w * PackedLevels::word_bytes, values + 4 * w, x.row_bytes,
                                 left < S::words_per_sum ? left : S::words_per_sum, tables, sums);
      }
      unroll<Tokens>([&](int v) BASIN_LAMBDA_INLINE {
        const std::ptrdiff_t index = (token + v) * x.groups + g;
        for (std::ptrdiff_t r = 0; r < rows; r += 16)
          S::to_totals(sums + v * rows + r, units.factor, units.first * x.sums[index], x.steps[index], totals + v * rows + r);
      });
    });
    for (int v = 0; v < Tokens; ++v) store_level_rows(layer, totals + v * rows, block, first_row, last_row, y + v * y_stride);
  }

  /// sums[v][row] += products of `words` words, a multiple of four.
  template <bool Codes, int Tokens, class Tables>
  static BASIN_ALWAYS_INLINE void add_words(const std::uint8_t* codes, const std::int8_t* x, std::ptrdiff_t x_stride, std::ptrdiff_t words,
                                            const Tables& tables, std::int32_t* sums) noexcept {
    constexpr std::ptrdiff_t ahead = 4096;
    constexpr int chains = S::chains > Tokens ? S::chains / Tokens : 1;
    for (std::ptrdiff_t part = 0; part < 16; part += S::lanes) {
      typename S::Sums sum[chains * Tokens];
      unroll<chains * Tokens>([&](int i) BASIN_LAMBDA_INLINE { sum[i] = S::zero_sums(); });
      const std::uint8_t* from = codes + 4 * part;
      for (std::ptrdiff_t w = 0; w < words; w += 4, from += 4 * PackedLevels::word_bytes) {
        if (part == 0) unroll<4>([&](int i) BASIN_LAMBDA_INLINE { __builtin_prefetch(from + i * PackedLevels::word_bytes + ahead); });
        unroll<4>([&](int i) BASIN_LAMBDA_INLINE {
          const auto fields = S::fields(S::load(from + i * PackedLevels::word_bytes), tables);
          unroll<Tokens>([&](int v) BASIN_LAMBDA_INLINE {
            S::multiply_add(sum[i % chains * Tokens + v], fields, S::load_words(x + v * x_stride + 4 * (w + i)));
          });
        });
      }
      if constexpr (chains > 1)
        unroll<(chains - 1) * Tokens>([&](int i) BASIN_LAMBDA_INLINE { S::add(sum[i % Tokens], sum[i + Tokens]); });
      unroll<Tokens>([&](int v) BASIN_LAMBDA_INLINE { S::template add_sums<Codes>(sum[v], sums + v * rows + part); });
    }
  }
};

}  // namespace basin::kernels::detail
