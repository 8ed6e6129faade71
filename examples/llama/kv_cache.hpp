#pragma once

#include "model.hpp"

#include <basin/core/types.hpp>
#include <basin/kernels.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llama {
/// Keys or values in 4 bits as the kernels of Kv4 read them, one group for each head of each token.
class Kv4Heads {
 public:
  [[nodiscard]] static constexpr basin::kernels::Kv4Format format(const Config& c) noexcept { return {.size = c.head_dim, .group = c.head_dim}; }

  Kv4Heads() = default;
  Kv4Heads(const Config& c, Index capacity)
      : format_(format(c)), capacity_(capacity), codes_(static_cast<std::size_t>(c.kv_heads * capacity * c.head_dim / 2)),
        scales_(static_cast<std::size_t>(c.kv_heads * capacity)), zeros_(scales_.size()) {}

  /// Of one kv head: a row for each token.
  [[nodiscard]] basin::kernels::Kv4Cache head(Index head) noexcept {
    const Index row = head * capacity_;
    return {format_, codes_.data() + row * format_.size / 2, scales_.data() + row, zeros_.data() + row};
  }

 private:
  basin::kernels::Kv4Format format_;
  Index capacity_ = 0;
  std::vector<std::uint8_t> codes_;  // [kv_heads, capacity, head_dim / 2]
  std::vector<float> scales_;        // [kv_heads, capacity]
  std::vector<std::uint8_t> zeros_;  // [kv_heads, capacity]
};

/// Keys and values of the tokens seen so far, for one block.
struct KvCache {
  Matrix keys, values;       ///< [capacity, kv_heads * head_dim]; empty where they have 4 bits
  Kv4Heads keys4, values4;   ///< where they do; keys behind a Hadamard transform of each head
  Index capacity = 0;
  Index length = 0;          ///< tokens in the cache

  KvCache() = default;
  KvCache(const Config& c, Index tokens) : capacity(tokens) {
    if (c.kv_bits == 4) {
      keys4 = values4 = Kv4Heads(c, tokens);
    } else {
      keys.resize(tokens, c.kv_heads * c.head_dim);
      values.resize(tokens, c.kv_heads * c.head_dim);
    }
  }
  [[nodiscard]] bool keeps_codes() const noexcept { return keys.size() == 0; }
};

}  // namespace llama
