#pragma once

#include <basin/core/config.hpp>
#include <basin/layout/detail/packed_header.hpp>
#include <basin/layout/pack_w2.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace basin {
/// Version of the packed bytes; a reader refuses any other.
inline constexpr std::uint32_t packed_levels_version = 1;

/// A weight of scalar levels as it is stored: borrowed, row by row.
struct LevelView {
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  std::int8_t levels[4] = {};             ///< ascending integers; mirror no-zero is {-3, -1, 1, 3} with half the scale
  const std::uint8_t* codes = nullptr;    ///< [n_out, w2_bytes(n_in)], see pack_w2.hpp
  const float* scales = nullptr;          ///< [n_out]
};

/// What keeps a weight from being packed or opened.
enum class LevelsError : std::uint8_t { none, bad_levels, bad_shape, memory_too_small, memory_misaligned, bad_header, other_version, other_byte_order };

[[nodiscard]] constexpr const char* describe(LevelsError error) noexcept {
  switch (error) {
    case LevelsError::none: return "no error";
    case LevelsError::bad_levels: return "levels must ascend, from -15 to 15 and at most 15 apart";
    case LevelsError::bad_shape: return "n_out and n_in must be positive, n_in at most 2^20, and the bytes must fit the address space";
    case LevelsError::memory_too_small: return "the memory is smaller than packed_levels_bytes()";
    case LevelsError::memory_misaligned: return "the memory must start on a 64-byte boundary";
    case LevelsError::bad_header: return "not packed levels, or their header is damaged";
    case LevelsError::other_version: return "packed in another version of the byte format; pack the weight again with this one";
    case LevelsError::other_byte_order: return "packed on a machine of the other byte order; pack the weight again on this one";
  }
  return "unknown error";
}

struct LevelsResult {
  PackedLevels layer;
  LevelsError error = LevelsError::none;
};

