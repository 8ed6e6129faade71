#pragma once

#include <basin/core/config.hpp>
#include <basin/core/scheme.hpp>

#include <cstddef>
#include <cstdint>

namespace basin {
/// How a packed layer keeps its codes.
enum class CodeFamily : std::uint8_t {
  planes,  ///< b = 4, 6, 8 and g_out = 1: rows side by side, for look-ups in registers
  rows     ///< any other scheme: bit-packed rows, see bit_pack.hpp
};

[[nodiscard]] BASIN_ALWAYS_INLINE constexpr CodeFamily code_family(const Scheme& scheme) noexcept {
  const bool in_register = scheme.bits_per_code == 4 || scheme.bits_per_code == 6 || scheme.bits_per_code == 8;
  return in_register && scheme.out_group_size == 1 ? CodeFamily::planes : CodeFamily::rows;
}

/// A packed layer in memory, ready for kernels: pointers into one block of bytes that the host owns
/// and that pack_layer wrote; see pack_layer.hpp. Every array starts on a 64-byte boundary.
///
/// Family `planes`. Rows come in blocks of 128 (the last one has 64 where that is enough), inputs
/// in blocks of 32 groups. A tile is one row block of one input block; a plane is one byte of each
/// of its rows. Tiles lie in this order, without gaps:
///
///     codes  | input block 0: row block 0, 1, 2, .. | input block 1: row block 0, 1, .. | ..
///     tile   | plane 0: byte of row 0, 1, .., 127 | plane 1 | ..
///
/// The codes of a row in an input block are numbered q = (j - 32 B) M + m.
///
///     b = 8   plane q holds code q
///     b = 4   plane q / 2 holds codes q (low half, q even) and q + 1 (high half)
///     b = 6   four codes in three planes: the low 6 bits of planes 3t, 3t+1, 3t+2 are codes 4t,
///             4t+1, 4t+2, their top two bits the bits 0-1, 2-3 and 4-5 of code 4t+3; what is left
///             at the end, one to three codes, has a plane each, top bits zero
///
/// Padded rows have code 0 and scale 0.
///
/// Family `rows`. codes is [O, row_bytes]: the M J codes of an output group, group by group, packed
/// by pack_bits.
struct PackedLayer {
  Scheme scheme;
  CodeFamily family = CodeFamily::planes;
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  std::ptrdiff_t num_in_groups = 0;  ///< J
  std::ptrdiff_t padded_rows = 0;    ///< planes: n_out rounded up to 64; rows: n_out
  std::ptrdiff_t row_bytes = 0;      ///< bytes of codes per row (planes) or output group (rows)
  const std::uint8_t* codes = nullptr;
  const float* codebooks = nullptr;             ///< planes: [M, K, g]
  const float* transposed_codebooks = nullptr;  ///< planes: [M, g, K]
  const std::uint16_t* half_codebooks = nullptr;  ///< rows: fp16 bits, [M, K, g_out, g]
  const float* scales = nullptr;  ///< planes: [padded_rows]; rows: [O]
  float max_codeword_norm = 0;    ///< planes: the largest Euclidean norm of a codeword

  static constexpr std::ptrdiff_t rows_per_block = 128;
  static constexpr std::ptrdiff_t row_granule = 64;
  static constexpr std::ptrdiff_t groups_per_block = 32;
};

/// Planes that `num_codes` codes of b = 4, 6 or 8 bits take.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t num_planes(std::ptrdiff_t num_codes, int bits) noexcept {
  return bits == 8 ? num_codes : bits == 4 ? (num_codes + 1) / 2 : num_codes - num_codes / 4;
}

/// ceil(J / 32).
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t num_input_blocks(const PackedLayer& layer) noexcept {
  return (layer.num_in_groups + PackedLayer::groups_per_block - 1) / PackedLayer::groups_per_block;
}

/// Input groups of input block `block`: 32, or what is left.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t groups_in_block(const PackedLayer& layer,
                                                                           std::ptrdiff_t block) noexcept {
  const std::ptrdiff_t left = layer.num_in_groups - block * PackedLayer::groups_per_block;
  return left < PackedLayer::groups_per_block ? left : PackedLayer::groups_per_block;
}

/// Rows of the row block that starts at `first_row`: 128, or 64 at the end.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t rows_in_block(const PackedLayer& layer,
                                                                         std::ptrdiff_t first_row) noexcept {
  const std::ptrdiff_t left = layer.padded_rows - first_row;
  return left < PackedLayer::rows_per_block ? left : PackedLayer::rows_per_block;
}

/// The first plane of the tile of input block `block` and the row block that starts at `first_row`.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr const std::uint8_t* tile_codes(const PackedLayer& layer, std::ptrdiff_t block,
                                                                           std::ptrdiff_t first_row) noexcept {
  const int bits = layer.scheme.bits_per_code;
  const std::ptrdiff_t codebooks = layer.scheme.num_codebooks;
  const std::ptrdiff_t full = num_planes(PackedLayer::groups_per_block * codebooks, bits);
  const std::ptrdiff_t here = num_planes(groups_in_block(layer, block) * codebooks, bits);
  return layer.codes + layer.padded_rows * block * full + first_row * here;
}

/// Code q of row `row` of a tile of `rows` rows.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr int tile_code(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t row,
                                                          std::ptrdiff_t q, int bits) noexcept {
  if (bits == 8) return tile[q * rows + row];
  if (bits == 4) return tile[q / 2 * rows + row] >> (q % 2 * 4) & 15;
  const std::ptrdiff_t plane = q / 4 * 3;
  const std::uint8_t* column = tile + plane * rows + row;
  if (q % 4 < 3) return column[q % 4 * rows] & 63;
  return column[0] >> 6 | column[rows] >> 6 << 2 | column[2 * rows] >> 6 << 4;
}

}  // namespace basin
