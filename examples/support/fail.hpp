#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>

#include <stdexcept>
#include <utility>

namespace support {
/// Ends the program with one line on stderr (see run_program): fail(path, ": no such file").
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  basin::raise<std::runtime_error>(parts...);
}

/// What the user asked for cannot be had; as a command line that cannot be understood, status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The value of an Expected, or the end of the program with its message.
template <class T>
[[nodiscard]] T take(basin::Expected<T> result) {
  if (!result) fail(result.error().message);
  return std::move(*std::move(result));
}
inline void check(const basin::Status& status) {
  if (!status) fail(status.error().message);
}

}  // namespace support
