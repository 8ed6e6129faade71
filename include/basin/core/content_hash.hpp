#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace basin {
/// A number that tells contents apart: FNV-1a over words of 8 bytes, mixed. Not against an adversary.
class ContentHash {
 public:
  constexpr ContentHash() noexcept = default;

  void add(std::span<const std::byte> bytes) noexcept {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
      value_ = (value_ ^ word) * 0x100000001b3u;
      value_ ^= value_ >> 29;
    }
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace basin
