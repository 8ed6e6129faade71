#pragma once

#include <basin/core/byte_reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace basin {
/// A number that tells contents apart: FNV-1a over little-endian words of 8 bytes, mixed. Not against an adversary.
class ContentHash {
 public:
  constexpr ContentHash() noexcept = default;

  void add(std::span<const std::byte> bytes) noexcept {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::array<std::byte, 8> word{};
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(8, bytes.size() - at), word.begin());
      value_ = (value_ ^ load_little_endian<std::uint64_t>(word.data())) * 0x100000001b3u;
      value_ ^= value_ >> 29;
    }
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace basin
