#pragma once

#include <bit>
#include <cstdint>

namespace basin::detail {
/// Fields of the 64-byte headers of packed layers: little-endian, the last one an FNV-1a hash of the 56 bytes before it.
constexpr void put_header_field(std::uint8_t* out, std::uint64_t value, int bytes) noexcept {
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
[[nodiscard]] constexpr std::uint64_t header_field(const std::uint8_t* in, int bytes) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= std::uint64_t{in[i]} << (8 * i);
  return value;
}
[[nodiscard]] constexpr std::uint64_t header_hash(const std::uint8_t* header) noexcept {
  std::uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < 56; ++i) hash = (hash ^ header[i]) * 1099511628211u;
  return hash;
}
/// The arrays behind a header are in the byte order of the machine that packed them: 0 little-endian, 1 big-endian.
inline constexpr std::uint64_t native_byte_order = std::endian::native == std::endian::big ? 1 : 0;

}  // namespace basin::detail
