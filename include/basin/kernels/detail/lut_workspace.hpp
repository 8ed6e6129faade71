#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// The tables of one input vector, in blocks of 32 input groups that can be built side by side:
///
///     block B  | LutBlockHeader | multipliers int32 [N][4] | tables [N][planes][K] bytes |
///
/// N = 32 M. The 16 bytes of multiplier q hold k in the form that the path
/// wants; entry e of table q stands for k step (e - offset). Exact tables are fp32 [N][K].
struct LutBlockHeader {
  float step;         ///< s0; 0 where all inputs are, NaN where one is not finite
  std::int32_t bias;  ///< sum of 128 k over the block: what the bytes' offset adds to the top plane
};

template <class Precision>
inline constexpr int entry_bytes = 4;
template <>
inline constexpr int entry_bytes<int16> = 2;
template <>
inline constexpr int entry_bytes<int8> = 1;

struct LutWorkspace {
  std::ptrdiff_t codes_per_block, table_bytes, multipliers, tables, block_bytes, vector_bytes;
};

template <class Precision>
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr LutWorkspace lut_workspace(const PackedLayer& layer) noexcept {
  LutWorkspace at{};
  at.codes_per_block = PackedLayer::groups_per_block * layer.scheme.num_codebooks;
  at.table_bytes = (std::ptrdiff_t{1} << layer.scheme.bits_per_code) * entry_bytes<Precision>;
  at.multipliers = 64;
  at.tables = at.multipliers + at.codes_per_block * 16;
  at.block_bytes = at.tables + at.codes_per_block * at.table_bytes;
  at.vector_bytes = at.block_bytes * num_input_blocks(layer);
  return at;
}

/// Largest k for which no sum of J M products k * byte leaves int32.
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::int32_t max_multiplier(const PackedLayer& layer) noexcept {
  const std::ptrdiff_t fits = INT32_MAX / (255 * layer.num_in_groups * layer.scheme.num_codebooks);
  return static_cast<std::int32_t>(fits < 127 ? fits : 127);
}

/// Rows in flight: as many as have their sums in the first-level cache.
template <class Precision>
[[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t rows_in_flight(int batch) noexcept {
  constexpr std::ptrdiff_t sums = 32768 / 4 / PackedLayer::rows_per_block;
  const std::ptrdiff_t per_row = batch * (entry_bytes<Precision> == 2 ? 2 : 1);
  return sums / per_row * PackedLayer::rows_per_block;
}

}  // namespace basin::kernels::detail
