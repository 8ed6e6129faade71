#pragma once

#include <basin/layout/detail/packed_header.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace basin::test {
/// The bytes that a little-endian machine would have packed: turns values of `width` bytes from `begin` to `end`.
inline void to_little_endian(std::span<std::byte> memory, std::size_t begin, std::size_t end, std::size_t width) {
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t at = begin; at < end; at += width)
      std::reverse(memory.begin() + static_cast<std::ptrdiff_t>(at), memory.begin() + static_cast<std::ptrdiff_t>(at + width));
}
/// Writes a field of a packed header, and the hash that goes with it.
inline void set_header_field(std::span<std::byte> memory, std::size_t at, std::uint64_t value, int bytes) {
  auto* header = reinterpret_cast<std::uint8_t*>(memory.data());
  detail::put_header_field(header + at, value, bytes);
  detail::put_header_field(header + 56, detail::header_hash(header), 8);
}

}  // namespace basin::test
