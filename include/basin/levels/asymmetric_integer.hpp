#pragma once

#include <basin/levels/concepts.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace basin {
/// Integers from 0 that each row shifts by a zero point of its own: s (q - z), q in 0 .. 2^Bits - 1.
///
/// On a row that is symmetric about zero the best shift is 1.5 of 2 bits; the whole zero point makes it 1 or
/// 2, so such a row chooses the side that gets the extra level, nothing more.
///
/// Source    the asymmetric quantizer of GPTQ, arXiv:2210.17323.
template <int Bits>
struct AsymmetricInteger {
  static_assert(Bits >= 2 && Bits <= 8, "AsymmetricInteger: codes have 2 to 8 bits");

  static constexpr std::string_view name = std::array<std::string_view, 7>{
      "asym-int2", "asym-int3", "asym-int4", "asym-int5", "asym-int6", "asym-int7", "asym-int8"}[Bits - 2];
  static constexpr std::array<float, (1 << Bits)> values = [] {
    std::array<float, (1 << Bits)> integers{};
    for (int i = 0; i < (1 << Bits); ++i) integers[static_cast<std::size_t>(i)] = static_cast<float>(i);
    return integers;
  }();
  static constexpr bool has_zero_point = true;
};
static_assert(ShiftedLevelSet<AsymmetricInteger<2>> && ShiftedLevelSet<AsymmetricInteger<8>>);

}  // namespace basin
