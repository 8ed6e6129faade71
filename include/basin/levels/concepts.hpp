#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace basin {
namespace detail {
template <std::size_t N>
[[nodiscard]] constexpr bool is_ascending(const std::array<float, N>& values) noexcept {
  for (std::size_t i = 1; i < N; ++i)
    if (!(values[i - 1] < values[i])) return false;
  return true;
}
template <std::size_t N>
[[nodiscard]] constexpr bool is_mirrored(const std::array<float, N>& values) noexcept {
  for (std::size_t i = 0; i < N; ++i)
    if (values[i] != -values[N - 1 - i]) return false;
  return true;
}
template <class>
inline constexpr bool is_float_array = false;
template <std::size_t N>
inline constexpr bool is_float_array<std::array<float, N>> = N >= 2 && N <= 256;
}  // namespace detail

/// The values that a scalar quantizer reaches, times one scale per output row:
///
///     What[o, i] = s[o] * values[code[o, i]]
///
/// A model is a struct with a constexpr `std::array<float, N> values`, 2 to 256 of them, strictly
/// ascending, so that code order is value order, and a `name`. Laws: tests/laws/level_set_laws.hpp.
template <class L>
concept LevelSet = requires {
  { L::name } -> std::convertible_to<std::string_view>;
  requires detail::is_float_array<std::remove_cvref_t<decltype(L::values)>>;
  requires detail::is_ascending(L::values);
};

/// A level set that holds -v for every v.
template <class L>
concept MirroredLevelSet = LevelSet<L> && detail::is_mirrored(L::values);

}  // namespace basin
