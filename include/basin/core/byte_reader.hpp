#pragma once

#include <basin/core/config.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace basin {
/// Little-endian bytes to an integer or IEEE float, on any machine and at any alignment.
/// Precondition: sizeof(T) readable bytes at `from`.
template <class T>
  requires std::integral<T> || std::floating_point<T>
[[nodiscard]] inline T load_little_endian(const std::byte* from) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  } else {
    std::byte turned[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) turned[i] = from[sizeof(T) - 1 - i];
    T value;
    std::memcpy(&value, turned, sizeof value);
    return value;
  }
}

/// The inverse of load_little_endian. Precondition: sizeof(T) writable bytes at `to`.
template <class T>
  requires std::integral<T> || std::floating_point<T>
inline void store_little_endian(T value, std::byte* to) noexcept {
  std::memcpy(to, &value, sizeof value);
  if constexpr (std::endian::native != std::endian::little) {
    for (std::size_t i = 0; i < sizeof(T) / 2; ++i) {
      const std::byte low = to[i];
      to[i] = to[sizeof(T) - 1 - i];
      to[sizeof(T) - 1 - i] = low;
    }
  }
}

/// A cursor over untrusted little-endian bytes. A read that would pass the end returns false and
/// leaves the cursor and the value as they were, so offset() is where the missing field begins.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - offset_; }

  template <class T>
    requires std::integral<T> || std::floating_point<T>
  [[nodiscard]] bool read(T& value) noexcept {
    if (remaining() < sizeof(T)) return false;
    value = load_little_endian<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return true;
  }
  [[nodiscard]] bool read_bytes(std::uint64_t count, std::span<const std::byte>& value) noexcept {
    if (remaining() < count) return false;
    value = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return true;
  }
  /// A view of the next `count` bytes as text; whether it is UTF-8 is not checked.
  [[nodiscard]] bool read_text(std::uint64_t count, std::string_view& value) noexcept {
    std::span<const std::byte> raw;
    if (!read_bytes(count, raw)) return false;
    value = {reinterpret_cast<const char*>(raw.data()), raw.size()};
    return true;
  }
  [[nodiscard]] bool skip(std::uint64_t count) noexcept {
    std::span<const std::byte> ignored;
    return read_bytes(count, ignored);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

}  // namespace basin
