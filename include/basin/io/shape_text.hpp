#pragma once

#include <basin/core/error.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace basin::detail {
/// "[4, 256]", for errors.
[[nodiscard]] inline std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += concat(text.size() == 1 ? "" : ", ", extent);
  return text + "]";
}
}  // namespace basin::detail
