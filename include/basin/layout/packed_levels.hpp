#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>

namespace basin {
/// A weight of scalar levels in memory, ready for kernels: pointers into one block of bytes that the host
/// owns and that pack_levels wrote; see pack_levels.hpp. Both arrays start on a 64-byte boundary.
///
///     W[o, i] = scales[o] * levels[code of (o, i)]
///
/// Rows come in blocks of 64, inputs in words of 4; a word of a row block is 64 bytes:
///
///     codes   | rows 0 to 63: word 0, word 1, .. | rows 64 to 127: word 0, ..
///     word w  | row 0: inputs 4w, 4w + 1, 4w + 2, 4w + 3 | row 1: .. | .. | row 15: .. |
///     byte    | row r | row r + 16 | row r + 32 | row r + 48 |      two bits each, lowest first
///
/// So a byte belongs to one input, and a 32-bit lane to four inputs that meet one product of bytes.
/// There are words for whole multiples of 16 inputs; codes past n_in and n_out are 0, as are their rows' scales.
struct PackedLevels {
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  std::ptrdiff_t padded_rows = 0;  ///< n_out rounded up to 64
  std::ptrdiff_t num_words = 0;    ///< words of a row block
  std::int8_t levels[4] = {};      ///< ascending, what codes 0 to 3 stand for
  const std::uint8_t* codes = nullptr;
  const float* scales = nullptr;  ///< [padded_rows]

  static constexpr std::ptrdiff_t rows_per_block = 64;
  static constexpr std::ptrdiff_t word_bytes = 64;
  static constexpr std::ptrdiff_t input_granule = 16;
  static constexpr std::ptrdiff_t max_inputs = std::ptrdiff_t{1} << 20;
  static constexpr int max_level = 15;  ///< |level|, and the distance of the outer two
};

/// The words of the row block of `row`.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr const std::uint8_t* level_words(const PackedLevels& layer, std::ptrdiff_t row) noexcept {
  return layer.codes + row / PackedLevels::rows_per_block * layer.num_words * PackedLevels::word_bytes;
}

/// The code of a weight.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr int level_code(const PackedLevels& layer, std::ptrdiff_t row, std::ptrdiff_t input) noexcept {
  const std::uint8_t byte = level_words(layer, row)[input / 4 * PackedLevels::word_bytes + row % 16 * 4 + input % 4];
  return byte >> (row % 64 / 16 * 2) & 3;
}

/// The distance of neighbouring levels where all three are the same, otherwise 0.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr int level_step(const PackedLevels& layer) noexcept {
  const int first = layer.levels[1] - layer.levels[0];
  return layer.levels[2] - layer.levels[1] == first && layer.levels[3] - layer.levels[2] == first ? first : 0;
}

}  // namespace basin
