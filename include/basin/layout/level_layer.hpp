#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
/// A layer of scalar levels as it is stored: codes, an fp16 scale per row, and the level set itself.
///
///     What[o, i] = scales[o] * (levels[codes[o, i]] - zero_points[o])
///
/// Values    2 to 256 levels, ascending; codes and zero points below their number; scales are IEEE binary16 bits.
struct LevelLayer {
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  std::vector<float> levels;
  std::vector<std::uint8_t> codes;        ///< [n_out, n_in]
  std::vector<std::uint16_t> scales;      ///< [n_out]
  std::vector<std::uint8_t> zero_points;  ///< [n_out], or empty for sets without

  /// Bits that a code takes, 1 to 8.
  [[nodiscard]] int code_bits() const noexcept {
    int bits = 1;
    while (std::size_t{1} << bits < levels.size()) ++bits;
    return bits;
  }
};

}  // namespace basin
