#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace basin {
/// Signed 4-bit integers, two per byte: the one of even index in the low half, two's complement.
///
///     byte i    | value 2i | value 2i + 1 |      bits 0-3, bits 4-7
///
/// -1, 7 is the byte 0x7f. A last half without a value is zero. Changing any of this changes int4_version.
///
/// Source    the packing of QuaRot, arXiv:2404.00456.
inline constexpr int int4_version = 1;

/// Bytes of `count` values.
[[nodiscard]] constexpr std::size_t int4_bytes(std::size_t count) noexcept { return count / 2 + count % 2; }

/// @param values  each in -8..7.
/// @param out     int4_bytes(values.size()) bytes.
constexpr void pack_int4(std::span<const std::int8_t> values, std::span<std::uint8_t> out) noexcept {
  BASIN_ASSERT(out.size() == int4_bytes(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    BASIN_ASSERT(values[i] >= -8 && values[i] <= 7);
    const auto half = static_cast<std::uint8_t>(values[i] & 15);
    out[i / 2] = i % 2 == 0 ? half : static_cast<std::uint8_t>(out[i / 2] | half << 4);
  }
}

/// The inverse of pack_int4.
/// @param packed  int4_bytes(out.size()) bytes.
constexpr void unpack_int4(std::span<const std::uint8_t> packed, std::span<std::int8_t> out) noexcept {
  BASIN_ASSERT(packed.size() == int4_bytes(out.size()));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::int8_t>(((packed[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8);
}

}  // namespace basin
