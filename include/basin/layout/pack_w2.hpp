#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace basin {
/// Codes of 2 bits, four per byte: code i of a row in bits 2 (i mod 4) and up of byte i / 4.
///
///     byte    | code 4i | code 4i + 1 | code 4i + 2 | code 4i + 3 |      bits 0-1, 2-3, 4-5, 6-7
///
/// Codes 3, 0, 1, 2 are the byte 0x93. What a last byte has no code for is zero. Rows of a matrix are
/// w2_bytes(n_in) apart. Changing any of this changes w2_version.
inline constexpr int w2_version = 1;

/// Bytes of `count` codes.
[[nodiscard]] constexpr std::size_t w2_bytes(std::size_t count) noexcept { return count / 4 + (count % 4 != 0); }

/// @param codes  each below 4.
/// @param out    w2_bytes(codes.size()) bytes.
constexpr void pack_w2(std::span<const std::uint8_t> codes, std::span<std::uint8_t> out) noexcept {
  BASIN_ASSERT(out.size() == w2_bytes(codes.size()));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    BASIN_ASSERT(codes[i] < 4);
    out[i / 4] = static_cast<std::uint8_t>((i % 4 == 0 ? 0 : out[i / 4]) | codes[i] << (i % 4 * 2));
  }
}

/// The inverse of pack_w2.
/// @param packed  w2_bytes(out.size()) bytes.
constexpr void unpack_w2(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) noexcept {
  BASIN_ASSERT(packed.size() == w2_bytes(out.size()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(packed[i / 4] >> (i % 4 * 2) & 3);
}

}  // namespace basin
