#pragma once

#include <basin/core/config.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace basin {
/// What is wrong with bytes that came from outside.
enum class ErrorCode {
  cannot_open,    ///< the file does not exist or may not be read
  cannot_write,   ///< the disk is full, the folder is read-only
  truncated,      ///< the data ends before its own sizes say
  bad_magic,      ///< not a file of this kind
  unsupported,    ///< a version, type or layout that this reader does not know
  bad_value,      ///< a field that contradicts the format or another field
  too_large,      ///< a size beyond the reader's cap, or an overflowing product
  not_found,      ///< no tensor or key of that name
  shape_mismatch  ///< tensors that do not fit together
};

[[nodiscard]] constexpr std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::cannot_open: return "cannot_open";
    case ErrorCode::cannot_write: return "cannot_write";
    case ErrorCode::truncated: return "truncated";
    case ErrorCode::bad_magic: return "bad_magic";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::bad_value: return "bad_value";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::shape_mismatch: return "shape_mismatch";
  }
  return "unknown";
}

/// An error as a value: what, where (file and tensor are in the message), and the byte offset.
struct Error {
  ErrorCode code;
  std::string message;
  std::uint64_t offset = 0;  ///< from the start of the file; 0 where no byte is to blame
};

/// A value or the Error that kept it from being made. Works without exceptions.
template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Expected(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Precondition of the value's accessors: has_value(). Of error(): !has_value().
  [[nodiscard]] T& operator*() & noexcept { return value(); }
  [[nodiscard]] const T& operator*() const& noexcept { return value(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(value()); }
  [[nodiscard]] T* operator->() noexcept { return &value(); }
  [[nodiscard]] const T* operator->() const noexcept { return &value(); }
  [[nodiscard]] const Error& error() const noexcept {
    BASIN_ASSERT(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  T& value() noexcept {
    BASIN_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const noexcept {
    BASIN_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

/// Success without a value.
struct Done {};
using Status = Expected<Done>;

}  // namespace basin
