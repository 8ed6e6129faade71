#pragma once

#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace basin::bench {
/// Of a weight: [n_out, n_in].
struct Shape {
  std::ptrdiff_t n_out = 0, n_in = 0;

  [[nodiscard]] double num_weights() const noexcept {
    return static_cast<double>(n_out) * static_cast<double>(n_in);
  }
  friend auto operator<=>(const Shape&, const Shape&) = default;
};

[[nodiscard]] inline std::string to_string(const Shape& shape) {
  return std::to_string(shape.n_out) + "x" + std::to_string(shape.n_in);
}

/// "3072x3072,4096x11008" as shapes, n_out first. @throws std::invalid_argument that shows what is wrong.
[[nodiscard]] inline std::vector<Shape> parse_shapes(std::string_view text) {
  constexpr std::ptrdiff_t limit = std::ptrdiff_t{1} << 20;
  std::vector<Shape> shapes;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = text.find(',', begin) < text.size() ? text.find(',', begin) : text.size();
    const std::string_view item = text.substr(begin, end - begin);
    const auto refuse = [&](const char* rule) {
      throw std::invalid_argument("BASIN_BENCH_SHAPES: \"" + std::string(item) + "\" " + rule +
                                  "; wanted is n_outxn_in[,...], for example 3072x3072,4096x11008");
    };
    const auto number = [&](std::string_view digits) {
      std::ptrdiff_t value = 0;
      const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (error != std::errc{} || rest != digits.data() + digits.size()) refuse("is not a shape");
      if (value < 1 || value > limit) refuse("has a side outside 1 to 1048576");
      return value;
    };
    const std::size_t cross = item.find('x');
    if (cross == std::string_view::npos) refuse("is not a shape");
    const Shape shape{number(item.substr(0, cross)), number(item.substr(cross + 1))};
    if (shape.n_out > (std::ptrdiff_t{1} << 30) / shape.n_in) refuse("has more than 2^30 weights");
    shapes.push_back(shape);
    begin = end + 1;
  }
  return shapes;
}

/// The shapes in BASIN_BENCH_SHAPES, or `defaults` where it is not set.
[[nodiscard]] inline std::vector<Shape> shapes_or(std::vector<Shape> defaults) {
  const char* text = std::getenv("BASIN_BENCH_SHAPES");
  return text == nullptr ? std::move(defaults) : parse_shapes(text);
}

}  // namespace basin::bench
