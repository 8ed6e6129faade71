#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/detail/level_steps.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// What products of levels ask of an instruction set; the file <arch>_levels.hpp under arch/ defines it. Every function
/// is static, always inlined and takes raw pointers. Weights meet inputs as level - levels[0], 0 to 15, or as codes
/// where the levels are equally spaced and the instruction set gains by it.
///
///     lanes                 sums in a vector: 4, 8 or 16; a vector has 4 * lanes bytes
///     words_per_sum         words of inputs that Sums and Dot hold at most
///     chains                1, 2 or 4: Sums in flight that hide the time of a product
///     uses_codes            products of codes are quicker
///     matmul_vectors, matmul_tokens   vectors of rows (dividing 64 / lanes) and tokens whose sums fit the registers
///     Bytes, Words          weights; four inputs, the same in every lane
///     Tables<Codes>         made from layer.levels
///     Fields<Codes>         four vectors made from a vector of codes by fields(codes, tables), one for each row of a byte
///     Sums                  of a Fields' products; zero_sums(), multiply_add(sums, fields, words), add(sums, sums)
///     add_sums<Codes>(sums, int32*)     to_add[16 k + lane] += sum of row k of the bytes
///     decode(codes, tables, out)        four vectors of bytes, level - levels[0], 64 bytes apart
///     Dot                   of one vector of bytes; zero_dot(), dot(sum, bytes, words), add_dot(sum, int32*)
///     load, load_words
///     to_totals(sums, factor, correction, step, totals)     16 of them: fma(factor * sum + correction, step, total)
///     Magnitudes            of 16 floats, as bits; magnitudes(x), larger(a, b), largest(magnitudes)
///     quantize(x, step, low, high, out)                     16 floats, as ActivationFormat says
///     sum(values, count)                                    of 16 * count integers
///     unpack_int4(packed, out)                              16 integers
template <class Arch>
struct LevelSimd;

/// Sixteen inputs at a time; what is left is copied.
template <class Arch>
struct SimdQuantizeActivations {
  static void run(const ActivationFormat& format, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t n_in, std::ptrdiff_t batch,
                  std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept {
    const auto limit = static_cast<float>(activation_limit(format));
    visit(format, n_in, batch, first_token, last_token, workspace,
          [&](std::ptrdiff_t token, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t count, std::int8_t* out) BASIN_LAMBDA_INLINE {
            const float* in = x + token * x_stride + first;
            const std::ptrdiff_t whole = count / 16 * 16;
            float tail[16] = {};
            for (std::ptrdiff_t i = whole; i < count; ++i) tail[i - whole] = in[i];
            typename S::Magnitudes largest = S::magnitudes(tail);
            for (std::ptrdiff_t i = 0; i < whole; i += 16) largest = S::larger(largest, S::magnitudes(in + i));
            const float step = activation_step(format, S::largest(largest));
            if (!(step == step)) {
              __builtin_memset(out, 0, static_cast<std::size_t>(count));
              return step;
            }
            for (std::ptrdiff_t i = 0; i < whole; i += 16) S::quantize(in + i, step, -limit - 1, limit, out + i);
            if (whole < count) S::quantize(tail, step, -limit - 1, limit, out + whole);
            return step;
          });
  }

  static void run_int4(const ActivationFormat& format, const std::uint8_t* packed, const float* steps, std::ptrdiff_t n_in, std::ptrdiff_t batch,
                       std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept {
    visit(format, n_in, batch, first_token, last_token, workspace,
          [&](std::ptrdiff_t token, std::ptrdiff_t group, std::ptrdiff_t first, std::ptrdiff_t count, std::int8_t* out) BASIN_LAMBDA_INLINE {
            const std::uint8_t* in = packed + token * ((n_in + 1) / 2) + first / 2;
            const std::ptrdiff_t whole = count / 16 * 16;
            for (std::ptrdiff_t i = 0; i < whole; i += 16) S::unpack_int4(in + i / 2, out + i);
            for (std::ptrdiff_t i = whole; i < count; ++i) out[i] = static_cast<std::int8_t>(((in[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8);
            return steps[group];
          });
  }

 private:
  using S = LevelSimd<Arch>;

  /// fill(token, index of the group among all, first input, inputs, out) writes a group's integers, and may write up to the
  /// next multiple of 16; it returns the step.
  template <class Fill>
  static BASIN_ALWAYS_INLINE void visit(const ActivationFormat& format, std::ptrdiff_t n_in, std::ptrdiff_t batch, std::ptrdiff_t first_token,
                                        std::ptrdiff_t last_token, void* workspace, Fill fill) noexcept {
    const QuantizedActivations at = quantized_activations(format, n_in, batch, workspace);
    for (std::ptrdiff_t token = first_token; token < last_token; ++token) {
      std::int8_t* out = at.values + token * at.row_bytes;
      for (std::ptrdiff_t g = 0; g < at.groups; ++g) {
        const std::ptrdiff_t first = g * at.group_inputs, left = n_in - first, count = left < at.group_inputs ? left : at.group_inputs;
        const std::ptrdiff_t index = token * at.groups + g;
        at.steps[index] = fill(token, index, first, count, out + first);
      }
      for (std::ptrdiff_t i = n_in; i < at.row_bytes; ++i) out[i] = 0;
      for (std::ptrdiff_t g = 0; g < at.groups; ++g) {
        const std::ptrdiff_t first = g * at.group_inputs, left = n_in - first, count = left < at.group_inputs ? left : at.group_inputs;
        at.sums[token * at.groups + g] = S::sum(out + first, (count + 15) / 16);
      }
    }
  }
};

/// visit(index of the group, first word, words) for every group of a token; there are zeros up to the end of its last word.
template <class Visit>
BASIN_ALWAYS_INLINE void visit_groups(const PackedLevels& layer, const QuantizedActivations& x, Visit visit) noexcept {
  for (std::ptrdiff_t g = 0; g < x.groups; ++g) {
    const std::ptrdiff_t first = g * x.group_inputs / 4, end = g + 1 < x.groups ? first + x.group_inputs / 4 : layer.num_words;
    visit(g, first, end - first);
  }
}

/// What integer sums of products become: sum of levels = factor * sum + first * (sum of inputs).
struct LevelUnits {
  std::int32_t factor, first;
};
template <bool Codes>
[[nodiscard]] BASIN_ALWAYS_INLINE LevelUnits level_units(const PackedLevels& layer) noexcept {
  return {Codes ? level_step(layer) : 1, layer.levels[0]};
}

/// Writes the rows of a block that lie in [first_row, last_row).
BASIN_ALWAYS_INLINE void store_level_rows(const PackedLevels& layer, const float* totals, std::ptrdiff_t block, std::ptrdiff_t first_row,
                                          std::ptrdiff_t last_row, float* y) noexcept {
  const std::ptrdiff_t begin = block < first_row ? first_row : block;
  const std::ptrdiff_t end = block + PackedLevels::rows_per_block < last_row ? block + PackedLevels::rows_per_block : last_row;
  for (std::ptrdiff_t row = begin; row < end; ++row) y[row - first_row] = layer.scales[row] * totals[row - block];
}

}  // namespace basin::kernels::detail
