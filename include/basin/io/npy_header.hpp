#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/byte_reader.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin::detail {
struct NpyHeader {
  std::string type;  // kind and size, "f4"
  std::size_t item_bytes = 0;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t count = 0;
  std::size_t data_offset = 0;
};

/// Product of the extents. Errors: bad_value (negative), too_large (overflow).
[[nodiscard]] inline Expected<std::uint64_t> npy_count(std::span<const std::int64_t> shape, std::string_view name) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return Error{ErrorCode::bad_value, concat(name, ": a dimension is ", extent)};
    const auto factor = static_cast<std::uint64_t>(extent);
    // 16 keeps room for the size of an element.
    if (factor != 0 && count > std::numeric_limits<std::uint64_t>::max() / 16 / factor)
      return Error{ErrorCode::too_large, concat(name, ": the shape overflows 64 bits")};
    count *= factor;
  }
  return count;
}

/// The one form of Python dict literal that NumPy writes: text, True or False, tuples of numbers.
class NpyDictParser {
 public:
  explicit NpyDictParser(std::string_view text) noexcept : text_(text) {}
  [[nodiscard]] std::size_t position() const noexcept { return at_; }

  /// False at the first character that does not fit, which is at position().
  [[nodiscard]] bool parse(std::string& descr, bool& fortran_order, std::vector<std::int64_t>& shape) {
    bool saw_descr = false, saw_order = false, saw_shape = false;
    if (!take('{')) return false;
    while (!take('}')) {
      std::string key;
      if (!parse_text(key) || !take(':')) return false;
      bool ok = false;
      if (key == "descr" && !std::exchange(saw_descr, true)) ok = parse_text(descr);
      else if (key == "fortran_order" && !std::exchange(saw_order, true)) ok = parse_bool(fortran_order);
      else if (key == "shape" && !std::exchange(saw_shape, true)) ok = parse_shape(shape);
      if (!ok) return false;
      if (!take(',') && !peek('}')) return false;
    }
    skip_space();
    return at_ == text_.size() && saw_descr && saw_order && saw_shape;
  }

 private:
  static constexpr std::size_t max_rank = 32;

  void skip_space() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool peek(char wanted) noexcept {
    skip_space();
    return at_ < text_.size() && text_[at_] == wanted;
  }
  bool take(char wanted) noexcept {
    if (!peek(wanted)) return false;
    ++at_;
    return true;
  }
  bool parse_text(std::string& out) {
    const char quote = peek('\'') ? '\'' : '"';
    if (!take(quote)) return false;
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) return false;
    out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out.find('\\') == std::string::npos;
  }
  bool parse_bool(bool& out) noexcept {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    out = rest.starts_with("True");
    if (!out && !rest.starts_with("False")) return false;
    at_ += out ? 4 : 5;
    return true;
  }
  bool parse_shape(std::vector<std::int64_t>& out) {
    if (!take('(')) return false;
    bool comma = true;  // before an extent
    while (!take(')')) {
      skip_space();
      std::int64_t extent = 0;
      const char* const from = text_.data() + at_;
      const auto [stop, problem] = std::from_chars(from, text_.data() + text_.size(), extent);
      if (!comma || problem != std::errc{} || extent < 0 || out.size() >= max_rank) return false;
      at_ += static_cast<std::size_t>(stop - from);
      out.push_back(extent);
      comma = take(',');
    }
    return out.size() != 1 || comma;  // (3) is a number in Python, (3,) a tuple
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

[[nodiscard]] inline Expected<NpyHeader> parse_npy_header(std::span<const std::byte> bytes, std::string_view name) {
  ByteReader reader(bytes);
  const auto fail = [&](ErrorCode code, std::uint64_t offset, std::string_view what) {
    return Error{code, concat(name, ": ", what, " (byte ", offset, ")"), offset};
  };
  std::string_view magic, text;
  std::uint8_t major = 0, minor = 0;
  if (!reader.read_text(6, magic) || magic != "\x93NUMPY")
    return fail(ErrorCode::bad_magic, 0, "not a .npy file: it does not start with \\x93NUMPY");
  std::uint16_t short_length = 0;
  std::uint32_t length = 0;
  if (!reader.read(major) || !reader.read(minor))
    return fail(ErrorCode::truncated, reader.offset(), "the file ends inside its header");
  if (major < 1 || major > 3 || minor != 0)
    return fail(ErrorCode::unsupported, 6, concat("version ", major, ".", minor, " is not supported"));
  const bool has_length = major == 1 ? reader.read(short_length) : reader.read(length);
  if (major == 1) length = short_length;
  const std::size_t text_offset = reader.offset();
  if (!has_length || !reader.read_text(length, text))
    return fail(ErrorCode::truncated, reader.offset(), "the file ends inside its header");

  NpyHeader header;
  header.data_offset = reader.offset();
  std::string descr;
  NpyDictParser dict(text);
  if (!dict.parse(descr, header.fortran_order, header.shape))
    return fail(ErrorCode::bad_value, text_offset + dict.position(),
                "the header is not a dict of plain descr, fortran_order and shape");
  if (descr.size() != 3 || descr[2] < '1' || descr[2] > '8')
    return fail(ErrorCode::unsupported, text_offset, concat("dtype \"", descr, "\" is not supported"));
  header.type = descr.substr(1);
  header.item_bytes = static_cast<std::size_t>(descr[2] - '0');
  if (descr[0] != '<' && !(descr[0] == '|' && header.item_bytes == 1))
    return fail(ErrorCode::unsupported, text_offset,
                concat("dtype \"", descr, "\" is not little-endian; save it with a '<' dtype"));
  const Expected<std::uint64_t> count = npy_count(header.shape, name);
  if (!count) return count.error();
  const std::uint64_t size = *count * header.item_bytes;
  if (size > reader.remaining())
    return fail(ErrorCode::truncated, header.data_offset,
                concat("the array needs ", size, " bytes, the file holds ", reader.remaining()));
  if (size < reader.remaining())
    return fail(ErrorCode::bad_value, header.data_offset + size,
                concat(reader.remaining() - size, " bytes follow the array"));
  header.count = static_cast<std::size_t>(*count);
  return header;
}

/// Magic, version 1, length and dict, padded so that the data begins at a multiple of 64.
[[nodiscard]] inline std::string npy_header_text(std::string_view descr, std::span<const std::int64_t> shape) {
  std::string dict = concat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (");
  for (const std::int64_t extent : shape) dict += concat(extent, shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) dict.resize(dict.size() - 2);
  dict += "), }";
  constexpr std::size_t preamble = 10;
  const std::size_t total = (preamble + dict.size() + 1 + 63) / 64 * 64;
  dict.resize(total - preamble - 1, ' ');
  dict += '\n';
  std::string text = "\x93NUMPY";
  text += '\1';
  text += '\0';
  text += static_cast<char>(dict.size() & 255);
  text += static_cast<char>(dict.size() >> 8);
  return text + dict;
}

}  // namespace basin::detail
