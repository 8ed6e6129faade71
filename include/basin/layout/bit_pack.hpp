#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace basin {
/// How rows of b-bit codes become bytes; see packed_codes.hpp for the rows of a layer.
///
///     bit of the row    0        b        2b       3b
///                       | code 0 | code 1 | code 2 | ...   lowest bit first
///     byte of the row   0       1       2       3          bit p of the row is bit p % 8 of byte p / 8
///
/// b = 3, codes 5, 1, 6:   byte 0 = 10 001 101 (low bits of code 2, code 1, code 0), byte 1 = ......1
///
/// A row is padded with zero bits to whole 8-byte words, so that a reader may load aligned
/// 64-bit words and never leaves the row. Changing any of this changes bit_pack_version.
inline constexpr int bit_pack_version = 1;

/// Bytes of a row of `count` codes of `bits` bits.
[[nodiscard]] constexpr std::size_t packed_row_bytes(std::size_t count, int bits) noexcept {
  return (count * static_cast<std::size_t>(bits) + 63) / 64 * 8;
}

/// @param codes  each below 2^bits; bits in 1..16.
/// @param out    packed_row_bytes(codes.size(), bits) bytes, all of them written.
constexpr void pack_bits(std::span<const std::uint16_t> codes, int bits, std::span<std::uint8_t> out) noexcept {
  BASIN_ASSERT(bits >= 1 && bits <= 16);
  BASIN_ASSERT(out.size() == packed_row_bytes(codes.size(), bits));
  std::uint32_t pending = 0;  // at most 7 + 16 bits
  int num_pending = 0;
  std::size_t at = 0;
  for (const std::uint16_t code : codes) {
    BASIN_ASSERT(code >> bits == 0);
    pending |= static_cast<std::uint32_t>(code) << num_pending;
    for (num_pending += bits; num_pending >= 8; num_pending -= 8, pending >>= 8)
      out[at++] = static_cast<std::uint8_t>(pending & 255u);
  }
  if (num_pending > 0) out[at++] = static_cast<std::uint8_t>(pending);
  while (at < out.size()) out[at++] = 0;
}

/// The inverse of pack_bits.
/// @param packed  packed_row_bytes(out.size(), bits) bytes.
constexpr void unpack_bits(std::span<const std::uint8_t> packed, int bits, std::span<std::uint16_t> out) noexcept {
  BASIN_ASSERT(bits >= 1 && bits <= 16);
  BASIN_ASSERT(packed.size() == packed_row_bytes(out.size(), bits));
  const std::uint32_t mask = (1u << bits) - 1;
  std::uint32_t pending = 0;
  int num_pending = 0;
  std::size_t at = 0;
  for (std::uint16_t& code : out) {
    for (; num_pending < bits; num_pending += 8) pending |= static_cast<std::uint32_t>(packed[at++]) << num_pending;
    code = static_cast<std::uint16_t>(pending & mask);
    pending >>= bits;
    num_pending -= bits;
  }
}

}  // namespace basin
