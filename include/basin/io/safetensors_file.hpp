#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/mapped_file.hpp>
#include <basin/io/safetensors_header.hpp>
#include <basin/io/safetensors_types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace basin {
/// A safetensors file: names, shapes and bytes of tensors, without copying them.
///
/// Checked   at open: header at most 100 MB and inside the file, only the fields of the format, no
///           name twice, dtype x shape equal to the length, data without overlap, hole or rest.
/// Cost      O(header log tensors); tensor data is not touched.
class SafetensorsFile {
 public:
  static constexpr std::uint64_t max_header_bytes = 100'000'000;

  /// Errors: cannot_open and those of parse.
  [[nodiscard]] static Expected<SafetensorsFile> open(const std::filesystem::path& path) {
    Expected<MappedFile> mapped = MappedFile::open(path);
    if (!mapped) return mapped.error();
    Expected<SafetensorsFile> file = parse(mapped->bytes(), path.string());
    if (file) file->mapped_ = std::move(*mapped);
    return file;
  }
  /// From bytes that outlive the result; `name` stands for the file in errors.
  /// Errors: truncated, too_large, unsupported, bad_value.
  [[nodiscard]] static Expected<SafetensorsFile> parse(std::span<const std::byte> bytes, std::string name);

  [[nodiscard]] const std::string& name() const noexcept { return *name_; }
  /// In the order of their data.
  [[nodiscard]] const std::vector<SafetensorsTensor>& tensors() const noexcept { return tensors_; }
  /// Null when there is none of that name.
  [[nodiscard]] const SafetensorsTensor* find(std::string_view name) const noexcept {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : &tensors_[at->second];
  }
  /// The value of a key of "__metadata__".
  [[nodiscard]] std::optional<std::string> metadata(std::string_view key) const {
    const auto at = metadata_.find(key);
    return at == metadata_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  std::shared_ptr<const std::string> name_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::map<std::string, std::string, std::less<>> metadata_;
  MappedFile mapped_;
};

/// A tensor's values as floats: F16, BF16 and F32 exactly, F64 rounded.
///
/// @param out  num_elements() floats, row-major.
/// Errors: unsupported (another dtype), shape_mismatch (size of out).
[[nodiscard]] inline Status read_floats(const SafetensorsTensor& tensor, std::span<float> out) {
  const auto fail = [&](ErrorCode code, std::string_view why) {
    return Error{code, concat(tensor.file ? *tensor.file : std::string(), ": tensor \"", tensor.name, "\": ", why),
                 tensor.offset};
  };
  const auto count = static_cast<std::size_t>(tensor.num_elements());
  if (out.size() != count)
    return fail(ErrorCode::shape_mismatch, concat(count, " elements, but the output holds ", out.size()));
  const std::byte* const from = tensor.data.data();
  const auto fill = [&](auto load) {
    for (std::size_t i = 0; i < count; ++i) out[i] = load(from + i * element_size(tensor.type));
    return Done{};
  };
  switch (tensor.type) {
    case SafetensorsType::f32: return fill(load_little_endian<float>);
    case SafetensorsType::f16:
      return fill([](const std::byte* at) { return half_to_float(load_little_endian<std::uint16_t>(at)); });
    case SafetensorsType::bf16:
      return fill([](const std::byte* at) { return bfloat16_to_float(load_little_endian<std::uint16_t>(at)); });
    case SafetensorsType::f64:
      return fill([](const std::byte* at) { return static_cast<float>(load_little_endian<double>(at)); });
    default: return fail(ErrorCode::unsupported, concat("values of type ", to_string(tensor.type), " are not floats"));
  }
}

/// The same into a new vector.
[[nodiscard]] inline Expected<std::vector<float>> read_floats(const SafetensorsTensor& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.num_elements()));
  if (const Status read = read_floats(tensor, out); !read) return read.error();
  return out;
}

inline Expected<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::string name) {
  SafetensorsFile file;
  file.name_ = std::make_shared<const std::string>(std::move(name));
  const auto fail = [&](ErrorCode code, std::uint64_t offset, std::string_view what) {
    return Error{code, concat(*file.name_, ": ", what, " (byte ", offset, ")"), offset};
  };
  ByteReader reader(bytes);
  std::uint64_t header_size = 0;
  std::string_view text;
  if (!reader.read(header_size))
    return fail(ErrorCode::truncated, bytes.size(), "a safetensors file has at least 8 bytes");
  if (header_size > max_header_bytes)
    return fail(ErrorCode::too_large, 0,
                concat("a header of ", header_size, " bytes; the limit is ", max_header_bytes,
                       ", so this is not a safetensors file"));
  if (!reader.read_text(header_size, text))
    return fail(ErrorCode::truncated, 8,
                concat("the header should have ", header_size, " bytes, the file has ", reader.remaining(),
                       " more; it may be cut short"));
  if (text.empty() || text.front() != '{')
    return fail(ErrorCode::bad_value, 8, "the header does not start with '{', so this is not a safetensors file");
  detail::SafetensorsHeader header;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &header))
    return fail(header.code, 8 + header.position, header.problem);

  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end != b.end ? a.end < b.end : a.name < b.name;
  });
  const std::uint64_t data_start = reader.offset(), data_size = reader.remaining();
  std::uint64_t expected_begin = 0;
  file.tensors_.reserve(header.entries.size());
  for (detail::SafetensorsHeader::Entry& entry : header.entries) {
    const auto bad = [&](ErrorCode code, std::string_view why) {
      return fail(code, data_start, concat("tensor \"", entry.name, "\": ", why));
    };
    if (entry.end < entry.begin)
      return bad(ErrorCode::bad_value, concat("data_offsets [", entry.begin, ", ", entry.end, "] run backwards"));
    if (entry.end > data_size)
      return bad(ErrorCode::truncated, concat("its data ends at ", entry.end, ", but the file holds ", data_size,
                                              " bytes of data; it may be cut short"));
    if (entry.begin != expected_begin)
      return bad(ErrorCode::bad_value,
                 concat("its data begins at ", entry.begin, entry.begin < expected_begin ? ", inside" : ", after a hole behind",
                        " the tensor before it, which ends at ", expected_begin));
    expected_begin = entry.end;
    std::uint64_t size = element_size(entry.type);
    for (const std::int64_t extent : entry.shape) {
      const auto factor = static_cast<std::uint64_t>(extent);
      if (factor != 0 && size > std::numeric_limits<std::uint64_t>::max() / factor)
        return bad(ErrorCode::too_large, "dtype x shape overflows 64 bits");
      size *= factor;
    }
    if (size != entry.end - entry.begin)
      return bad(ErrorCode::bad_value,
                 concat("dtype x shape is ", size, " bytes, data_offsets hold ", entry.end - entry.begin));
    SafetensorsTensor tensor;
    tensor.name = std::move(entry.name);
    tensor.type = entry.type;
    tensor.shape = std::move(entry.shape);
    tensor.offset = data_start + entry.begin;
    tensor.data = bytes.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(size));
    tensor.file = file.name_;
    file.index_.emplace(tensor.name, file.tensors_.size());
    file.tensors_.push_back(std::move(tensor));
  }
  if (expected_begin != data_size)
    return fail(ErrorCode::bad_value, data_start + expected_begin,
                concat(data_size - expected_begin, " bytes belong to no tensor"));
  file.metadata_ = std::move(header.metadata);
  return file;
}

}  // namespace basin
