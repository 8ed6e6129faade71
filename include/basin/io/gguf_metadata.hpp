#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/byte_reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace basin {
/// Types of metadata values, with GGUF's numbers.
enum class GgufValueType : std::uint32_t {
  u8 = 0, i8 = 1, u16 = 2, i16 = 3, u32 = 4, i32 = 5, f32 = 6, boolean = 7, string = 8, array = 9,
  u64 = 10, i64 = 11, f64 = 12
};

[[nodiscard]] constexpr std::string_view to_string(GgufValueType type) noexcept {
  constexpr std::string_view names[] = {"u8",     "i8",    "u16", "i16", "u32", "i32", "f32", "bool",
                                        "string", "array", "u64", "i64", "f64"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(names) ? names[index] : "unknown";
}

/// The key/value part of a GGUF file. Values stay in the file's bytes until they are asked for.
///
/// Lookups   not_found when the key is missing; bad_value when it has another type, or a number
///           that the asked type cannot hold (any integer kind serves any integer lookup, f64
///           serves f32 by rounding, integers do not serve floats).
class GgufMetadata {
 public:
  static constexpr std::uint64_t max_name_length = 65535;

  /// Reads `count` keys at the cursor; the bytes outlive the result. Arrays of arrays are refused.
  [[nodiscard]] static Expected<GgufMetadata> parse(ByteReader& reader, std::int64_t count,
                                                    std::string file_name);

  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  [[nodiscard]] bool contains(std::string_view key) const noexcept { return values_.contains(key); }
  /// Sorted.
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> all;
    all.reserve(values_.size());
    for (const auto& entry : values_) all.push_back(entry.first);
    return all;
  }
  /// In the order of the file.
  [[nodiscard]] std::vector<std::string> keys_as_stored() const {
    std::vector<std::string> all = keys();
    std::sort(all.begin(), all.end(), [this](const std::string& a, const std::string& b) {
      return values_.find(a)->second.offset < values_.find(b)->second.offset;
    });
    return all;
  }
  /// A value as it lies in the file: its type, for arrays the elements' type and count, then the value.
  /// Error: not_found.
  [[nodiscard]] Expected<std::span<const std::byte>> stored(std::string_view key) const {
    const Expected<Value> value = find(key);
    if (!value) return value.error();
    return value->stored;
  }

  [[nodiscard]] Expected<std::uint32_t> get_u32(std::string_view key) const {
    return get_integer<std::uint32_t>(key);
  }
  [[nodiscard]] Expected<std::uint64_t> get_u64(std::string_view key) const {
    return get_integer<std::uint64_t>(key);
  }
  [[nodiscard]] Expected<std::int64_t> get_i64(std::string_view key) const {
    return get_integer<std::int64_t>(key);
  }
  [[nodiscard]] Expected<float> get_f32(std::string_view key) const;
  [[nodiscard]] Expected<bool> get_bool(std::string_view key) const;
  [[nodiscard]] Expected<std::string> get_string(std::string_view key) const;
  [[nodiscard]] Expected<std::vector<std::string>> get_strings(std::string_view key) const;
  [[nodiscard]] Expected<std::vector<std::int64_t>> get_integers(std::string_view key) const;
  [[nodiscard]] Expected<std::vector<float>> get_floats(std::string_view key) const;

 private:
  struct Value {
    GgufValueType type{};          // of the value, or of an array's elements
    bool is_array = false;
    std::uint64_t count = 1;       // elements of an array
    std::span<const std::byte> bytes;
    std::span<const std::byte> stored;  // bytes, and before them what says how to read them
    std::uint64_t offset = 0;
  };

  // Bytes of a value of fixed size, 0 for strings, arrays and unknown types.
  static constexpr std::uint64_t fixed_size(GgufValueType type) noexcept {
    switch (type) {
      case GgufValueType::u8:
      case GgufValueType::i8:
      case GgufValueType::boolean: return 1;
      case GgufValueType::u16:
      case GgufValueType::i16: return 2;
      case GgufValueType::u32:
      case GgufValueType::i32:
      case GgufValueType::f32: return 4;
      case GgufValueType::u64:
      case GgufValueType::i64:
      case GgufValueType::f64: return 8;
      case GgufValueType::string:
      case GgufValueType::array: break;
    }
    return 0;
  }
  Status read_value(ByteReader& reader, std::span<const std::byte>& bytes, GgufValueType type,
                    std::uint64_t count, std::string_view key) const;
  Error fail(ErrorCode code, std::uint64_t offset, std::string_view what) const {
    return {code, concat(file_name_, ": ", what, " (byte ", offset, ")"), offset};
  }
  Error wrong_type(std::string_view key, const Value& value, std::string_view wanted) const {
    return fail(ErrorCode::bad_value, value.offset,
                concat("key \"", key, "\" is ", value.is_array ? "an array of " : "", to_string(value.type),
                       ", not ", wanted));
  }
  Expected<Value> find(std::string_view key) const {
    const auto at = values_.find(key);
    if (at == values_.end())
      return Error{ErrorCode::not_found, concat(file_name_, ": no metadata key \"", key, "\"")};
    return at->second;
  }

  // The integer at `from`, widened; false when the type is not an integer kind.
  static bool load_integer(GgufValueType type, const std::byte* from, std::int64_t& low,
                           std::uint64_t& high) noexcept;
  static bool load_float(GgufValueType type, const std::byte* from, float& value) noexcept;
  template <class Int>
  Expected<Int> get_integer(std::string_view key) const;

  std::string file_name_;
  std::map<std::string, Value, std::less<>> values_;
};

