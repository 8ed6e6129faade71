#pragma once

#include <cstdio>
#include <string>

namespace support {
/// 0.0123 -> "0.0123", 1200000 -> "1.2e+06".
inline std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// 0.0123 with 3 digits -> "0.012".
inline std::string fixed_number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace support
