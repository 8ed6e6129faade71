#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace basin {
/// Two's complement integers of `Bits` bits: {-2, -1, 0, 1} for 2, the grid that "W2" means elsewhere.
///
/// Accuracy  sigma^2 on a Gaussian: 0.149431 with 2 bits, more than half of it from the one level above
///           zero; 0.040638 with 3, 0.011864 with 4.
/// Source    the symmetric quantizer of QuaRot, arXiv:2404.00456.
template <int Bits>
struct SymmetricInteger {
  static_assert(Bits >= 2 && Bits <= 8, "SymmetricInteger: codes have 2 to 8 bits");

  static constexpr std::string_view name = std::array<std::string_view, 7>{
      "sym-int2", "sym-int3", "sym-int4", "sym-int5", "sym-int6", "sym-int7", "sym-int8"}[Bits - 2];
  static constexpr std::array<float, (1 << Bits)> values = [] {
    std::array<float, (1 << Bits)> integers{};
    for (int i = 0; i < (1 << Bits); ++i)
      integers[static_cast<std::size_t>(i)] = static_cast<float>(i - (1 << (Bits - 1)));
    return integers;
  }();
};
static_assert(LevelSet<SymmetricInteger<2>> && LevelSet<SymmetricInteger<8>>);

}  // namespace basin