inline Expected<GgufMetadata> GgufMetadata::parse(ByteReader& reader, std::int64_t count,
                                                  std::string file_name) {
  GgufMetadata metadata;
  metadata.file_name_ = std::move(file_name);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t start = reader.offset();
    const auto cut = [&] {
      return metadata.fail(ErrorCode::truncated, reader.offset(),
                           concat("the file ends inside metadata key ", i));
    };
    std::uint64_t length = 0;
    std::string_view key;
    if (!reader.read(length)) return cut();
    if (length > max_name_length)
      return metadata.fail(ErrorCode::too_large, start, concat("a metadata key of ", length, " bytes"));
    if (!reader.read_text(length, key)) return cut();
    const auto bad = [&](std::string_view why) {
      return metadata.fail(ErrorCode::bad_value, start, concat("key \"", key, "\": ", why));
    };

    Value value;
    std::uint32_t type = 0;
    ByteReader whole = reader;
    if (!reader.read(type)) return cut();
    value.is_array = static_cast<GgufValueType>(type) == GgufValueType::array;
    if (value.is_array && (!reader.read(type) || !reader.read(value.count))) return cut();
    value.type = static_cast<GgufValueType>(type);
    if (value.type == GgufValueType::array)
      return metadata.fail(ErrorCode::unsupported, start, concat("key \"", key, "\": an array of arrays"));
    if (fixed_size(value.type) == 0 && value.type != GgufValueType::string)
      return bad(concat("value type ", type, " is unknown"));
    value.offset = reader.offset();
    if (const Status read = metadata.read_value(reader, value.bytes, value.type, value.count, key); !read)
      return read.error();
    static_cast<void>(whole.read_bytes(reader.offset() - whole.offset(), value.stored));
    if (!metadata.values_.emplace(key, value).second) return bad("the key occurs twice");
  }
  return metadata;
}

inline Status GgufMetadata::read_value(ByteReader& reader, std::span<const std::byte>& bytes,
                                       GgufValueType type, std::uint64_t count,
                                       std::string_view key) const {
  const std::uint64_t start = reader.offset();
  const std::uint64_t least = type == GgufValueType::string ? 8 : fixed_size(type);
  const auto cut = [&] {
    return fail(ErrorCode::truncated, reader.offset(),
                concat("key \"", key, "\": its value reaches past the end of the file"));
  };
  if (count > reader.remaining() / least) return cut();
  if (type != GgufValueType::string)
    return reader.read_bytes(count * least, bytes) ? Status(Done{}) : Status(cut());
  ByteReader walk = reader;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t length = 0;
    if (!walk.read(length) || !walk.skip(length)) return cut();
  }
  return reader.read_bytes(walk.offset() - start, bytes) ? Status(Done{}) : Status(cut());
}

inline bool GgufMetadata::load_integer(GgufValueType type, const std::byte* from, std::int64_t& low,
                                       std::uint64_t& high) noexcept {
  // A value is `low` when negative, else `high`.
  low = 0;
  const auto take = [&](auto value) {
    if constexpr (std::is_signed_v<decltype(value)>) low = value;
    high = low < 0 ? 0 : static_cast<std::uint64_t>(value);
    return true;
  };
  switch (type) {
    case GgufValueType::u8: return take(load_little_endian<std::uint8_t>(from));
    case GgufValueType::i8: return take(load_little_endian<std::int8_t>(from));
    case GgufValueType::u16: return take(load_little_endian<std::uint16_t>(from));
    case GgufValueType::i16: return take(load_little_endian<std::int16_t>(from));
    case GgufValueType::u32: return take(load_little_endian<std::uint32_t>(from));
    case GgufValueType::i32: return take(load_little_endian<std::int32_t>(from));
    case GgufValueType::u64: return take(load_little_endian<std::uint64_t>(from));
    case GgufValueType::i64: return take(load_little_endian<std::int64_t>(from));
    default: return false;
  }
}

