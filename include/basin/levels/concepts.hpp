#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace basin {
namespace detail {
/// NaN is in no order, and infinity no level.
template <std::size_t N>
[[nodiscard]] constexpr bool is_ascending(const std::array<float, N>& values) noexcept {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (!(values[0] > -infinity) || !(values[N - 1] < infinity)) return false;
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
/// A model is a struct with a constexpr `std::array<float, N> values`, 2 to 256 of them, finite and
/// strictly ascending, so that code order is value order, and a `name`. Laws: tests/laws/level_set_laws.hpp.
template <class L>
concept LevelSet = std::is_empty_v<L> && requires {
  { L::name } -> std::convertible_to<std::string_view>;
  requires detail::is_float_array<std::remove_cvref_t<decltype(L::values)>>;
  requires detail::is_ascending(L::values);
};

/// A level set that holds -v for every v.
template <class L>
concept MirroredLevelSet = LevelSet<L> && detail::is_mirrored(L::values);

/// A level set that every row shifts by a whole number of its own:
///
///     What[o, i] = s[o] * (values[code[o, i]] - zero_points[o])
///
/// It says so by `has_zero_point = true`, and its values are 0, 1, .., N - 1.
template <class L>
concept ShiftedLevelSet = LevelSet<L> && requires { requires L::has_zero_point; } &&
    L::values.front() == 0 && L::values.back() == static_cast<float>(L::values.size() - 1);

template <LevelSet L>
inline constexpr std::size_t num_levels = std::tuple_size_v<std::remove_cvref_t<decltype(L::values)>>;

template <LevelSet L>
[[nodiscard]] std::string to_string(const L&) {
  return std::string(std::string_view(L::name));
}

}  // namespace basin