namespace detail {
/// Where the arrays lie, in bytes from the start:
///
///     0        64
///     | header | scales fp32 [padded rows] | codes |      each padded to 64 bytes
///
/// Header, little-endian: "BASINLVL", u32 version, i8 levels[4], u64 n_out, u64 n_in, u64 bytes in all, u64 byte order of the
/// scales (0 little-endian, 1 big-endian), u64 zero, u64 FNV-1a hash of the 56 bytes before it.
struct LevelsLayout {
  std::ptrdiff_t padded_rows, num_words;
  std::size_t codes, total;
  bool valid;
};

[[nodiscard]] constexpr LevelsLayout levels_layout(std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept {
  LevelsLayout at{};
  constexpr std::ptrdiff_t rows = PackedLevels::rows_per_block, granule = PackedLevels::input_granule;
  if (n_out < 1 || n_in < 1 || n_in > PackedLevels::max_inputs || n_out > PTRDIFF_MAX / 4096) return at;
  at.padded_rows = (n_out + rows - 1) / rows * rows;
  at.num_words = (n_in + granule - 1) / granule * (granule / 4);
  const std::size_t blocks = static_cast<std::size_t>(at.padded_rows / rows);
  const std::size_t block_bytes = static_cast<std::size_t>(at.num_words * PackedLevels::word_bytes);
  if (block_bytes > static_cast<std::size_t>(PTRDIFF_MAX) / 2 / blocks) return at;
  at.codes = 64 + static_cast<std::size_t>(at.padded_rows) * sizeof(float);
  at.total = at.codes + blocks * block_bytes;
  at.valid = true;
  return at;
}

[[nodiscard]] constexpr bool are_levels(const std::int8_t* levels) noexcept {
  constexpr int limit = PackedLevels::max_level;
  return levels[0] < levels[1] && levels[1] < levels[2] && levels[2] < levels[3] && levels[0] >= -limit && levels[3] <= limit &&
         levels[3] - levels[0] <= limit;
}

inline constexpr std::uint8_t levels_magic[8] = {'B', 'A', 'S', 'I', 'N', 'L', 'V', 'L'};

[[nodiscard]] inline PackedLevels levels_pointers(const std::int8_t* levels, std::ptrdiff_t n_out, std::ptrdiff_t n_in, const LevelsLayout& at,
                                                  const std::uint8_t* bytes) noexcept {
  PackedLevels layer;
  layer.n_out = n_out;
  layer.n_in = n_in;
  layer.padded_rows = at.padded_rows;
  layer.num_words = at.num_words;
  std::memcpy(layer.levels, levels, 4);
  layer.scales = reinterpret_cast<const float*>(bytes + 64);
  layer.codes = bytes + at.codes;
  return layer;
}
}  // namespace detail

/// Bytes of a packed weight; 0 where the shape is impossible.
[[nodiscard]] constexpr std::size_t packed_levels_bytes(std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept {
  const detail::LevelsLayout at = detail::levels_layout(n_out, n_in);
  return at.valid ? at.total : 0;
}

/// Writes a stored weight in the form that kernels read; see PackedLevels for the order of the bytes. The bytes may
/// be kept in a file and opened again, on machines of the same byte order: they hold no address.
///
/// @param memory  at least packed_levels_bytes(), on a 64-byte boundary; all of them are written. The result
///                points into it.
/// Values         Levels are integers; the scale of a row takes their unit. Sets that are no multiples of small
///                integers, such as Lloyd-Max, are refused: round them to ratios that are.
/// Cost           one pass.
[[nodiscard]] inline LevelsResult pack_levels(const LevelView& from, std::span<std::byte> memory) noexcept {
  if (!detail::are_levels(from.levels)) return {{}, LevelsError::bad_levels};
  const detail::LevelsLayout at = detail::levels_layout(from.n_out, from.n_in);
  if (!at.valid) return {{}, LevelsError::bad_shape};
  if (memory.size() < at.total) return {{}, LevelsError::memory_too_small};
  auto* bytes = reinterpret_cast<std::uint8_t*>(memory.data());
  if (reinterpret_cast<std::uintptr_t>(bytes) % 64 != 0) return {{}, LevelsError::memory_misaligned};

  std::memset(bytes, 0, at.total);
  std::memcpy(bytes, detail::levels_magic, 8);
  detail::put_header_field(bytes + 8, packed_levels_version, 4);
  std::memcpy(bytes + 12, from.levels, 4);
  detail::put_header_field(bytes + 16, static_cast<std::uint64_t>(from.n_out), 8);
  detail::put_header_field(bytes + 24, static_cast<std::uint64_t>(from.n_in), 8);
  detail::put_header_field(bytes + 32, at.total, 8);
  detail::put_header_field(bytes + 40, detail::native_byte_order, 8);
  detail::put_header_field(bytes + 56, detail::header_hash(bytes), 8);
  std::memcpy(bytes + 64, from.scales, static_cast<std::size_t>(from.n_out) * sizeof(float));

  const auto row_bytes = static_cast<std::ptrdiff_t>(w2_bytes(static_cast<std::size_t>(from.n_in)));
  const int in_last = static_cast<int>((from.n_in - 1) % 4) + 1;
  for (std::ptrdiff_t row = 0; row < from.n_out; ++row) {
    const std::uint8_t* BASIN_RESTRICT in = from.codes + row * row_bytes;
    std::uint8_t* BASIN_RESTRICT out = bytes + at.codes + row / 64 * at.num_words * PackedLevels::word_bytes + row % 16 * 4;
    const int shift = static_cast<int>(row % 64 / 16 * 2);
    for (std::ptrdiff_t w = 0; w < row_bytes; ++w, out += PackedLevels::word_bytes) {
      const int count = w + 1 < row_bytes ? 4 : in_last;
      for (int i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(out[i] | (in[w] >> (2 * i) & 3) << shift);
    }
  }
  return {detail::levels_pointers(from.levels, from.n_out, from.n_in, at, bytes), LevelsError::none};
}

/// Packed bytes from outside, checked: magic, version, byte order, hash, levels, shape and size. Every pattern of codes is safe to read.
[[nodiscard]] inline LevelsResult open_packed_levels(std::span<const std::byte> memory) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(memory.data());
  if (memory.size() < 64) return {{}, LevelsError::memory_too_small};
  if (reinterpret_cast<std::uintptr_t>(bytes) % 64 != 0) return {{}, LevelsError::memory_misaligned};
  if (std::memcmp(bytes, detail::levels_magic, 8) != 0) return {{}, LevelsError::bad_header};
  if (detail::header_field(bytes + 8, 4) != packed_levels_version) return {{}, LevelsError::other_version};
  if (detail::header_field(bytes + 40, 8) > 1 || detail::header_field(bytes + 48, 8) != 0 ||
      detail::header_field(bytes + 56, 8) != detail::header_hash(bytes))
    return {{}, LevelsError::bad_header};
  if (detail::header_field(bytes + 40, 8) != detail::native_byte_order) return {{}, LevelsError::other_byte_order};
  std::int8_t levels[4];
  std::memcpy(levels, bytes + 12, 4);
  if (!detail::are_levels(levels)) return {{}, LevelsError::bad_levels};
  const std::uint64_t n_out = detail::header_field(bytes + 16, 8), n_in = detail::header_field(bytes + 24, 8);
  if (n_out > PTRDIFF_MAX || n_in > PTRDIFF_MAX) return {{}, LevelsError::bad_shape};
  const detail::LevelsLayout at = detail::levels_layout(static_cast<std::ptrdiff_t>(n_out), static_cast<std::ptrdiff_t>(n_in));
  if (!at.valid) return {{}, LevelsError::bad_shape};
  if (detail::header_field(bytes + 32, 8) != at.total) return {{}, LevelsError::bad_header};
  if (memory.size() < at.total) return {{}, LevelsError::memory_too_small};
  return {detail::levels_pointers(levels, static_cast<std::ptrdiff_t>(n_out), static_cast<std::ptrdiff_t>(n_in), at, bytes), LevelsError::none};
}

}  // namespace basin