inline bool GgufMetadata::load_float(GgufValueType type, const std::byte* from, float& value) noexcept {
  if (type == GgufValueType::f32) {
    value = load_little_endian<float>(from);
    return true;
  }
  if (type != GgufValueType::f64) return false;
  const double wide = load_little_endian<double>(from);
  if (std::isfinite(wide) && std::abs(wide) > std::numeric_limits<float>::max()) return false;
  value = static_cast<float>(wide);
  return true;
}

template <class Int>
inline Expected<Int> GgufMetadata::get_integer(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  std::int64_t low = 0;
  std::uint64_t high = 0;
  if (value->is_array || !load_integer(value->type, value->bytes.data(), low, high))
    return wrong_type(key, *value, "an integer");
  const bool fits = low < 0 ? std::is_signed_v<Int> && std::in_range<Int>(low) : std::in_range<Int>(high);
  if (!fits)
    return fail(ErrorCode::bad_value, value->offset,
                low < 0 ? concat("key \"", key, "\" is ", low, ", out of range")
                        : concat("key \"", key, "\" is ", high, ", out of range"));
  return low < 0 ? static_cast<Int>(low) : static_cast<Int>(high);
}

inline Expected<float> GgufMetadata::get_f32(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  float number = 0;
  if (value->is_array || !load_float(value->type, value->bytes.data(), number))
    return wrong_type(key, *value, "a number that fits in a float");
  return number;
}

inline Expected<bool> GgufMetadata::get_bool(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  if (value->is_array || value->type != GgufValueType::boolean) return wrong_type(key, *value, "a bool");
  return value->bytes[0] != std::byte{0};
}

inline Expected<std::string> GgufMetadata::get_string(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  if (value->is_array || value->type != GgufValueType::string) return wrong_type(key, *value, "a string");
  const auto text = value->bytes.subspan(8);
  return std::string(reinterpret_cast<const char*>(text.data()), text.size());
}

inline Expected<std::vector<std::string>> GgufMetadata::get_strings(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  if (!value->is_array || value->type != GgufValueType::string)
    return wrong_type(key, *value, "an array of strings");
  std::vector<std::string> all;
  all.reserve(static_cast<std::size_t>(value->count));
  ByteReader reader(value->bytes);
  std::uint64_t length = 0;
  std::string_view text;
  while (reader.read(length) && reader.read_text(length, text)) all.emplace_back(text);
  return all;
}

inline Expected<std::vector<std::int64_t>> GgufMetadata::get_integers(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  std::int64_t low = 0;
  std::uint64_t high = 0;
  const std::uint64_t step = fixed_size(value->type);
  if (!value->is_array || step == 0 || value->type == GgufValueType::boolean ||
      value->type == GgufValueType::f32 || value->type == GgufValueType::f64)
    return wrong_type(key, *value, "an array of integers");
  std::vector<std::int64_t> all;
  all.reserve(static_cast<std::size_t>(value->count));
  for (std::size_t at = 0; at < value->bytes.size(); at += static_cast<std::size_t>(step)) {
    load_integer(value->type, value->bytes.data() + at, low, high);
    if (low >= 0 && !std::in_range<std::int64_t>(high))
      return fail(ErrorCode::bad_value, value->offset + at,
                  concat("key \"", key, "\" holds ", high, ", out of range"));
    all.push_back(low < 0 ? low : static_cast<std::int64_t>(high));
  }
  return all;
}

inline Expected<std::vector<float>> GgufMetadata::get_floats(std::string_view key) const {
  const Expected<Value> value = find(key);
  if (!value) return value.error();
  if (!value->is_array || (value->type != GgufValueType::f32 && value->type != GgufValueType::f64))
    return wrong_type(key, *value, "an array of floats");
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(value->count));
  const auto step = static_cast<std::size_t>(fixed_size(value->type));
  for (std::size_t at = 0; at < value->bytes.size(); at += step) {
    float number = 0;
    if (!load_float(value->type, value->bytes.data() + at, number))
      return fail(ErrorCode::bad_value, value->offset + at,
                  concat("key \"", key, "\" holds a number beyond the range of float"));
    all.push_back(number);
  }
  return all;
}

}  // namespace basin
