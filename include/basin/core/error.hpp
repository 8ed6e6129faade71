#pragma once

#include <basin/core/config.hpp>

#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>

namespace basin {
/// Sizes that do not fit together.
struct ShapeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
/// Values that an algorithm cannot work with: NaN, an indefinite Hessian, a beam of width 0.
struct ValueError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
/// The host asked to stop (RunContext::stop); nothing was written.
struct Cancelled : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// A host's storage, a disk for one, that did not do what was asked of it.
struct StorageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {
inline void append_text(std::string& text, std::string_view part) { text.append(part); }
inline void append_text(std::string& text, char part) { text.push_back(part); }
template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
void append_text(std::string& text, Number part) {
  char digits[48];
  const auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
  text.append(digits, end);
}
}  // namespace detail

/// One string from text and numbers: concat("H must be [g, g], got [", rows, ", ", cols, "]").
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::string text;
  (detail::append_text(text, parts), ...);
  return text;
}

/// Throws E with the parts joined into its message: subject, rule, value. Without exceptions it
/// hands the message to BASIN_FATAL. The only place in the library that throws.
template <std::derived_from<std::exception> E, class... Parts>
[[noreturn]] void raise(const Parts&... parts) {
#if BASIN_HAS_EXCEPTIONS
  throw E(concat(parts...));
#else
  const std::string message = concat(parts...);
  BASIN_FATAL(message.c_str());
  std::abort();
#endif
}

}  // namespace basin
