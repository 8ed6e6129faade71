#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace basin {
/// Element types of safetensors, in the format's own words.
enum class SafetensorsType : std::uint8_t {
  boolean, u8, i8, f8_e5m2, f8_e4m3, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64, c64
};

namespace detail {
struct SafetensorsTypeName {
  std::string_view name;
  std::size_t bytes;
};
/// Indexed by SafetensorsType.
inline constexpr SafetensorsTypeName safetensors_type_names[] = {
    {"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
    {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}, {"C64", 8}};
}  // namespace detail

[[nodiscard]] constexpr std::string_view to_string(SafetensorsType type) noexcept {
  return detail::safetensors_type_names[static_cast<std::size_t>(type)].name;
}
/// Bytes per element.
[[nodiscard]] constexpr std::size_t element_size(SafetensorsType type) noexcept {
  return detail::safetensors_type_names[static_cast<std::size_t>(type)].bytes;
}
[[nodiscard]] constexpr std::optional<SafetensorsType> parse_safetensors_type(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(detail::safetensors_type_names); ++i)
    if (detail::safetensors_type_names[i].name == name) return static_cast<SafetensorsType>(i);
  return std::nullopt;
}

/// One tensor of a safetensors file.
struct SafetensorsTensor {
  std::string name;
  SafetensorsType type{};
  std::vector<std::int64_t> shape;  ///< row-major, outermost first; empty for a scalar
  std::uint64_t offset = 0;         ///< of the data, from the start of the file
  std::span<const std::byte> data;  ///< inside the file, valid as long as the SafetensorsFile; any alignment
  std::shared_ptr<const std::string> file;  ///< its name, for errors

  [[nodiscard]] std::int64_t num_elements() const noexcept {
    return static_cast<std::int64_t>(data.size() / element_size(type));
  }
};

}  // namespace basin
