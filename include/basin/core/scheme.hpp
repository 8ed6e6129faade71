#pragma once

#include <basin/core/config.hpp>

#include <cstddef>
#include <cstdint>

namespace basin {
/// The shape of an additive quantization: `2x8g8` is 2 codebooks of 2^8 codewords over groups of
/// 8 consecutive inputs. One code tuple stands for out_group_size x in_group_size weights.
struct Scheme {
  int num_codebooks = 2;   ///< M, 1..8
  int bits_per_code = 8;   ///< b, 1..16
  int in_group_size = 8;   ///< g
  int out_group_size = 1;  ///< g_out; rows that share a code tuple

  static constexpr int max_codebooks = 8;
  static constexpr int max_bits_per_code = 16;
  static constexpr int max_codeword_size = 4096;

  /// K = 2^b, codewords per codebook.
  [[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t codebook_size() const noexcept {
    return std::ptrdiff_t{1} << bits_per_code;
  }
  /// D = g_out * g, weights per codeword.
  [[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t codeword_size() const noexcept {
    return std::ptrdiff_t{in_group_size} * out_group_size;
  }
  /// J = ceil(n_in / g); the last group may be padded.
  [[nodiscard]] BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t num_in_groups(std::ptrdiff_t n_in) const noexcept {
    return (n_in + in_group_size - 1) / in_group_size;
  }
  [[nodiscard]] BASIN_ALWAYS_INLINE constexpr bool is_valid() const noexcept {
    return num_codebooks >= 1 && num_codebooks <= max_codebooks && bits_per_code >= 1 &&
           bits_per_code <= max_bits_per_code && in_group_size >= 1 && out_group_size >= 1 &&
           in_group_size <= max_codeword_size && out_group_size <= max_codeword_size &&
           codeword_size() <= max_codeword_size;
  }
  friend constexpr bool operator==(const Scheme&, const Scheme&) noexcept = default;
};

}  // namespace basin
